/**
 * One setting of an ini file, read as Grafana reads it (go-ini): `=` or `:`, comments at the end of a line, quotes, the last of
 * several wins. https://ini.unknwon.io/docs/howto/work_with_keys
 * @param path section and key
 */
export function iniSetting(text: string, [wanted, setting]: string[]): string | undefined {
  let section = ''
  let found: string | undefined
  for (const raw of text.split('\n')) {
    const line = raw.trim()
    const [, header] = /^\[([^\]]+)\]/.exec(line) ?? []
    if (header !== undefined) section = header.trim()
    const [, name, value] = /^([^=:;#[][^=:]*?)\s*[=:]\s*(.*)$/.exec(line) ?? []
    if (section === wanted && name === setting && value !== undefined) found = plain(value)
  }
  return found
}

/** Without quotes around it or a comment behind it. */
function plain(value: string): string {
  const [, , quoted] = /^(["'`])(.*)\1/.exec(value) ?? []
  return quoted ?? value.replace(/[;#].*$/, '').trim()
}
