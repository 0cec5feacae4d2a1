// Set-up on a fresh machine, for any Node that npm came with: installs the packages when the lock file is newer than they are,
// then runs a script of ours with the Node that is one of them. Plain JavaScript, because old Nodes do not read TypeScript.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const modules = join(root, 'node_modules')
const stamp = join(modules, '.installed-from')
const wanted = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex')

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
  console.error('installing packages (npm ci) …')
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (status !== 0) process.exit(status ?? 1)
  writeFileSync(stamp, wanted)
}

const [script, ...words] = process.argv.slice(2)
const node = join(modules, 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
// Ctrl-C goes to the whole foreground group: the script decides what becomes of it.
process.on('SIGINT', () => {})
const { status, signal } = spawnSync(node, [join(root, script), ...words], { stdio: 'inherit' })
process.exit(signal ? 130 : (status ?? 1))
