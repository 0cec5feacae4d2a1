/**
 * Where a run of the built plugin begins. A command runs by itself: oclif parses its flags as ever, but looks for no plugins, hooks and
 * topics, of which there are none, and which takes longer than anything else before the first request.
 */
import { generateKeyPair } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Config } from '@oclif/core'
import { guarded } from './guarded.ts'
import type { TelemetryCommand } from './telemetry-command.ts'

/** A word of a command's name; no path is in it. */
const WORD = /^[a-z][a-z-]*$/

/** @returns what the command may be called, the longest name first; none when help is wanted */
export function candidates(words: readonly string[]): string[][] {
  const end = words.indexOf('--')
  const meant = end < 0 ? words : words.slice(0, end)
  if (meant.includes('--help') || meant.includes('-h')) return []
  const [first = '', second = ''] = meant
  if (!WORD.test(first)) return []
  return WORD.test(second) ? [[first, second], [first]] : [[first]]
}

/**
 * @param dist the directory that `npm run build` made
 * @param require loads a file of it
 */
export async function start(words: string[], dist: string, require: (file: string) => unknown): Promise<void> {
  const load = (name: string[]) => {
    const file = `${join(dist, 'commands', ...name)}.cjs`
    if (!existsSync(file)) return undefined
    wakeOpenssl()
    return (require(file) as { default: CommandClass }).default
  }
  for (const name of candidates(words)) {
    const run = alone(name, words.slice(name.length), load)
    if (run !== undefined) return guarded(run)
  }
  const { main } = require(join(dist, 'main.cjs')) as { main(root: URL): Promise<void> }
  return main(pathToFileURL(join(dist, '/')))
}

/**
 * OpenSSL reads its algorithms when it is first asked for a key or certificate, 6 ms for the first TLS context: another thread does it
 * while this one loads the command.
 */
function wakeOpenssl(): void {
  const encoding = {
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  } as const
  try {
    generateKeyPair('ed25519', encoding, () => {})
  } catch {
    // An OpenSSL of its own that has no such keys; the first TLS context takes longer then.
  }
}

type CommandClass = {
  id: string
  new (words: string[], config: Config): TelemetryCommand
}

/** @returns the command of that name: `['cert', 'status']`; undefined when there is none */
type LoadCommand = (name: string[]) => CommandClass | undefined

/** @param load for commands that have another one carried out. @returns undefined when there is no such command */
function alone(name: string[], words: string[], load: LoadCommand): (() => Promise<void>) | undefined {
  const Found = load(name)
  if (Found === undefined) return undefined
  Found.id = name.join(':')
  const config = new AloneConfig(async (id, more) => alone(id.split(':'), more, load)?.())
  return () => new Found(words, config).runAlone()
}

/** What a command asks oclif's configuration for. */
class AloneConfig extends Config {
  override bin = 'kubectl telemetry'
  readonly #runCommand: (id: string, words: string[]) => Promise<void>

  constructor(runCommand: (id: string, words: string[]) => Promise<void>) {
    super({ root: '' })
    this.#runCommand = runCommand
  }

  override async runHook(): Promise<{ successes: []; failures: [] }> {
    return { successes: [], failures: [] }
  }

  override async runCommand<T>(id: string, words: string[] = []): Promise<T> {
    return (await this.#runCommand(id, words)) as T
  }
}
