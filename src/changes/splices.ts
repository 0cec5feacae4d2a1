/** Changes a YAML text at some places and leaves every other byte alone. Pure. */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Pair,
  parseAllDocuments,
  parseDocument,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'
import { UserError } from '../errors.ts'

/** So many characters at an offset go, and others come. */
export interface Splice {
  at: number
  remove: number
  insert: string
}

/**
 * The first document of a text, which is the one that Go programs read.
 * @param what `prometheus.yml in ConfigMap monitoring/prometheus`
 * @throws UserError YAML_INVALID with line and column
 */
export function parsed(text: string, what: string): Document.Parsed {
  const [document] = parseAllDocuments(text, { keepSourceTokens: true, merge: true, prettyErrors: false })
  const first: Document.Parsed = document ?? parseDocument('')
  const [error] = first.errors
  if (error === undefined) return first
  const { line, column } = placeOf(text, error.pos[0])
  throw new UserError('YAML_INVALID', `${what} cannot be read: line ${line}, column ${column}: ${error.message}`, {
    suggestions: ['mend it there; nothing was changed'],
  })
}

export function spliced(text: string, splices: Splice[]): string {
  return splices
    .toSorted((a, b) => b.at - a.at)
    .reduce((rest, { at, remove, insert }) => rest.slice(0, at) + insert + rest.slice(at + remove), text)
}

/** How lines end in it. */
export function lineEndOf(text: string): string {
  return /\r\n/.test(text) ? '\r\n' : '\n'
}

/** A new item at the head of a list. @param block its lines, for a list in lines; @param flow the same in braces */
export function intoList(text: string, list: YAMLSeq, block: string[], flow: string): Splice {
  const [first] = dashes(list)
  if (list.flow || first === undefined) {
    const at = openingOf(list) + 1
    return { at, remove: 0, insert: list.items.length === 0 ? flow : `${flow}, ` }
  }
  const column = first - lineStart(text, first)
  const at = aboveComments(text, lineStart(text, first))
  return { at, remove: 0, insert: indented(block, column, lineEndOf(text)) }
}

/** A new field, after the first one of a map. */
export function intoMap(text: string, map: YAMLMap, block: string[], flow: string): Splice {
  const [first] = map.items
  if (map.flow || first === undefined) {
    const insert = map.items.length === 0 ? flow : `${flow}, `
    return { at: openingOf(map) + 1, remove: 0, insert }
  }
  const key = rangeOf(first.key)[0]
  const at = lineAfter(text, endOf(first))
  const lines = indented(block, key - lineStart(text, key), lineEndOf(text))
  const unended = at === text.length && at > 0 && text[at - 1] !== '\n'
  return { at, remove: 0, insert: unended ? lineEndOf(text) + lines : lines }
}

/** A list in the place of nothing (`key:`, `key: null`). */
export function inPlaceOfNull(pair: Pair, flow: string): Splice {
  const [from, to] = isScalar(pair.value) && pair.value.range ? pair.value.range : [colonOf(pair), colonOf(pair)]
  const at = Math.max(colonOf(pair), from === to ? colonOf(pair) : from)
  return { at, remove: Math.max(0, to - at), insert: from === to ? ` [${flow}]` : `[${flow}]` }
}

/** The n-th item goes, with comment lines above it that `marks` says are ours. */
export function outOfList(text: string, list: YAMLSeq, index: number, marks: RegExp): Splice | undefined {
  const dash = dashes(list)[index]
  if (list.flow || dash === undefined) return undefined
  const at = aboveComments(text, lineStart(text, dash), marks)
  return { at, remove: lineAfter(text, rangeOf(list.items[index])[1]) - at, insert: '' }
}

/** A field of a map goes, unless it is the first one on the line of a list's dash. */
export function outOfMap(text: string, map: YAMLMap, pair: Pair, marks: RegExp): Splice | undefined {
  const key = rangeOf(pair.key)[0]
  const start = lineStart(text, key)
  if (map.flow || text.slice(start, key).trim() !== '') return undefined
  const at = aboveComments(text, start, marks)
  return { at, remove: lineAfter(text, endOf(pair)) - at, insert: '' }
}

/** The field of a map, also one that a merge (`<<`) brings. */
export function fieldOf(document: Document, map: YAMLMap, name: string): Pair | undefined {
  const own = map.items.find(({ key }) => isScalar(key) && key.value === name)
  if (own !== undefined) return own
  const merges = map.items.filter(({ key }) => isScalar(key) && String(key.source ?? key.value?.toString()) === '<<')
  const merged = merges.flatMap(({ value }) => (isSeq(value) ? value.items : [value]))
  for (const one of merged) {
    const source = isAlias(one) ? one.resolve(document) : one
    const found = isMap(source) ? fieldOf(document, source, name) : undefined
    if (found !== undefined) return found
  }
  return undefined
}

/** What an alias stands for. */
export function resolved(document: Document, node: unknown): unknown {
  return isAlias(node) ? node.resolve(document) : node
}

function dashes({ srcToken }: YAMLSeq): number[] {
  if (srcToken?.type !== 'block-seq') return []
  return srcToken.items.flatMap(({ start }) => start.find(({ type }) => type === 'seq-item-ind')?.offset ?? [])
}

function openingOf({ srcToken, range }: YAMLSeq | YAMLMap): number {
  return srcToken?.type === 'flow-collection' ? srcToken.start.offset : (range?.[0] ?? 0)
}

function colonOf({ srcToken, key }: Pair): number {
  const colon = srcToken?.sep?.find(({ type }) => type === 'map-value-ind')
  return colon === undefined ? rangeOf(key)[1] : colon.offset + 1
}

function endOf(pair: Pair): number {
  return pair.value === null ? colonOf(pair) : Math.max(colonOf(pair), rangeOf(pair.value)[1])
}

function rangeOf(node: unknown): [number, number, number] {
  return (node as { range?: [number, number, number] }).range ?? [0, 0, 0]
}

/** Comments directly above belong to what they are above. */
function aboveComments(text: string, from: number, marks = /^\s*#/): number {
  let at = from
  while (at > 0) {
    const start = lineStart(text, at - 1)
    if (!marks.test(text.slice(start, at))) break
    at = start
  }
  return at
}

function lineStart(text: string, offset: number): number {
  return text.lastIndexOf('\n', offset - 1) + 1
}

/** Where the line after this place begins; the text's end when there is none. */
function lineAfter(text: string, offset: number): number {
  if (offset > 0 && text[offset - 1] === '\n') return offset
  const end = text.indexOf('\n', offset)
  return end < 0 ? text.length : end + 1
}

function indented(lines: string[], column: number, end: string): string {
  return lines.map((line) => `${' '.repeat(column)}${line}${end}`).join('')
}

function placeOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset).split('\n')
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }
}
