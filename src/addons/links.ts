/** Links from Kiali's pages to other add-ons: where its configuration has their addresses. Pure, over the text of its config.yaml. */
import { type Document, isMap, parseDocument } from 'yaml'

/**
 * Kiali has addresses for browsers of these two; Prometheus it only asks itself (`prometheus.url`), so there is nothing to link.
 * https://kiali.io/docs/configuration/kialis.kiali.io/
 */
const SETTINGS: Record<string, string[]> = {
  grafana: ['external_services', 'grafana'],
  tracing: ['external_services', 'tracing'],
}
const KEY = 'external_url'

/** By add-on: what was in its place before; `null` when there was nothing. */
export type Replaced = Record<string, string | null>

/** Whether Kiali can link to an add-on of this name. */
export function isLinkable(name: string): boolean {
  return name in SETTINGS
}

/** @param urls by add-on: where browsers find it. @returns the text with them in it, comments kept */
export function linked(text: string, urls: Record<string, string>): { text: string; replaced: Replaced } {
  const document = parseDocument(text)
  const replaced: Replaced = {}
  for (const [name, url] of Object.entries(urls)) {
    const path = [...(SETTINGS[name] ?? []), KEY]
    replaced[name] = (document.getIn(path) as string | undefined) ?? null
    document.setIn(path, url)
  }
  return { text: print(document, text), replaced }
}

/** The text without our links, where somebody has edited the rest of it since; what is no longer ours stays. */
export function unlinked(text: string, urls: Record<string, string>, replaced: Replaced): string {
  const document = parseDocument(text)
  for (const [name, url] of Object.entries(urls)) {
    const parent = SETTINGS[name] ?? []
    const path = [...parent, KEY]
    if (document.getIn(path) !== url) continue
    const before = replaced[name] ?? null
    if (before !== null) document.setIn(path, before)
    else document.deleteIn(path)
    const rest = document.getIn(parent)
    if (before === null && isMap(rest) && rest.items.length === 0) document.deleteIn(parent)
  }
  return print(document, text)
}

/** Add-ons that Kiali does not ask because its configuration says so: their links stay hidden. */
export function disabledIn(text: string, names: string[]): string[] {
  const document = parseDocument(text)
  return names.filter((name) => document.getIn([...(SETTINGS[name] ?? []), 'enabled']) === false)
}

/** As it was written: long lines are not folded, and lists are indented or not as they were. */
function print(document: Document, like: string): string {
  const indentSeq = !/^( *)[^\s#-][^\n]*:\n\1- /m.test(like)
  return document.toString({ lineWidth: 0, indentSeq })
}
