/** The files of src as text, and what they import: pure. */
import { dirname, join } from 'node:path'

/** File (relative to src) → its text. */
export type Sources = ReadonlyMap<string, string>

/** One import: of one of our files (relative to src), or of a package. */
export interface Import {
  target: string
  own: boolean
  /** `import type`, or only names marked `type`. */
  typeOnly: boolean
  /** The names, as the imported file calls them. Empty for `import()`. */
  names: string[]
}

const STATEMENT = /\b(?:import|export)\s+(type\s+)?(?:([\w*\s{},]+?)\s+from\s+)?'([^']+)'|\bimport\('([^']+)'\)/g

export function importsOf(file: string, text: string): Import[] {
  return [...text.matchAll(STATEMENT)].map(([, type, clause = '', from, dynamic]) => {
    const specifier = from ?? dynamic ?? ''
    const own = specifier.startsWith('.')
    const words = clause.replace(/[{}]/g, '').split(',')
    const named = words.map((word) => word.trim()).filter((word) => word !== '')
    return {
      target: own ? join(dirname(file), specifier) : specifier,
      own,
      typeOnly: type !== undefined || (named.length > 0 && named.every((word) => word.startsWith('type '))),
      names: named.map((word) => word.replace(/^type /, '').split(' as ')[0] ?? ''),
    }
  })
}

/** The room of a file: its first folder, or its own name at the top of src. */
export function roomOf(file: string): string {
  return (file.split('/')[0] ?? '').replace(/\.ts$/, '')
}

/** A name that a file exports, and whether it is a type. */
export interface Exported {
  name: string
  isType: boolean
}

export function exportsOf(text: string): Exported[] {
  const declared = /^export (?:abstract )?(?:async )?(function\*?|const|let|class|interface|type) (\w+)/gm
  return [...text.matchAll(declared)].map(([, kind = '', name = '']) => ({ name, isType: /interface|type/.test(kind) }))
}

const FUNCTION =
  /(?:\bfunction\*? (\w+)(?:<[^(]*?>)?|^ {2}(?:(?:static|async|override|protected|private) )*(#?\w+)|\bconst (\w+)(?:: [^=]+)? = (?:async )?)\(/gm
const STATEMENTS = ['if', 'for', 'while', 'switch', 'catch', 'return']

/** Named functions and methods, and how many parameters each has. */
export function parameterCounts(text: string): { name: string; parameters: number }[] {
  const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
  return [...code.matchAll(FUNCTION)].flatMap((match) => {
    const name = match[1] ?? match[2] ?? match[3] ?? ''
    const parameters = partsOf(code.slice(match.index + match[0].length))
    return STATEMENTS.includes(name) ? [] : [{ name, parameters }]
  })
}

const NESTED = /[([{<][^()[\]{}<>]*[)\]}>]/g

/** How many parts the commas make of a text, up to the parenthesis that closes it. */
function partsOf(text: string): number {
  let list = text.slice(0, closingOf(text)).replaceAll('=>', '')
  for (let before = ''; before !== list; ) [before, list] = [list, list.replace(NESTED, '-')]
  return list.split(',').filter((part) => part.trim() !== '').length
}

function closingOf(text: string): number {
  let depth = 0
  return [...text].findIndex((character) => {
    if (character === '(') depth++
    if (character === ')') depth--
    return depth < 0
  })
}

/** Fields of interfaces whose name ends with Plan that can be written, or whose list can. */
export function writableFields(text: string): string[] {
  const plans = [...text.matchAll(/^(?:export )?interface (\w*Plan)\b[^{]*\{\n([\s\S]*?)^\}/gm)]
  return plans.flatMap(([, name = '', body = '']) =>
    [...body.matchAll(/^ {2}(readonly )?(\w+)\??: (.*)$/gm)]
      .filter(([, readonly, , type = '']) => readonly === undefined || /^(?!readonly )[\w.]+\[\]/.test(type))
      .map(([, , field]) => `${name}.${field}`),
  )
}
