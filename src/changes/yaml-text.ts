/** Entries in a small YAML text that somebody keeps in an annotation, such as `proxy.istio.io/config`. Pure; comments stay. */
import { type Document, isMap, parseDocument } from 'yaml'
import { UserError } from '../errors.ts'

export interface Entry {
  path: string[]
  value: unknown
}

/**
 * @param what the annotation and whose it is, for errors
 * @throws UserError YAML_INVALID
 */
export function withEntries(text: string | undefined, entries: Entry[], what: string): string {
  const document = parseDocument(text ?? '')
  const [error] = document.errors
  const isUsable = error === undefined && (document.contents === null || isMap(document.contents))
  if (!isUsable) {
    const why = error?.message.split('\n')[0] ?? 'it is no map'
    throw new UserError('YAML_INVALID', `${what} cannot be read: ${why}`, {
      suggestions: ['mend it there; nothing was changed'],
    })
  }
  const missing = entries.filter(({ path, value }) => document.getIn(path) !== value)
  if (text !== undefined && missing.length === 0) return text
  for (const { path, value } of missing) document.setIn(path, value)
  return print(document)
}

/** The text without entries that are still as we wrote them. @param before as it was before us; @returns undefined when nothing is left */
export function withoutEntries(present: string, before: string | undefined, entries: Entry[]): string | undefined {
  const document = parseDocument(present)
  const earlier = parseDocument(before ?? '')
  if (document.errors.length > 0) return present
  for (const { path, value } of entries) {
    if (document.getIn(path) !== value) continue
    const old: unknown = earlier.getIn(path)
    if (old !== undefined) document.setIn(path, old)
    else document.deleteIn(path)
    const parent = path.slice(0, -1)
    const rest = parent.length > 0 ? document.getIn(parent) : undefined
    if (isMap(rest) && rest.items.length === 0 && earlier.getIn(parent) === undefined) document.deleteIn(parent)
  }
  const left = document.contents
  return before === undefined && isMap(left) && left.items.length === 0 ? undefined : print(document)
}

/** A value of the text; `undefined` when it is not there. */
export function entryOf(text: string | undefined, path: string[]): unknown {
  const document = parseDocument(text ?? '')
  return document.errors.length > 0 ? undefined : document.getIn(path)
}

function print(document: Document): string {
  return document.toString({ lineWidth: 0 })
}
