#!/usr/bin/env node
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(
    `error: kubectl telemetry needs Node 22.19 or newer, and this is ${process.version} (NODE_TOO_OLD)\n`,
  )
  process.exit(1)
}
const { main } = await import('../dist/main.js')
await main(new URL('..', import.meta.url), './dist/commands')
