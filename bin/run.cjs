#!/usr/bin/env node
'use strict'
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(
    `error: kubectl telemetry needs Node 22.19 or newer, and this is ${process.version} (NODE_TOO_OLD)\n`,
  )
  process.exit(1)
}
const { join } = require('node:path')
// Not Node's own choice, a directory that every user of the machine may write to.
const caches = process.env.XDG_CACHE_HOME || process.env.LOCALAPPDATA || join(require('node:os').homedir(), '.cache')
require('node:module').enableCompileCache(join(caches, 'kubectl-telemetry', 'compiled'))
const dist = join(__dirname, '..', 'dist')
require('../dist/start.cjs').start(process.argv.slice(2), dist, require)
