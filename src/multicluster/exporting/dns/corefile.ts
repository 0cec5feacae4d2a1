/**
 * The names of exported services in the configuration of CoreDNS: a server block of our own, with the plugin `hosts`. Its zones are the hosts
 * themselves: a block for `global` would take all real names below that domain away. Pure.
 */

/** Names and their addresses. */
export type Names = Readonly<Record<string, string>>

const BEGIN = '# kubectl telemetry multicluster: names of exported services, begin'
const END = '# kubectl telemetry multicluster: end'

/** The text with our block for these names, in place of the present one; without names, without a block. */
export function withNames(text: string, names: Names): string {
  const rest = withoutNames(text)
  const hosts = Object.keys(names).sort()
  if (hosts.length === 0) return rest
  const newline = rest === '' || rest.endsWith('\n') ? '' : '\n'
  return `${rest}${newline}${blockOf(hosts, names)}`
}

function blockOf(hosts: readonly string[], names: Names): string {
  return [
    BEGIN,
    `${hosts.map((host) => `${host}:53`).join(' ')} {`,
    '    errors',
    '    hosts {',
    ...hosts.map((host) => `        ${names[host]} ${host}`),
    '    }',
    '}',
    END,
    '',
  ].join('\n')
}

/** The text without our block. */
export function withoutNames(text: string): string {
  const place = placeOf(text)
  return place === undefined ? text : text.slice(0, place.from) + text.slice(place.to)
}

/** The names in our block. */
export function namesIn(text: string): Names {
  const place = placeOf(text)
  const block = place === undefined ? '' : text.slice(place.from, place.to)
  const lines = [...block.matchAll(/^ {8}([0-9a-f.:]{2,45}) ([-.a-z0-9]{1,253})$/gm)]
  return Object.fromEntries(lines.map(([, address = '', host = '']) => [host, address]))
}

/** From the line of BEGIN to that of END; `undefined` if one of them is missing. */
function placeOf(text: string): { from: number; to: number } | undefined {
  const from = text.startsWith(BEGIN) ? 0 : text.indexOf(`\n${BEGIN}\n`) + 1
  if (from === 0 && !text.startsWith(BEGIN)) return undefined
  const end = text.indexOf(`\n${END}`, from)
  if (end < 0) return undefined
  const after = end + END.length + 1
  return { from, to: text[after] === '\n' ? after + 1 : after }
}

/** The zones of the server blocks of others, without ports: `.`, `global`, `10.in-addr.arpa`. `undefined` for a text with open braces. */
export function zonesIn(text: string): string[] | undefined {
  const zones: string[] = []
  let [depth, keys] = [0, [] as string[]]
  for (const line of linesOf(withoutNames(text))) {
    const opens = line.at(-1) === '{'
    if (depth === 0) keys = keysAfter(keys, line)
    if (depth === 0 && opens) zones.push(...keys.flatMap(zoneOf))
    depth += (opens ? 1 : 0) - (line[0] === '}' ? 1 : 0)
    if (depth < 0) return undefined
  }
  return depth === 0 ? zones : undefined
}

/** A list of zones goes on in the next line after a comma. */
function keysAfter(before: readonly string[], line: readonly string[]): string[] {
  const words = line.filter((word) => word !== '{' && word !== '}')
  return before.at(-1)?.endsWith(',') ? [...before, ...words] : words
}

/** Words of each line, without comments. */
function linesOf(text: string): string[][] {
  return text
    .split('\n')
    .map((line) => (line.match(/"(?:\\.|[^"\\])*"|\S+/g) ?? []) as string[])
    .map((words) => {
      const comment = words.findIndex((word) => word.startsWith('#'))
      return comment < 0 ? words : words.slice(0, comment)
    })
    .filter((words) => words.length > 0)
}

/** `dns://global.:53,` is `global`. A snippet `(name)` is none. */
function zoneOf(key: string): string[] {
  if (key.startsWith('(')) return []
  return key
    .replaceAll('"', '')
    .split(',')
    .filter((part) => part !== '')
    .map((part) => part.replace(/^[a-z]+:\/\//, '').replace(/:[^:\]]*$/, ''))
    .map((zone) => (zone === '' || zone === '.' ? '.' : zone.replace(/\.$/, '').toLowerCase()))
}

/** The zone of others that answers for a host on purpose: the host itself, or a domain that it is in, but not the root. */
export function zoneFor(host: string, zones: readonly string[]): string | undefined {
  return zones.find((zone) => zone !== '.' && (host === zone || host.endsWith(`.${zone}`)))
}

/** Whether the program takes a changed text up by itself. */
export function isReloaded(text: string): boolean {
  return linesOf(text).some(([word]) => word === 'reload')
}
