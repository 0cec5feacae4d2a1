/** A command line as kubectl reads it: a flag may be repeated, and a flag without a value may have `=true` or `=false`. Pure. */

/** What is asked of a flag's definition. */
export interface FlagForm {
  type: string
  char?: string
  multiple?: boolean
}

/** Values of Go's strconv.ParseBool. */
const TRUE = ['1', 't', 'T', 'TRUE', 'true', 'True']
const FALSE = ['0', 'f', 'F', 'FALSE', 'false', 'False']

/**
 * The last of repeated flags counts: an alias often has one already (`alias k='kubectl --context staging'`).
 * @returns the words without the others, as oclif reads them
 */
export function kubectlWords(words: readonly string[], flags: Record<string, FlagForm>): string[] {
  const end = words.indexOf('--')
  const groups = grouped(end < 0 ? words : words.slice(0, end), flagsByName(flags))
  const last = new Map(groups.map(({ flag }, index) => [flag, index]))
  const kept = groups.filter(({ flag, isFalse }, index) => (flag === undefined || last.get(flag) === index) && !isFalse)
  return [...kept.flatMap((group) => group.words), ...(end < 0 ? [] : words.slice(end))]
}

interface Named {
  flag: string
  hasValue: boolean
}

/** Flags with at most one value, by their long and short names. */
function flagsByName(flags: Record<string, FlagForm>): Map<string, Named> {
  const found = new Map<string, Named>()
  for (const [flag, { type, char, multiple }] of Object.entries(flags)) {
    if (multiple === true) continue
    const named = { flag, hasValue: type === 'option' }
    found.set(`--${flag}`, named)
    if (char !== undefined) found.set(`-${char}`, named)
  }
  return found
}

interface Group {
  flag?: string
  words: string[]
  isFalse?: boolean
}

/** Each flag with its value. */
function grouped(words: readonly string[], names: Map<string, Named>): Group[] {
  const groups: Group[] = []
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? ''
    const written = word.startsWith('--') ? (word.split('=')[0] ?? '') : word.slice(0, 2)
    const named = names.get(written)
    if (named?.hasValue !== true) groups.push(switchOf(word, written, named))
    else groups.push({ flag: named.flag, words: word === written ? words.slice(at, ++at + 1) : [word] })
  }
  return groups
}

/** A flag without a value, or any other word. Short flags may be written as one word, `-Av`. */
function switchOf(word: string, written: string, named: Named | undefined): Group {
  const value = word.slice(written.length + 1)
  const isAssigned = named !== undefined && word.startsWith(`${written}=`)
  if (named === undefined || (word !== written && !isAssigned)) return { words: [word] }
  if (isAssigned && FALSE.includes(value)) return { flag: named.flag, words: [], isFalse: true }
  return { flag: named.flag, words: [isAssigned && TRUE.includes(value) ? written : word] }
}
