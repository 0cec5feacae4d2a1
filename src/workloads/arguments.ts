/** Pure: flags in the command line of a container. */
import type { Container } from '../cluster/objects.ts'

/** The value of `--NAME=VALUE` or `--NAME VALUE`, as Go programs read flags: one dash is enough, and the last one counts. */
export function flagOf(container: Container, name: string): string | undefined {
  const words = wordsOf(container)
  const forms = [`--${name}`, `-${name}`]
  const index = words.findLastIndex((word) => forms.some((form) => word === form || word.startsWith(`${form}=`)))
  const found = words[index]
  return found?.includes('=') ? found.slice(found.indexOf('=') + 1) : found && words[index + 1]
}

/** Flags may be in `command` or in `args`, or in a line for a shell. */
export function wordsOf({ command = [], args = [] }: Container): string[] {
  return [...command, ...args].flatMap((word) => (/\s--[a-z]/.test(word) ? word.split(/\s+/).map(unquoted) : [word]))
}

function unquoted(word: string): string {
  return word.replace(/["']/g, '')
}
