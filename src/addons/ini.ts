/** Pure: one setting of an ini file that a tenant may have written. */

/** `hidden`: the setting is, or may be, in a place that is not read. */
export type Reading = { value: string | undefined } | 'hidden'

/** `=` or `:`, whichever comes first. */
const SEPARATOR = /[=:]/

/**
 * One setting of an ini file, read as Grafana reads it (go-ini): `=` or `:`, comments at the end of a line, quotes, the last of
 * several wins. https://ini.unknwon.io/docs/howto/work_with_keys
 * Values of several lines are not understood, and expressions are not computed.
 * @param path section and key
 */
export function iniSetting(text: string, [wanted, setting]: string[]): Reading {
  let section = ''
  let found: string | undefined
  for (const line of linesOf(text)) {
    // The next line may belong to this one.
    if (line.endsWith('\\') || /"""|'''|`/.test(line)) return 'hidden'
    const header = headerOf(line)
    section = header ?? section
    if (header === undefined && section === wanted) found = valueIn(line, setting) ?? found
  }
  return found !== undefined && /\$|%\(/.test(found) ? 'hidden' : { value: found }
}

function linesOf(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim())
  return lines.filter((line) => !/^[;#]/.test(line))
}

function headerOf(line: string): string | undefined {
  const end = line.startsWith('[') ? line.indexOf(']') : -1
  return end > 0 ? line.slice(1, end).trim() : undefined
}

function valueIn(line: string, setting: string | undefined): string | undefined {
  const at = line.search(SEPARATOR)
  return at > 0 && unquoted(line.slice(0, at).trim()) === setting ? plain(line.slice(at + 1).trim()) : undefined
}

/** Without quotes around it or a comment behind it. */
function plain(value: string): string {
  const [quote] = value
  const end = quote === '"' || quote === "'" ? value.lastIndexOf(quote) : 0
  return end > 0 ? value.slice(1, end) : value.replace(/[;#].*$/, '').trim()
}

function unquoted(name: string): string {
  return /^".*"$|^'.*'$/.test(name) ? name.slice(1, -1) : name
}
