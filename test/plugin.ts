/** The built plugin as kubectl finds it: a directory for PATH with an executable called kubectl-telemetry. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Bundles src into dist. @throws Error when it does not build */
export function build(): void {
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (status !== 0) throw new Error('the build failed')
}

/** Puts the plugin into a directory. It runs with the Node of this process, whatever `node` on PATH is. */
export function installPlugin(directory: string): void {
  mkdirSync(directory, { recursive: true })
  const file = join(directory, 'kubectl-telemetry')
  writeFileSync(file, `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'bin', 'run.cjs')}' "$@"\n`)
  chmodSync(file, 0o755)
}
