/** Links from Kiali's pages to other add-ons: where its configuration has their addresses. Pure, over the text of its config.yaml. */
import { type Document, isMap } from 'yaml'
import { readYaml } from '../yaml-reading.ts'

/**
 * Kiali has browser addresses of these two. It only queries Prometheus itself (`prometheus.url`), so there is nothing to link.
 * https://kiali.io/docs/configuration/kialis.kiali.io/
 */
const SETTINGS: Record<string, string[]> = {
  grafana: ['external_services', 'grafana'],
  tracing: ['external_services', 'tracing'],
}
const KEY = 'external_url'

/** Whether Kiali can link to an add-on of this name. */
export function isLinkable(name: string): boolean {
  return Object.hasOwn(SETTINGS, name)
}

/** @param urls by add-on, for browsers. @returns the text with them in it, comments kept */
export function linked(text: string, urls: Record<string, string>): string {
  const document = readYaml(text)
  for (const [name, url] of Object.entries(urls)) document.setIn([...(SETTINGS[name] ?? []), KEY], url)
  return print(document, text)
}

/**
 * The text without the links, after other edits. A link that the user has changed since stays, and so does a text that is no YAML any more.
 * @param before the text before the links
 */
export function unlinked(text: string, before: string, urls: Record<string, string>): string {
  const [document, earlier] = [readYaml(text), readYaml(before)]
  if (document.errors.length > 0) return text
  for (const [name, url] of Object.entries(urls)) {
    const parent = isLinkable(name) ? (SETTINGS[name] ?? []) : []
    const path = [...parent, KEY]
    if (document.getIn(path) !== url) continue
    const old: unknown = earlier.getIn(path)
    if (old !== undefined) document.setIn(path, old)
    else document.deleteIn(path)
    const rest = document.getIn(parent)
    if (old === undefined && isMap(rest) && rest.items.length === 0) document.deleteIn(parent)
  }
  return print(document, text)
}

/** Add-ons that Kiali does not ask because its configuration says so: their links stay hidden. */
export function disabledIn(text: string, names: string[]): string[] {
  const document = readYaml(text)
  return names.filter((name) => document.getIn([...(SETTINGS[name] ?? []), 'enabled']) === false)
}

/** Keeps the formatting: long lines are not folded, and lists are indented as before. */
function print(document: Document, like: string): string {
  const indentSeq = !/^( *)[^\s#-][^\n]*:\n\1- /m.test(like)
  return document.toString({ lineWidth: 0, indentSeq })
}
