/** Pure: reads the options of a bench. */
import { parseArgs } from 'node:util'

export interface Options {
  only: string[]
  tools: string[]
  rounds: number
}

/**
 * `--only a,b --tools c,d --rounds N`.
 * @throws TypeError for an unknown option or name
 */
export function parseOptions(words: string[], sections: readonly string[], tools: readonly string[]): Options {
  const { values } = parseArgs({
    args: words,
    options: {
      only: { type: 'string', default: sections.join(',') },
      tools: { type: 'string', default: tools.join(',') },
      rounds: { type: 'string', default: '3' },
    },
  })
  const rounds = Number(values.rounds)
  if (!Number.isInteger(rounds) || rounds < 1) throw new TypeError(`--rounds ${values.rounds}: a number from 1`)
  return { only: chosen('only', values.only, sections), tools: chosen('tools', values.tools, tools), rounds }
}

/** Selects names, in the order of the known ones. */
function chosen(option: string, value: string, known: readonly string[]): string[] {
  // A bench without sections or tools has none to choose.
  const names = value === '' && known.length === 0 ? [] : value.split(',')
  const strange = names.find((name) => !known.includes(name))
  if (strange !== undefined) throw new TypeError(`--${option} ${strange}: some of ${known.join(',')}`)
  return known.filter((name) => names.includes(name))
}
