/** YAML and JSON as kubectl reads them, by Go's YAML 1.1: `yes` is true, a merge key merges, and only the first document counts. Pure. */
import { type Document, isAlias, isMap, isScalar, isSeq, type Node, parseAllDocuments, type Tags } from 'yaml'
import { isMap as isRecord } from '../../shapes.ts'
import { readPlainYaml } from './plain-yaml.ts'

const TAG = 'tag:yaml.org,2002:'

/** Tags of which there is one here, or none: Go leaves times and sexagesimal numbers as texts. The package takes `e2` for a number (yaml 2.9). */
const isOther = (tag: unknown) => {
  if (typeof tag !== 'object' || tag === null) return ['binary', 'merge'].includes(String(tag))
  const { tag: name = '', format = '' } = tag as { tag?: string; format?: string }
  return ['timestamp', 'binary', 'merge'].some((other) => name === TAG + other) || ['TIME', 'EXP'].includes(format)
}

const binary = {
  tag: `${TAG}binary`,
  resolve: (text: string) => Buffer.from(text, 'base64').toString(),
}

/** YAML 1.2 writes it so, and Go reads it, too. */
const octal = {
  default: true,
  tag: `${TAG}int`,
  test: /^[-+]?0[oO][0-7_]+$/,
  resolve: (text: string) => Number(text.replace(/^[-+]|_/g, '').toLowerCase()),
}

const exponent = {
  default: true,
  tag: `${TAG}float`,
  test: /^[-+]?(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)[eE][-+]?\d+$/,
  resolve: (text: string) => {
    const number = Number(text.replaceAll('_', ''))
    return Number.isFinite(number) ? number : text
  },
}

/** Which the package takes for a number. */
const dot = { default: true, tag: `${TAG}str`, test: /^\.$/, resolve: (text: string) => text }

const OPTIONS = {
  version: '1.1',
  uniqueKeys: false,
  prettyErrors: false,
  logLevel: 'silent',
  // `merged` does it.
  merge: false,
  customTags: (tags: Tags): Tags => [dot, ...tags.filter((tag) => !isOther(tag)), binary, octal, exponent],
} as const

/** @throws Error for bytes that are no text, and for texts that are no YAML. The message quotes nothing of the text. */
export function readGoYaml(bytes: Buffer): unknown {
  const text = textOf(bytes)
  // JSON needs no YAML parser, which takes longer to load than many requests.
  if (/^\s*\{/.test(text)) {
    const [value] = jsonIn(text)
    if (value !== undefined) return value
  }
  const plain = readPlainYaml(text)
  if (plain !== undefined) return plain
  const [document] = parsed(text)
  const [error] = document?.errors.filter(({ pos: [at] }) => at < endOf(document)) ?? []
  if (error !== undefined) throw new Error(`it is not YAML (${error.code})`)
  if (document === undefined) return null
  try {
    // For its limit: aliases of aliases of aliases could be more than the memory.
    document.toJS()
  } catch {
    throw new Error('it is not YAML (an alias without an anchor, or too many)')
  }
  return new Values(document).of(document.contents)
}

/** Values as Go makes them: what a merge key merges replaces the fields before it, and the fields after it replace that. */
class Values {
  readonly #document: Document
  /** Undefined while it is being read. */
  readonly #known = new Map<Node, unknown>()

  constructor(document: Document) {
    this.#document = document
  }

  of(node: unknown): unknown {
    if (isScalar(node)) return node.value
    if (isAlias(node)) return this.of(node.resolve(this.#document))
    if (!isMap(node) && !isSeq(node)) return null
    if (!this.#known.has(node)) {
      this.#known.set(node, undefined)
      this.#known.set(node, isSeq(node) ? node.items.map((item) => this.of(item)) : this.#map(node.items))
    }
    const value = this.#known.get(node)
    if (value === undefined) throw new Error('it is not YAML (an anchor that contains itself)')
    return value
  }

  #map(items: { key: unknown; value: unknown }[]): Record<string, unknown> {
    const fields = items.flatMap(({ key, value }) => {
      const read = this.of(value)
      if (!isScalar(key) || key.value !== '<<' || key.type !== 'PLAIN') return [[String(this.of(key)), read] as const]
      // Of several, the first one counts.
      const maps = isSeq(isAlias(value) ? value.resolve(this.#document) : value)
        ? (read as unknown[]).toReversed()
        : [read]
      return maps.flatMap((map) => Object.entries(isRecord(map) ? map : notMergeable()))
    })
    return Object.fromEntries(fields)
  }
}

function notMergeable(): never {
  throw new Error('it is not YAML (a merge key without a map)')
}

/** What comes after a map in braces is not read. */
function endOf({ contents }: Document): number {
  return isMap(contents) && contents.flow === true ? (contents.range?.[1] ?? 0) : Number.POSITIVE_INFINITY
}

function jsonIn(text: string): [unknown?] {
  try {
    return [JSON.parse(text) as unknown]
  } catch {
    return []
  }
}

/** For a change that leaves the rest of the text unchanged. @throws Error as above */
export function textAndDocuments(bytes: Buffer): { text: string; documents: Document[] } {
  const text = textOf(bytes)
  return { text, documents: parsed(text) }
}

/** An empty text has no document, or one that is null. */
function parsed(text: string): Document[] {
  return [...parseAllDocuments(text, OPTIONS)]
}

/** UTF-8, or UTF-16 with a mark, which PowerShell writes. */
function textOf(bytes: Buffer): string {
  const mark = bytes.length > 1 ? bytes.readUInt16BE() : 0
  const encoding = mark === 0xfffe ? 'utf-16le' : mark === 0xfeff ? 'utf-16be' : 'utf-8'
  return lines(decoded(bytes, encoding))
}

function decoded(bytes: Buffer, encoding: string): string {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes)
  } catch {
    throw new Error('it is not a text in UTF-8')
  }
}

/** A carriage return is a line end, too. @throws Error for controls, which YAML has only as escapes */
function lines(text: string): string {
  const isControl = (code: number) => (code < 0x20 && ![9, 10, 13].includes(code)) || code === 0x7f
  if ([...text].some((one) => isControl(one.charCodeAt(0)))) throw new Error('it has control characters')
  return text.includes('\r') ? text.replace(/\r(?!\n)/g, '\n') : text
}
