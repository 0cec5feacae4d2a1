/** YAML and JSON as kubectl reads them, by Go's YAML 1.1: `yes` is true, a merge key merges, and only the first document counts. Pure. */
import { type Document, isMap, parseAllDocuments, type Tags } from 'yaml'
import { readPlainYaml } from './plain-yaml.ts'

const TAG = 'tag:yaml.org,2002:'

/** Go leaves times and sexagesimal numbers as texts. The package takes `e2` for a number (yaml 2.9). */
const isOther = (tag: unknown) =>
  typeof tag === 'object' &&
  tag !== null &&
  ((tag as { tag?: string }).tag === `${TAG}timestamp` ||
    ['TIME', 'EXP'].includes((tag as { format?: string }).format ?? ''))

const binary = {
  tag: `${TAG}binary`,
  resolve: (text: string) => Buffer.from(text, 'base64').toString(),
}

/** YAML 1.2 writes it so, and Go reads it, too. */
const octal = {
  default: true,
  tag: `${TAG}int`,
  test: /^[-+]?0o[0-7_]+$/,
  resolve: (text: string) => Number(text.replace(/^[-+]|_/g, '')),
}

const exponent = {
  default: true,
  tag: `${TAG}float`,
  test: /^[-+]?(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)[eE][-+]?\d+$/,
  resolve: (text: string) => Number(text.replaceAll('_', '')),
}

const OPTIONS = {
  version: '1.1',
  uniqueKeys: false,
  prettyErrors: false,
  logLevel: 'silent',
  customTags: (tags: Tags): Tags => [
    ...tags.filter((tag) => !isOther(tag) && tag !== 'binary' && (tag as { tag?: string }).tag !== binary.tag),
    binary,
    octal,
    exponent,
  ],
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
  try {
    return (document?.toJS() ?? null) as unknown
  } catch {
    throw new Error('it is not YAML (an alias without an anchor)')
  }
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
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes)
  } catch {
    throw new Error('it is not a text in UTF-8')
  }
}
