/** Runs kubectl and our plugin with the same kubeconfig and environment, and compares what servers and users see. */
import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { World } from './world.ts'

/** How a row is set up. */
export interface Setup {
  /** Written to a file that $KUBECONFIG names; as text, or as an object. */
  config?: string | object
  environment?: NodeJS.ProcessEnv
  /** Flags of both. */
  flags?: string[]
  /** A command that runs the program: `unshare …`. */
  within?: string[]
  input?: string
  /** Files whose content afterwards has to be the same, or parts of them. */
  after?: (world: World) => string
  /** The lines of stderr that both have to show. */
  shown?: RegExp
}

export interface Row {
  name: string
  prepare(world: World): Promise<Setup> | Setup
  /** Why we differ on purpose. */
  differs?: string
  /** The command of ours, if not `status`. */
  command?: string[]
}

/** What a run did. */
export interface Seen {
  asked: string[]
  ways: string[]
  /** Whether anything connected to the API server. */
  connected: boolean
  outcome: 'answered' | 'unauthenticated' | 'not answered'
  after: string
  shown: string[]
}

export interface Programs {
  kubectl: string
  plugin: string
  /** Of compiled code, shared by all runs. */
  cache: string
}

export interface Compared {
  kubectl: Seen
  plugin: Seen
  /** What both printed, for a person who looks into a difference. */
  texts: { kubectl: string; plugin: string }
}

export async function compare(row: Row, programs: Programs): Promise<Compared> {
  const runs = { kubectl: [programs.kubectl, 'version'], plugin: [programs.plugin, ...(row.command ?? ['status'])] }
  const seen: Partial<Record<'kubectl' | 'plugin', Seen>> = {}
  const texts = { kubectl: '', plugin: '' }
  for (const who of ['kubectl', 'plugin'] as const) {
    // A world for each: a row may change its files.
    const world = await World.create()
    try {
      const setup = await row.prepare(world)
      const { code, text } = await run(runs[who], setup, { world, programs })
      texts[who] = `exit ${code}\n${text}`
      seen[who] = observe(world, setup, text)
    } finally {
      await world.end()
    }
  }
  return { kubectl: seen.kubectl as Seen, plugin: seen.plugin as Seen, texts }
}

/** Milliseconds, longer than any run that ends by itself. */
export const LONGEST_RUN = 60_000

interface Place {
  world: World
  programs: Programs
}

function run(command: string[], setup: Setup, { world, programs }: Place): Promise<{ code: number; text: string }> {
  const { config, environment = {}, flags = [], within = [], input } = setup
  const file = config === undefined ? undefined : world.write('config', config)
  const [program = '', ...words] = [...within, ...command, ...flags]
  const env = {
    PATH: `${world.path('bin')}:${process.env.PATH}`,
    HOME: world.directory,
    XDG_CACHE_HOME: programs.cache,
    ...(file === undefined ? {} : { KUBECONFIG: file }),
    ...environment,
  }
  const child = spawn(program, words, { env, cwd: world.directory, timeout: LONGEST_RUN, killSignal: 'SIGKILL' })
  child.stdin.on('error', () => {}).end(input ?? '')
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (part: string) => {
      text += part
    })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      // What it would have done is not known, and must not count as "not answered".
      if (child.killed) reject(new Error(`${command.join(' ')} did not end by itself:\n${text}`))
      else resolve({ code: code ?? -1, text })
    })
  })
}

function observe(world: World, { after, shown }: Setup, text: string): Seen {
  // Ports and directories differ between the two runs, and capitals in names of hosts do not count.
  const same = (line: string) =>
    line
      .replaceAll(world.directory, 'DIRECTORY')
      .replace(/:\d{4,5}\b/g, ':PORT')
      .replaceAll('LOCALHOST', 'localhost')
  return {
    asked: [...world.asked].map(same).sort(),
    // Where kubectl asks if a kubeconfig names no server. Nothing listens there.
    ways: [...world.ways, ...(text.match(/localhost:8080/) ?? [])].map(same).sort(),
    connected: world.connected,
    outcome: outcomeOf(world),
    after: same(after?.(world) ?? ''),
    shown: shown === undefined ? [] : [...new Set(text.match(new RegExp(shown.source, 'gm')) ?? [])].map(same).sort(),
  }
}

function outcomeOf({ asked, statuses }: World): Seen['outcome'] {
  if (asked.size === 0) return 'not answered'
  return statuses.at(-1) === 401 ? 'unauthenticated' : 'answered'
}

/** Removes what a run may have left behind. */
export function removeCache({ cache }: Programs): void {
  rmSync(cache, { recursive: true, force: true })
}
