#!/usr/bin/env node
import module from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(
    `error: kubectl telemetry needs Node 22.19 or newer, and this is ${process.version} (NODE_TOO_OLD)\n`,
  )
  process.exit(1)
}
// Not Node's own choice, a directory that every user of the machine may write to.
const caches = process.env.XDG_CACHE_HOME || process.env.LOCALAPPDATA || join(homedir(), '.cache')
module.enableCompileCache(join(caches, 'kubectl-telemetry', 'compiled'))
const { main } = await import('../dist/main.js')
await main(new URL('../dist/', import.meta.url))
