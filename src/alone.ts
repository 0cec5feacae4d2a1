/**
 * A command by itself: oclif parses its flags as ever, but looks for no plugins, hooks and topics, of which there are none, and which
 * takes longer than anything else before the first request.
 */
import { Config } from '@oclif/core'
import type { TelemetryCommand } from './base-command.ts'

export type CommandClass = {
  id: string
  new (words: string[], config: Config): TelemetryCommand
}

/** @returns the command of that name: `['cert', 'status']`; undefined when there is none */
export type LoadCommand = (name: string[]) => CommandClass | undefined

/** @param load for commands that have another one carried out. @returns undefined when there is no such command */
export function alone(name: string[], words: string[], load: LoadCommand): (() => Promise<void>) | undefined {
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
