/** Edits a YAML text at some places; every other byte stays. Pure. */
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
import { whyNotParsed } from '../yaml-reading.ts'

/** Removes a number of characters at an offset, and inserts others. */
export interface Splice {
  at: number
  remove: number
  insert: string
}

/**
 * The first document of a text. Go programs read only that one.
 * @param what `prometheus.yml in ConfigMap monitoring/prometheus`
 * @throws UserError YAML_INVALID with line and column
 */
export function parsed(text: string, what: string): Document.Parsed {
  const [document] = documentsOf(text, what)
  const first: Document.Parsed = document ?? parseDocument('')
  const [error] = first.errors
  if (error === undefined) return first
  const { line, column } = placeOf(text, error.pos[0])
  throw yamlInvalid(what, `line ${line}, column ${column}: ${error.message}`)
}

/** Where the first document ends: the end of the text, if there is no other. */
export function endOfFirst(text: string, what: string): number {
  const [first, second] = documentsOf(text, what)
  return second === undefined ? text.length : (first?.range[2] ?? text.length)
}

/** The documents of the last few texts: each edit compares the texts before and after it, and a long one takes seconds. */
const read = new Map<string, Document.Parsed[]>()
const REMEMBERED = 3

/** Nobody writes into the documents. */
function documentsOf(text: string, what: string): Document.Parsed[] {
  const known = read.get(text)
  if (known !== undefined) return known
  const why = whyNotParsed(text)
  if (why !== undefined) throw yamlInvalid(what, why)
  const documents = readable(what, () => [
    ...parseAllDocuments(text, { keepSourceTokens: true, merge: true, prettyErrors: false }),
  ])
  const [oldest] = read.keys()
  if (read.size === REMEMBERED && oldest !== undefined) read.delete(oldest)
  read.set(text, documents)
  return documents
}

/** The values of a document. @throws UserError YAML_INVALID if aliases multiply them beyond measure */
export function valuesOf(document: Document, what: string): unknown {
  return readable(what, () => document.toJS() as unknown)
}

/**
 * Reads a text that anybody may have written: it may be nested too deeply for the parser, and its aliases may refer to too many values.
 * @throws UserError YAML_INVALID
 */
export function readable<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof UserError) throw error
    throw yamlInvalid(what, error instanceof RangeError ? 'it is nested too deeply' : firstLine(error))
  }
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n')[0] ?? ''
}

/** @param what `prometheus.yml in ConfigMap monitoring/prometheus` */
export function yamlInvalid(what: string, why: string): UserError {
  return new UserError('YAML_INVALID', `${what} cannot be read: ${why}`, {
    suggestions: ['fix it there; nothing was changed'],
  })
}

export function spliced(text: string, splices: Splice[]): string {
  return splices
    .toSorted((a, b) => b.at - a.at)
    .reduce((rest, { at, remove, insert }) => rest.slice(0, at) + insert + rest.slice(at + remove), text)
}

/** The line ending of a text. */
export function lineEndOf(text: string): string {
  return /\r\n/.test(text) ? '\r\n' : '\n'
}

/** An item of a list as text. */
export interface ItemText {
  /** Its lines, for a block list. */
  lines: string[]
  /** The same in braces. */
  flow: string
}

/** Inserts a new first item into a list. */
export function intoList(text: string, list: YAMLSeq, { lines: block, flow }: ItemText): Splice {
  const [first] = dashes(list)
  if (list.flow || first === undefined) {
    const at = openingOf(list) + 1
    return { at, remove: 0, insert: list.items.length === 0 ? flow : `${flow}, ` }
  }
  const column = first - lineStart(text, first)
  const at = aboveComments(text, lineStart(text, first))
  return { at, remove: 0, insert: indented(block, column, lineEndOf(text)) }
}

/** Inserts a new last item into a list. */
export function atEndOfList(text: string, list: YAMLSeq, item: ItemText): Splice {
  const first = dashes(list)[0]
  const last = list.items.at(-1)
  if (last === undefined) return intoList(text, list, item)
  if (list.flow || first === undefined) {
    const at = closingOf(list)
    const comma = text.slice(0, at).trimEnd().endsWith(',') ? ' ' : ', '
    return { at, remove: 0, insert: `${comma}${item.flow}` }
  }
  const at = lineAfter(text, rangeOf(last)[1])
  const lines = indented(item.lines, first - lineStart(text, first), lineEndOf(text))
  return { at, remove: 0, insert: isUnended(text, at) ? lineEndOf(text) + lines : lines }
}

/** Inserts a new field after the first one of a map. */
export function intoMap(text: string, map: YAMLMap, block: string[], flow: string): Splice {
  const [first] = map.items
  if (map.flow || first === undefined) {
    const insert = map.items.length === 0 ? flow : `${flow}, `
    return { at: openingOf(map) + 1, remove: 0, insert }
  }
  const key = rangeOf(first.key)[0]
  const at = lineAfter(text, endOf(first))
  const lines = indented(block, key - lineStart(text, key), lineEndOf(text))
  return { at, remove: 0, insert: isUnended(text, at) ? lineEndOf(text) + lines : lines }
}

/** Whether the last line of a text has no end. */
function isUnended(text: string, at: number): boolean {
  return at === text.length && at > 0 && text[at - 1] !== '\n'
}

/** Replaces an empty value (`key:`, `key: null`) by a list. */
export function inPlaceOfNull(pair: Pair, flow: string): Splice {
  const [from, to] = isScalar(pair.value) && pair.value.range ? pair.value.range : [colonOf(pair), colonOf(pair)]
  const at = Math.max(colonOf(pair), from === to ? colonOf(pair) : from)
  return { at, remove: Math.max(0, to - at), insert: from === to ? ` [${flow}]` : `[${flow}]` }
}

/** Removes the n-th item, and the comment lines above it that match `marks`. */
export function outOfList(text: string, list: YAMLSeq, index: number, marks: RegExp): Splice | undefined {
  if (list.flow) return outOfFlow(list, text, index)
  const dash = dashes(list)[index]
  if (dash === undefined) return undefined
  const at = aboveComments(text, lineStart(text, dash), marks)
  return { at, remove: lineAfter(text, rangeOf(list.items[index])[1]) - at, insert: '' }
}

/** Removes the n-th item of a list in brackets, with the comma after it or, if it is the last one, before it. */
function outOfFlow({ items }: YAMLSeq, text: string, index: number): Splice | undefined {
  const [from, to] = rangeOf(items[index])
  const comma = /^\s*,[ \t]*/.exec(text.slice(to))?.[0] ?? ''
  if (items[index + 1] !== undefined)
    return comma === '' ? undefined : { at: from, remove: to + comma.length - from, insert: '' }
  const before = index === 0 ? from : rangeOf(items[index - 1])[1]
  return /^[\s,]*$/.test(text.slice(before, from)) ? { at: before, remove: to - before, insert: '' } : undefined
}

/** Removes a field of a map. @returns undefined if it is on the line of a list's dash */
export function outOfMap(text: string, map: YAMLMap, pair: Pair, marks: RegExp): Splice | undefined {
  const key = rangeOf(pair.key)[0]
  const start = lineStart(text, key)
  if (map.flow || text.slice(start, key).trim() !== '') return undefined
  const at = aboveComments(text, start, marks)
  return { at, remove: lineAfter(text, endOf(pair)) - at, insert: '' }
}

/** The field of a map, own or from a merge (`<<`). */
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

/** The node that an alias refers to. */
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

function closingOf({ srcToken, range }: YAMLSeq): number {
  const token =
    srcToken?.type === 'flow-collection' ? srcToken.end.find(({ type }) => type === 'flow-seq-end') : undefined
  return token?.offset ?? (range?.[1] ?? 1) - 1
}

function colonOf({ srcToken, key }: Pair): number {
  const colon = srcToken?.sep?.find(({ type }) => type === 'map-value-ind')
  return colon === undefined ? rangeOf(key)[1] : colon.offset + 1
}

function endOf(pair: Pair): number {
  return pair.value === null ? colonOf(pair) : Math.max(colonOf(pair), rangeOf(pair.value)[1])
}

function rangeOf(node: unknown): [number, number, number] {
  return (node as { range?: [number, number, number] } | undefined)?.range ?? [0, 0, 0]
}

/** The start of the comments directly above a line: they belong to it. */
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

/** The start of the next line; the end of the text if there is none. */
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
