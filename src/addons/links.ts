/** Links from Kiali's pages to other add-ons: where its configuration has their addresses. Pure, over the text of its config.yaml. */
import { type Document, isMap } from 'yaml'
import { mapOf } from '../shapes.ts'
import { readYaml } from '../yaml-reading.ts'

/**
 * Kiali has browser addresses of these two. It only queries Prometheus itself (`prometheus.url`), so there is nothing to link.
 * https://kiali.io/docs/configuration/kialis.kiali.io/
 */
const SECTIONS: Record<string, string[]> = {
  grafana: ['external_services', 'grafana'],
  tracing: ['external_services', 'tracing'],
}
/** The keys of Kiali 2.0 and newer, and those before (kiali/kiali#7745). */
const EXTERNAL = { new: 'external_url', old: 'url' } as const
const INTERNAL = { new: 'internal_url', old: 'in_cluster_url' } as const
/** What a record may name. */
const KEYS: readonly string[] = [
  ...[EXTERNAL, INTERNAL].flatMap((key) => Object.values(key)),
  'enabled',
  'provider',
  'use_grpc',
]

/** Whether Kiali can link to an add-on of this name. */
export function isLinkable(name: string): boolean {
  return Object.hasOwn(SECTIONS, name)
}

/** Values by add-on and key. */
export type LinkSettings = Record<string, Record<string, string | boolean>>

/** What the links depend on. */
export interface Linking {
  /** By add-on, for browsers. */
  urls: Record<string, string>
  /** The first number of Kiali's version; left out if its image does not say it. */
  version?: number | undefined
  /** Left out where Kiali has no Jaeger to ask. */
  jaeger?: JaegerAddress | undefined
}

/** Where Jaeger answers queries inside the cluster. */
export interface JaegerAddress {
  url: string
  grpc: boolean
}

/** What has to be set in the text, and the links that Kiali will not show because it does not ask the add-on. */
export function settingsIn(text: string, linking: Linking): { settings: LinkSettings; hidden: string[] } {
  const document = readYaml(text)
  const names = Object.keys(linking.urls).filter(isLinkable)
  const isOld = isBefore2(document, linking.version)
  const settings = names.map((name): [string, LinkSettings[string]] => [
    name,
    {
      ...externalUrl(document, name, linking.urls[name] ?? '', isOld),
      ...(name === 'tracing' ? switchedOn(document, linking, isOld) : {}),
    },
  ])
  const hidden = settings.filter(([name, { enabled }]) => enabled === undefined && isOff(document, name, isOld))
  return { settings: Object.fromEntries(settings), hidden: hidden.map(([name]) => name) }
}

/**
 * Kiali up to 1.89 only reads the old keys, and 2.x both. Without a version the keys say it: a file with only old keys is read by both. One
 * without any of them may be of an old Kiali: then its links are not shown, as if they were not set.
 */
function isBefore2(document: Document, version: number | undefined): boolean {
  if (version !== undefined) return version < 2
  const has = (kind: 'new' | 'old') =>
    Object.values(SECTIONS).some((section) =>
      [EXTERNAL, INTERNAL].some((key) => document.hasIn([...section, key[kind]])),
    )
  return has('old') && !has('new')
}

/** Kiali 2.x prefers the old key where both are set, so an old one that is there has to have the address, too. */
function externalUrl(document: Document, name: string, url: string, isOld: boolean): Record<string, string> {
  const old = isOld || valueAt(document, name, EXTERNAL.old) ? { [EXTERNAL.old]: url } : {}
  return isOld ? old : { ...old, [EXTERNAL.new]: url }
}

/** Istio's sample of Kiali has tracing off. The user's address, provider and protocol stay; of Jaeger and Tempo only Jaeger is known here. */
function switchedOn(document: Document, { jaeger }: Linking, isOld: boolean): LinkSettings[string] {
  const given = (key: string) => valueAt(document, 'tracing', key)
  const provider = given('provider') ?? 'jaeger'
  if (jaeger === undefined || given('enabled') === true || provider !== 'jaeger') return {}
  const on = { enabled: true, provider }
  if (given(INTERNAL.new) || given(INTERNAL.old)) return on
  return {
    ...on,
    [isOld ? INTERNAL.old : INTERNAL.new]: jaeger.url,
    ...((given('use_grpc') ?? true) === jaeger.grpc ? {} : { use_grpc: jaeger.grpc }),
  }
}

/** Kiali 2.x has tracing off if nothing is said, and 1.x on. */
function isOff(document: Document, name: string, isOld: boolean): boolean {
  return (valueAt(document, name, 'enabled') ?? (isOld || name !== 'tracing')) === false
}

function valueAt(document: Document, name: string, key: string): unknown {
  return document.getIn([...(SECTIONS[name] ?? []), key])
}

/** @returns the text with the settings in it, comments kept */
export function linked(text: string, settings: LinkSettings): string {
  const document = readYaml(text)
  for (const { path, value } of entriesOf(settings)) document.setIn(path, value)
  return print(document, text)
}

/**
 * The text without the links, after other edits. A value that the user has changed since stays, and so does a text that is no YAML any more.
 * @param before the text before the links
 */
export function unlinked(text: string, before: string, settings: LinkSettings): string {
  const [document, earlier] = [readYaml(text), readYaml(before)]
  if (document.errors.length > 0) return text
  for (const { path, value } of entriesOf(settings)) {
    if (document.getIn(path) !== value) continue
    const old: unknown = earlier.getIn(path)
    if (old !== undefined) document.setIn(path, old)
    else document.deleteIn(path)
    const parent = path.slice(0, -1)
    const rest = document.getIn(parent)
    if (old === undefined && isMap(rest) && rest.items.length === 0) document.deleteIn(parent)
  }
  return print(document, text)
}

function entriesOf(settings: LinkSettings): { path: string[]; value: string | boolean }[] {
  return Object.entries(settings).flatMap(([name, values]) =>
    Object.entries(values).map(([key, value]) => ({ path: [...(SECTIONS[name] ?? []), key], value })),
  )
}

/** The settings of a record, which anybody may have written. @param urls what a record has from the version that only set `external_url` */
export function recordedSettings(settings: unknown, urls: unknown): LinkSettings {
  const former = Object.entries(mapOf(urls)).map(([name, url]) => [name, { [EXTERNAL.new]: url }] as const)
  const recorded = settings === undefined ? former : Object.entries(mapOf(settings))
  return Object.fromEntries(
    recorded
      .filter(([name]) => isLinkable(name))
      .map(([name, values]) => {
        const valid = Object.entries(mapOf(values)).filter(
          (entry): entry is [string, string | boolean] =>
            KEYS.includes(entry[0]) && ['string', 'boolean'].includes(typeof entry[1]),
        )
        return [name, Object.fromEntries(valid)]
      }),
  )
}

/** Keeps the formatting: long lines are not folded, and lists are indented as before. */
function print(document: Document, like: string): string {
  const indentSeq = !/^( *)[^\s#-][^\n]*:\n\1- /m.test(like)
  return document.toString({ lineWidth: 0, indentSeq })
}
