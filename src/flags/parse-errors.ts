/** Errors of oclif's parser in the words of kubectl telemetry: one sentence, and the command that shows the help. Pure. */
import { EXIT, type UserError, usageError } from '../errors.ts'
import { sh } from '../shell.ts'

/** The fields of oclif's errors that are read here. */
export interface ParseError extends Error {
  oclif?: { exit?: number }
  /** Of a missing argument: its specification. Of an unexpected one: the argument itself. */
  args?: readonly (string | { options?: readonly string[] })[]
}

const MESSAGES: [RegExp, (...groups: string[]) => string][] = [
  [/^Nonexistent flags?: (.*)/, (flags) => `unknown flag: ${flags}`],
  [/^Unexpected arguments?: (.*)/, (words) => `unexpected argument: ${words}`],
  [/^Missing \d+ required args?:\s+(\S+)/, (name) => `an argument is missing: ${name.toUpperCase()}`],
  [/^Flag (\S+) expects a value/, (flag) => `${flag} needs a value`],
  [
    /^Expected (--[a-z-]+)=(.*) to be one of: (.*)/s,
    (flag, value, options) => `${flag} ${value} is not one of ${options}`,
  ],
  [/^Expected (.*) to be one of: (.*)/s, (word, options) => `${word} is not one of ${options}`],
]

const CONSTRAINTS: [RegExp, string][] = [
  [/(--[a-z-]+)=\S+ cannot also be provided when using (--[a-z-]+)/g, '$1 and $2 exclude each other'],
  [/All of the following must be provided when using (--[a-z-]+): (--[a-z-]+(?:, --[a-z-]+)*)/g, '$1 needs $2'],
]

/** @param id of the command, such as `cert:export`; @returns undefined for an error that is not about flags and arguments */
export function usageErrorOf(error: ParseError, id: string): UserError | undefined {
  if (error.oclif?.exit !== EXIT.usage) return undefined
  const command = sh`kubectl telemetry ${id.split(':')}`
  const [missing] = error.args ?? []
  const options = typeof missing === 'object' ? missing.options : undefined
  if (options !== undefined) {
    const message = `an argument is missing: one of ${options.join(', ')}`
    return usageError('USAGE', message, [`${command} ${options[0]}`, `${command} --help`])
  }
  return usageError('USAGE', sentenceOf(error.message), [`${command} --help`])
}

/** @returns undefined for an error that is not about an unknown command */
export function unknownCommand(error: Error): UserError | undefined {
  const [, id] = /^command (\S+) not found/.exec(error.message) ?? []
  if (id === undefined) return undefined
  return usageError('USAGE', `there is no command "${id.replaceAll(':', ' ')}"`, ['kubectl telemetry --help'])
}

function sentenceOf(message: string): string {
  const [text = ''] = message.split('\nSee more help')
  for (const [pattern, words] of MESSAGES) {
    const [whole, ...groups] = pattern.exec(text) ?? []
    if (whole !== undefined) return words(...groups)
  }
  const reasons = text.replace(/^The following errors? occurred:\s*/, '').split(/\s*\n\s*/)
  const sentences = reasons.map((reason) =>
    CONSTRAINTS.reduce((rest, [pattern, words]) => rest.replace(pattern, words), reason.trim()),
  )
  return [...new Set(sentences)].join('; ')
}
