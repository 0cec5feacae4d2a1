/** The built plugin as kubectl finds it: a directory for PATH with an executable called kubectl-telemetry. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Bundles src into dist. @throws Error when the build fails */
export function build(): void {
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (status !== 0) throw new Error('the build failed')
}

/** Writes an executable of the plugin into a directory. It uses the Node of this process, not `node` on PATH. */
export function installPlugin(directory: string): void {
  mkdirSync(directory, { recursive: true })
  const file = join(directory, 'kubectl-telemetry')
  writeFileSync(file, `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'bin', 'run.cjs')}' "$@"\n`)
  chmodSync(file, 0o755)
}
