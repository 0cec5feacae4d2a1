#!/usr/bin/env node
'use strict'
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(
    `error: kubectl telemetry needs Node 22.19 or newer, and this is ${process.version} (NODE_TOO_OLD)\n`,
  )
  process.exit(1)
}
const { dirname, join } = require('node:path')
const compiled = compiledCode()
if (compiled !== undefined) require('node:module').enableCompileCache(compiled)
const dist = join(__dirname, '..', 'dist')
require('../dist/start.cjs').start(process.argv.slice(2), dist, require)

/**
 * The directory of compiled code. Not Node's own choice, where every user of the machine may write, and only where nobody else could have
 * written: who changes the code runs it with our user's rights. @returns undefined to do without, which only starts more slowly
 */
function compiledCode() {
  const { chmodSync, existsSync, lstatSync, mkdirSync, realpathSync, rmSync } = require('node:fs')
  const caches = cacheHome()
  if (caches === undefined) return undefined
  // Windows has no user ids: there a user's directories are the user's.
  const user = process.getuid?.() ?? 0
  /** Whether other users may write to it. */
  const isOpen = ({ mode }) => process.platform !== 'win32' && (mode & 0o022) !== 0
  /** Whether nobody else can rename what is in it, or in a directory above it. With the sticky bit (/tmp) only its owner can. */
  const isSafe = (path) => {
    const found = lstatSync(path)
    const own = (found.uid === user || found.uid === 0) && (!isOpen(found) || (found.mode & 0o1000) !== 0)
    return own && (dirname(path) === path || isSafe(dirname(path)))
  }
  /** Level by level: Node's own `recursive` never ends where the file system answers ENOENT to mkdir, as /proc does. */
  const makeDirectory = (path) => {
    if (existsSync(path)) return
    makeDirectory(dirname(path))
    mkdirSync(path, { mode: 0o700 })
  }
  /** A directory that only our user may change. @param close closes one that others may write to, as earlier versions made it */
  const ownDirectory = (path, close) => {
    makeDirectory(path)
    const found = lstatSync(path)
    if (!found.isDirectory() || found.uid !== user) return false
    if (isOpen(found)) close(path)
    return true
  }
  const replace = (path) => {
    rmSync(path, { recursive: true })
    mkdirSync(path, { mode: 0o700 })
  }
  try {
    makeDirectory(caches)
    const place = join(realpathSync.native(caches), 'kubectl-telemetry')
    const safe = isSafe(dirname(place)) && ownDirectory(place, (path) => chmodSync(path, 0o700))
    return safe && ownDirectory(join(place, 'compiled'), replace) ? join(place, 'compiled') : undefined
  } catch {
    return undefined
  }
}

/** A relative directory would be another one in each working directory, so it counts as none (XDG Base Directory Specification). */
function cacheHome() {
  const { isAbsolute } = require('node:path')
  const { HOME, LOCALAPPDATA, USERPROFILE, XDG_CACHE_HOME } = process.env
  const home = HOME ?? USERPROFILE
  const places = [XDG_CACHE_HOME, LOCALAPPDATA, home && join(home, '.cache')]
  return places.find((place) => place && isAbsolute(place))
}
