/** Runs a command class in this process, with a fake world and with stdout and stderr caught. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Config, type Interfaces } from '@oclif/core'
import Cleanup from '../../src/commands/cleanup.ts'
import Expose from '../../src/commands/expose.ts'
import type { Dependencies } from '../../src/operations/dependencies.ts'

export interface Outcome {
  stdout: string
  stderr: string
  exitCode: number
}

const root = new URL('../../', import.meta.url)

/** Our oclif configuration, as `src/main.ts` makes it. */
export async function configuration(): Promise<Config> {
  const packageJson = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as Interfaces.PJSON
  const oclif = { ...packageJson.oclif, bin: 'kubectl telemetry', commands: './src/commands' }
  return Config.load({ root: fileURLToPath(root), pjson: { ...packageJson, oclif } })
}

/** @param argv `expose grafana -y` */
export async function runCommand(argv: string, world: Dependencies): Promise<Outcome> {
  const [id, ...words] = argv.split(' ')
  const connect = { connect: async () => world }
  const config = await configuration()
  const command =
    id === 'expose' ? new (class extends Expose {})(words, config) : new (class extends Cleanup {})(words, config)
  Object.assign(command, connect)
  return catching(() => (command as unknown as { _run(): Promise<void> })._run())
}

/** Streams and exit code are put back whatever happens. */
async function catching(running: () => Promise<void>): Promise<Outcome> {
  const written = { stdout: '', stderr: '' }
  const originals = { stdout: process.stdout.write, stderr: process.stderr.write, exitCode: process.exitCode }
  for (const stream of ['stdout', 'stderr'] as const) {
    process[stream].write = ((text: string) => {
      written[stream] += text
      return true
    }) as typeof process.stdout.write
  }
  try {
    await running()
    return { ...written, exitCode: Number(process.exitCode ?? 0) }
  } finally {
    process.stdout.write = originals.stdout
    process.stderr.write = originals.stderr
    process.exitCode = originals.exitCode
  }
}
