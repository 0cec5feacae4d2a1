/**
 * YAML texts that anybody may have written. The parser takes minutes for some short texts, and calls itself for each level of nesting, so a
 * text is looked at before it is parsed. Pure.
 */
import {
  type Document,
  isScalar,
  Lexer,
  parseAllDocuments,
  parseDocument,
  type Tags,
  visit,
  YAMLParseError,
  type YAMLWarning,
} from 'yaml'

/** Characters. A ConfigMap has at most 1 MiB. */
const LONGEST = 1024 * 1024
/** Of a text that is meant to be short: all annotations of an object together have at most 256 KiB. */
const SHORT = 128 * 1024
/** Levels of brackets; those in quotes count, too, so that nobody hides some. */
const DEEPEST = 200
/** `- - - a`: each of these opens a level. */
const COMPACT = new RegExp(`^[ ]*(?:[-?:] +){${DEEPEST}}`, 'm')

/** Finding equal keys takes the parser too long in a large map, so `duplicate` does that. */
const OPTIONS = { uniqueKeys: false, prettyErrors: false, logLevel: 'error' } as const

/** Why a text is not given to the parser; `undefined` if it can be. */
export function whyNotParsed(text: string, longest = LONGEST): string | undefined {
  if (text.length > longest) return `it has ${text.length} characters; at most ${longest} are read`
  return isDeep(text) || COMPACT.test(text) ? 'it is nested too deeply' : undefined
}

function isDeep(text: string): boolean {
  let depth = 0
  for (const [bracket] of text.matchAll(/[[\]{}]/g)) {
    depth = bracket === '[' || bracket === '{' ? depth + 1 : Math.max(0, depth - 1)
    if (depth > DEEPEST) return true
  }
  return false
}

/** A short text. What is wrong with it is in `errors`; it is never thrown. */
export function readYaml(text: string): Document.Parsed {
  const why = whyNotParsed(text, SHORT)
  if (why !== undefined) return unreadable(why)
  try {
    const document = parseDocument(text, OPTIONS)
    const twice = duplicate(document)
    if (twice !== undefined) document.errors.push(problem(`the key ${twice} is there twice`))
    if (hasItself(document)) document.errors.push(problem('an alias stands for a value that it is in'))
    return document
  } catch {
    return unreadable('it is nested too deeply')
  }
}

/** The values of a short text; `undefined` for a text that is not YAML. */
export function valuesInYaml(text: string | undefined): unknown {
  if (text === undefined) return undefined
  const document = readYaml(text)
  try {
    return document.errors.length > 0 ? undefined : (document.toJS({ maxAliasCount: 100 }) as unknown)
  } catch {
    return undefined
  }
}

/** Why a short text is no YAML; `undefined` if it is. */
export function whyNoYaml(text: string): string | undefined {
  return readYaml(text).errors[0]?.message.split('\n')[0]
}

/** The values of each document in a file of manifests that comes with the package; empty documents are left out. */
export function documentsIn(text: string): unknown[] {
  return parseAllDocuments(text).flatMap((document) => (document.toJS() as unknown) ?? [])
}

/** Characters of a file of manifests. */
const LONGEST_FILE = 2 * 1024 * 1024
/** Words, marks and line ends that the parser sees; a block of text is one. Istio's samples have at most 2,300; the parser takes 20 µs for each. */
const MOST_LEXEMES = 50_000
/** As Kubernetes reads manifests: `0644` is octal. Go leaves times and sexagesimal numbers as texts. */
const AS_KUBERNETES = {
  ...OPTIONS,
  version: '1.1',
  customTags: (tags: Tags): Tags => tags.filter((tag) => typeof tag === 'object' && !isForeignTag(tag)),
} as const

function isForeignTag({ tag, format }: { tag: string; format?: string }): boolean {
  return format === 'TIME' || /:(timestamp|binary|set|omap|pairs)$/.test(tag)
}

/** The values of each document in a file of manifests that anybody may have written, or why they are not read. */
export function readManifests(text: string): { values: unknown[] } | { why: string } {
  const why = whyNotParsed(text, LONGEST_FILE) ?? (hasManyLexemes(text) ? 'it has too many parts' : undefined)
  if (why !== undefined) return { why }
  try {
    const documents = [...parseAllDocuments(text, AS_KUBERNETES)]
    const [fault] = documents.flatMap(faultOf)
    if (fault !== undefined) return { why: fault }
    // An empty document is null.
    return { values: documents.map((one) => one.toJS() as unknown).filter((value) => value !== null) }
  } catch {
    return { why: 'it is nested too deeply' }
  }
}

function hasManyLexemes(text: string): boolean {
  let count = 0
  for (const _ of new Lexer().lex(text)) if (++count > MOST_LEXEMES) return true
  return false
}

/** An unknown tag is only a warning of the parser. An alias repeats a value, and aliases of aliases make a short text huge. */
function faultOf(document: Document.Parsed): string[] {
  const [error] = [...document.errors, ...document.warnings]
  if (error !== undefined) return [whyNotYaml(error)]
  let aliases = 0
  visit(document, {
    Alias: () => {
      aliases++
      return visit.BREAK
    },
  })
  if (aliases > 0) return ['it has aliases (*NAME), which are not read']
  const twice = duplicate(document)
  return twice === undefined ? [] : [`the key ${twice} is there twice`]
}

/** The parser reports its own exhausted stack as a fault of the text. */
function whyNotYaml({ message, pos: [at] }: YAMLParseError | YAMLWarning): string {
  if (message.includes('call stack')) return 'it is nested too deeply'
  return `it is not YAML: ${(message.split('\n')[0] ?? '').slice(0, 200)} (at character ${at})`
}

function unreadable(why: string): Document.Parsed {
  const document: Document.Parsed = parseDocument('')
  document.errors.push(problem(why))
  return document
}

function problem(why: string): YAMLParseError {
  return new YAMLParseError([0, 0], 'IMPOSSIBLE', why)
}

/** Whether a value contains itself: Go's parser refuses that, and functions that go through values would never end. */
function hasItself(document: Document.Parsed): boolean {
  let found = false
  visit(document, {
    Alias: (_, alias, ancestors) => {
      const target = alias.resolve(document)
      found = target !== undefined && ancestors.includes(target)
      return found ? visit.BREAK : undefined
    },
  })
  return found
}

/** A key that a map has twice. Programs differ in which of the values counts. */
function duplicate(document: Document.Parsed): string | undefined {
  let found: string | undefined
  visit(document, {
    Map: (_, { items }) => {
      const keys = items.flatMap(({ key }) => (isScalar(key) && key.value !== '<<' ? [String(key.value)] : []))
      if (new Set(keys).size === keys.length) return undefined
      const known = new Set<string>()
      found = keys.find((key) => known.has(key) || !known.add(key))
      return visit.BREAK
    },
  })
  return found
}
