/** Where a run of the built plugin begins. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { alone, type CommandClass } from './alone.ts'
import { guarded } from './guarded.ts'

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
    return existsSync(file) ? (require(file) as { default: CommandClass }).default : undefined
  }
  for (const name of candidates(words)) {
    const run = alone(name, words.slice(name.length), load)
    if (run !== undefined) return guarded(run)
  }
  const { main } = require(join(dist, 'main.cjs')) as { main(root: URL): Promise<void> }
  return main(pathToFileURL(join(dist, '/')))
}
