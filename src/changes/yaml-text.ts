/** Adds and removes entries of a small YAML text in an annotation, such as `proxy.istio.io/config`. Pure; comments stay. */

import { isDeepStrictEqual } from 'node:util'
import { type Document, isMap } from 'yaml'
import { hasCode } from '../errors.ts'
import { readYaml } from '../yaml-reading.ts'
import { readable, valuesOf, yamlInvalid } from './splices.ts'

export interface Entry {
  path: string[]
  value: unknown
}

/**
 * @param what the annotation and whose it is, for errors
 * @throws UserError YAML_INVALID
 */
export function withEntries(text: string | undefined, entries: Entry[], what: string): string {
  const document = mapIn(text, what)
  const missing = entries.filter(({ path, value }) => document.getIn(path) !== value)
  if (text !== undefined && missing.length === 0) return text
  for (const { path, value } of missing) set(document, path, value, what)
  return printed(document, what)
}

/**
 * Removes entries that still have the values that we wrote.
 * @param before the text before our first edit
 * @returns undefined if nothing is left
 * @throws UserError YAML_INVALID
 */
export function withoutEntries(present: string, before: string | undefined, entries: Entry[]): string | undefined {
  const what = 'the text'
  const document = mapIn(present, what)
  const earlier = mapIn(before, what)
  for (const { path, value } of entries) {
    if (document.getIn(path) !== value) continue
    const old: unknown = earlier.getIn(path)
    if (old !== undefined) set(document, path, old, what)
    else document.deleteIn(path)
    const parent = path.slice(0, -1)
    const rest = parent.length > 0 ? document.getIn(parent) : undefined
    if (isMap(rest) && rest.items.length === 0 && earlier.getIn(parent) === undefined) document.deleteIn(parent)
  }
  const left = document.contents
  return before === undefined && isMap(left) && left.items.length === 0 ? undefined : printed(document, what)
}

/** @throws UserError YAML_INVALID if the text is no map, or has several documents */
function mapIn(text: string | undefined, what: string): Document {
  const document = readable(what, () => readYaml(text ?? ''))
  const [error] = document.errors
  if (error !== undefined) throw yamlInvalid(what, error.message.split('\n')[0] ?? '')
  if (document.contents !== null && !isMap(document.contents)) throw yamlInvalid(what, 'it is not a map')
  return document
}

/** @throws UserError YAML_INVALID if a value on the way is no map */
function set(document: Document, path: string[], value: unknown, what: string): void {
  readable(what, () => document.setIn(path, value))
}

/** @throws UserError YAML_INVALID if the text would not have the same values: it would have lost something */
function printed(document: Document, what: string): string {
  const text = readable(what, () => document.toString({ lineWidth: 0 }))
  const again = readable(what, () => readYaml(text))
  if (again.errors.length === 0 && isDeepStrictEqual(valuesOf(again, what), valuesOf(document, what))) return text
  throw yamlInvalid(what, 'it has a form that cannot be changed safely')
}

/** A value of the text; `undefined` if it has none. */
export function entryOf(text: string | undefined, path: string[]): unknown {
  try {
    return mapIn(text, 'the text').getIn(path)
  } catch (error) {
    if (hasCode(error, 'YAML_INVALID')) return undefined
    throw error
  }
}
