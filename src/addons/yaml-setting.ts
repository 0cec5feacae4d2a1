/** Pure: one setting of a YAML file that a tenant may have written. */
import { isAlias, isMap, isScalar, type Node } from 'yaml'
import { readYaml } from '../yaml-reading.ts'
import type { Reading } from './ini.ts'

/** The parser needs seconds for very many anchors. */
const MOST_ANCHORS = 1_000

/** Only a text that every parser reads in the same way: no duplicate keys, no aliases or merges on the path, one document. */
export function yamlSetting(text: string, path: string[]): Reading {
  if (text.split('&').length > MOST_ANCHORS) return 'hidden'
  const document = readYaml(text)
  return document.errors.length > 0 ? 'hidden' : valueAt(document.contents, path)
}

function valueAt(node: Node | null | undefined, [key, ...rest]: string[]): Reading {
  if (isAlias(node)) return 'hidden'
  if (key === undefined && isMissing(node)) return { value: undefined }
  if (key === undefined) return isScalar(node) ? { value: String(node.value) } : 'hidden'
  if (!isMap(node)) return isMissing(node) ? { value: undefined } : 'hidden'
  const keyOf = (one: unknown) => (isScalar(one) ? String(one.value) : undefined)
  const pairs = node.items.filter((pair) => keyOf(pair.key) === key)
  const isUnclear = pairs.length > 1 || node.items.some((pair) => keyOf(pair.key) === '<<' || isAlias(pair.key))
  return isUnclear ? 'hidden' : valueAt(pairs[0]?.value as Node | null | undefined, rest)
}

function isMissing(node: Node | null | undefined): boolean {
  return node === null || node === undefined || (isScalar(node) && (node.value === null || node.value === undefined))
}
