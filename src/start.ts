/**
 * Starts the built plugin. A command runs directly: oclif parses its flags, but does not search for plugins, hooks and topics. There are
 * none, and the search would be the slowest part before the first request.
 */
import { generateKeyPair } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Config } from '@oclif/core'
import type { BaseCommand } from './base-command.ts'
import { guarded } from './guarded.ts'

/** A word of a command's name; it cannot contain a path. */
const WORD = /^[a-z][a-z-]*$/

/** @returns possible names of the command, the longest first; none with --help */
export function candidates(words: readonly string[]): string[][] {
  const end = words.indexOf('--')
  const before = end < 0 ? words : words.slice(0, end)
  if (before.includes('--help') || before.includes('-h')) return []
  const [first = '', second = ''] = before
  if (!WORD.test(first)) return []
  return WORD.test(second) ? [[first, second], [first]] : [[first]]
}

/**
 * @param dist the directory that `npm run build` writes
 * @param require loads a file from it
 */
export async function start(words: string[], dist: string, require: (file: string) => unknown): Promise<void> {
  const load = (name: string[]) => {
    const file = `${join(dist, 'commands', ...name)}.cjs`
    if (!existsSync(file)) return undefined
    warmOpenssl()
    return (require(file) as { default: CommandClass }).default
  }
  for (const name of candidates(words)) {
    const run = directRun(name, words.slice(name.length), load)
    if (run !== undefined) return guarded(run)
  }
  const { main } = require(join(dist, 'main.cjs')) as { main(root: URL): Promise<void> }
  return main(pathToFileURL(join(dist, '/')))
}

/**
 * OpenSSL loads its algorithms with the first key or certificate, which adds 6 ms to the first TLS context. Another thread does it while
 * this one loads the command.
 */
function warmOpenssl(): void {
  const encoding = {
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  } as const
  try {
    generateKeyPair('ed25519', encoding, () => {})
  } catch {
    // Another build of OpenSSL may not support these keys; then the first TLS context is slower.
  }
}

type CommandClass = {
  id: string
  new (words: string[], config: Config): BaseCommand
}

/** @returns the command with this name: `['cert', 'status']`; undefined if it does not exist */
type LoadCommand = (name: string[]) => CommandClass | undefined

/** @param load also for commands that run another one. @returns undefined if the command does not exist */
function directRun(name: string[], words: string[], load: LoadCommand): (() => Promise<void>) | undefined {
  const Found = load(name)
  if (Found === undefined) return undefined
  Found.id = name.join(':')
  const config = new DirectConfig(async (id, more) => directRun(id.split(':'), more, load)?.())
  return () => new Found(words, config).runDirectly()
}

/** The part of oclif's configuration that commands use. */
class DirectConfig extends Config {
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
