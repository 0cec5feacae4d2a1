/** Adds our provider to the text of a mesh configuration, and removes it; every other byte stays. Pure. */
import { isDeepStrictEqual } from 'node:util'
import { type Document, isMap, isScalar, isSeq, type Pair, type YAMLMap } from 'yaml'
import type { Collector } from '../backends/collectors.ts'
import {
  atEndOfList,
  type ItemText,
  inPlaceOfNull,
  intoMap,
  outOfList,
  outOfMap,
  parsed,
  readable,
  type Splice,
  spliced,
  valuesOf,
  yamlInvalid,
} from '../changes/splices.ts'
import { listOf, mapOf } from '../shapes.ts'

/** The provider that we add. Users' providers have other names. */
export const PROVIDER_NAME = 'kubectl-telemetry'

/** Istio's YAML also has the names of its protobuf files. */
const KEYS = ['extensionProviders', 'extension_providers']
const [KEY = ''] = KEYS
const NO_MARKS = /(?!)/
const UNSAFE = 'it has a form that cannot be changed safely'

/** What istiod reads: https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshConfig-ExtensionProvider */
function providerValue(
  { protocol, http, namespace, service, port }: Collector,
  domain: string,
): Record<string, unknown> {
  // A host name, which istiod looks up in all namespaces.
  const address = { service: `${service}.${namespace}.svc.${domain}`, port }
  return { name: PROVIDER_NAME, [protocol]: http ? { ...address, http: { path: '/v1/traces' } } : address }
}

/** A ConfigMap that istiod reads. */
export interface MeshText {
  text: string
  /** For errors: `mesh in ConfigMap istio-system/istio`. */
  what: string
}

/**
 * The text with a provider that leads to this collector, in place of an earlier one of ours.
 * @param domain of Services: `cluster.local`
 * @throws UserError YAML_INVALID with line and column
 */
export function withProvider({ text, what }: MeshText, collector: Collector, domain: string): string {
  const wanted = providerValue(collector, domain)
  const present = providersIn(text, what)
  const ours = present.filter(isOurs)
  if (ours.length === 1 && isDeepStrictEqual(ours[0], wanted)) return text
  const without = ours.length === 0 ? text : withoutProvider({ text, what }, undefined)
  const after = spliced(without, [insertion(without, itemOf(wanted), what)])
  requireOnlyChange(text, after, [...present.filter((one) => !isOurs(one)), wanted], what)
  return after
}

/** The providers of the text, and ours, as values for an installer that keeps them. */
export function keptProviders({ text, what }: MeshText, collector: Collector, domain: string): unknown[] {
  return [...providersIn(text, what).filter((one) => !isOurs(one)), providerValue(collector, domain)]
}

/**
 * The text without our provider.
 * @param before the text before our first edit, if it is known: a list that it did not have is removed when it is empty
 * @throws UserError YAML_INVALID
 */
export function withoutProvider({ text, what }: MeshText, before: string | undefined): string {
  const document = parsed(text, what)
  const pair = listPair(document, what)
  const present = providersIn(text, what)
  const left = present.filter((one) => !isOurs(one))
  if (pair === undefined || left.length === present.length) return text
  const isNew = left.length === 0 && before !== undefined && listPair(parsed(before, what), what) === undefined
  const whole = isNew ? wholeList(text, document, pair) : undefined
  const splices = whole === undefined ? ourItems(text, pair) : [whole]
  if (splices.some((one) => one === undefined)) throw yamlInvalid(what, UNSAFE)
  const after = spliced(text, splices as Splice[])
  requireOnlyChange(text, after, left, what)
  return after
}

/** Whether a provider of a mesh configuration is named like ours. */
function isOurs(provider: unknown): boolean {
  return mapOf(provider).name === PROVIDER_NAME
}

function providersIn(text: string, what: string): unknown[] {
  const values = mapOf(valuesOf(parsed(text, what), what))
  return KEYS.flatMap((key) => listOf(values[key]))
}

function insertion(text: string, item: ItemText, what: string): Splice {
  const document = parsed(text, what)
  const root = document.contents
  if (root === null || (isScalar(root) && root.value === null)) return atEnd(text, item)
  if (!isMap(root)) throw yamlInvalid(what, 'it is not a map')
  const pair = listPair(document, what)
  if (pair === undefined) return newList(text, root as YAMLMap, item)
  const { value } = pair
  if (value === null || (isScalar(value) && value.value === null)) return inPlaceOfNull(pair, item.flow)
  if (!isSeq(value)) throw yamlInvalid(what, UNSAFE)
  return atEndOfList(text, value, item)
}

function newList(text: string, root: YAMLMap, { lines, flow }: ItemText): Splice {
  return intoMap(text, root, [`${KEY}:`, ...lines], `${KEY}: [${flow}]`)
}

/** Into a text without any value: a comment, or nothing. */
function atEnd(text: string, { lines }: ItemText): Splice {
  const before = text === '' || text.endsWith('\n') ? '' : '\n'
  return { at: text.length, remove: 0, insert: `${before}${[`${KEY}:`, ...lines].join('\n')}\n` }
}

/** The field with the list. @throws UserError YAML_INVALID if it is there under both names, or an alias: then another place would change, too */
function listPair(document: Document, what: string): Pair | undefined {
  const root = document.contents
  if (!isMap(root)) return undefined
  const found = root.items.filter(({ key }) => isScalar(key) && KEYS.includes(String(key.value)))
  if (found.length > 1) throw yamlInvalid(what, `it has ${KEY} twice`)
  const [pair] = found
  const isPlain = pair === undefined || pair.value === null || isSeq(pair.value) || isScalar(pair.value)
  if (!isPlain) throw yamlInvalid(what, UNSAFE)
  return pair
}

function wholeList(text: string, document: Document, pair: Pair): Splice | undefined {
  return isMap(document.contents) ? outOfMap(text, document.contents as YAMLMap, pair, NO_MARKS) : undefined
}

/** One splice for each item of ours. */
function ourItems(text: string, { value }: Pair): (Splice | undefined)[] {
  if (!isSeq(value)) return [undefined]
  return value.items.flatMap((item, index) =>
    isMap(item) && item.get('name') === PROVIDER_NAME ? [outOfList(text, value, index, NO_MARKS)] : [],
  )
}

/** The item in block style, which people read more easily, and in braces. */
function itemOf(provider: Record<string, unknown>): ItemText {
  const [, ...rest] = Object.entries(provider)
  const lines = rest.flatMap(([kind, address]) => [
    `  ${kind}:`,
    ...Object.entries(mapOf(address)).map(([name, value]) =>
      typeof value === 'object' ? `    ${name}: ${JSON.stringify(value)}` : `    ${name}: ${value}`,
    ),
  ])
  return { lines: [`- name: ${PROVIDER_NAME}`, ...lines], flow: JSON.stringify(provider) }
}

/** Compares all values before and after: aliases and merges may have more effect than the place that was written. */
function requireOnlyChange(text: string, after: string, providers: unknown[], what: string): void {
  const rest = (values: unknown) => {
    const entries = Object.entries(mapOf(values)).filter(([name]) => !KEYS.includes(name))
    return Object.fromEntries(entries)
  }
  const [before, now] = [text, after].map((one) => readable(what, () => valuesOf(parsed(one, what), what)))
  const isSame = isDeepStrictEqual(rest(before), rest(now))
  if (!isSame || !isDeepStrictEqual(providersIn(after, what), providers)) throw yamlInvalid(what, UNSAFE)
}
