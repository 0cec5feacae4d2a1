/** Runs a command class in this process, with a fake world and and captures stdout and stderr. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Command, Config, type Interfaces } from '@oclif/core'
import { sampleFiles } from '../../src/adapters.ts'
import AddonsInstall from '../../src/commands/addons/install.ts'
import AddonsList from '../../src/commands/addons/list.ts'
import AddonsUninstall from '../../src/commands/addons/uninstall.ts'
import CertCreate from '../../src/commands/cert/create.ts'
import CertExport from '../../src/commands/cert/export.ts'
import CertRotate from '../../src/commands/cert/rotate.ts'
import CertStatus from '../../src/commands/cert/status.ts'
import CertTrust from '../../src/commands/cert/trust.ts'
import Cleanup from '../../src/commands/cleanup.ts'
import Expose from '../../src/commands/expose.ts'
import MulticlusterVerify from '../../src/commands/multicluster/verify.ts'
import ScrapeSecureStatus from '../../src/commands/scrape-secure/status.ts'
import ScrapeSecure from '../../src/commands/scrape-secure.ts'
import Status from '../../src/commands/status.ts'
import TracingOff from '../../src/commands/tracing/off.ts'
import TracingOn from '../../src/commands/tracing/on.ts'
import TracingStatus from '../../src/commands/tracing/status.ts'
import Traffic from '../../src/commands/traffic.ts'
import Wizard from '../../src/commands/wizard.ts'
import type { Dependencies } from '../../src/world.ts'

export interface Outcome {
  stdout: string
  stderr: string
  exitCode: number
}

const root = new URL('../../', import.meta.url)

/** The oclif configuration, like that of `src/main.ts`. Made once: it loads all commands. */
export function configuration(): Promise<Config> {
  loaded ??= load()
  return loaded
}

let loaded: Promise<Config> | undefined

async function load(): Promise<Config> {
  const packageJson = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as Interfaces.PJSON
  const oclif = { ...packageJson.oclif, bin: 'kubectl telemetry', commands: './src/commands' }
  return Config.load({ root: fileURLToPath(root), pjson: { ...packageJson, oclif } })
}

/** One for all, which has read them once. */
const SAMPLES = sampleFiles()

type CommandClass = new (argv: string[], config: Config) => Command

const COMMANDS: Record<string, CommandClass> = {
  'addons install': AddonsInstall,
  'addons list': AddonsList,
  'addons uninstall': AddonsUninstall,
  cleanup: Cleanup,
  expose: Expose,
  'cert create': CertCreate,
  'cert export': CertExport,
  'cert rotate': CertRotate,
  'cert status': CertStatus,
  'cert trust': CertTrust,
  'multicluster verify': MulticlusterVerify,
  'scrape-secure status': ScrapeSecureStatus,
  'scrape-secure': ScrapeSecure,
  status: Status,
  'tracing off': TracingOff,
  'tracing on': TracingOn,
  'tracing status': TracingStatus,
  traffic: Traffic,
  wizard: Wizard,
}

/** @param argv `expose grafana -y`, `cert status` @param adapters those that few commands need: methods of `TelemetryCommand` */
export async function runCommand(argv: string, world: Dependencies, adapters: object = {}): Promise<Outcome> {
  const id = Object.keys(COMMANDS).find((known) => `${argv} `.startsWith(`${known} `)) ?? ''
  const words = argv
    .slice(id.length)
    .split(' ')
    .filter((word) => word !== '')
  const config = Object.create(await configuration()) as Config
  const start = async (command: string, argv: string[] = []) => {
    const Known = COMMANDS[command]
    if (Known === undefined) throw new Error(`no command begins ${argv}`)
    const one = Object.assign(new Known(argv, config), {
      connect: async () => world,
      connectCluster: async () => world,
      sampleFiles: () => SAMPLES,
      ...adapters,
    })
    await (one as unknown as { _run(): Promise<void> })._run()
  }
  // A command that another command runs is in the same world.
  Object.assign(config, { runCommand: start })
  return catching(() => start(id, words))
}

/** Streams and exit code are always restored. */
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
