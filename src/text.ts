/**
 * Pure: text that others wrote, for places where it is shown. Strings from the cluster, from programs and from files can contain characters
 * that move the cursor, hide or reorder text, or fill the screen (kubectl: CVE-2021-25743).
 */

/** Characters that a terminal obeys instead of showing, or that change the order of others: controls, formats, line separators. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu
const UNSEEN_IN_TEXT = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

const NAMED: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** The most characters of a value. */
const LONGEST_VALUE = 500
/** The most characters of a line that contains values. */
export const LONGEST_LINE = 8_000

/** Shows what would not be seen: `\u{1b}`. Keeps line ends and tabs, which our own pages have. */
export function visible(text: string): string {
  return text.replace(UNSEEN_IN_TEXT, codePoint)
}

/** One line, whatever the text contains: line ends are shown as `\n`. A very long one is cut in the middle. */
export function oneLine(text: string): string {
  return cut(text, LONGEST_LINE).replace(UNSEEN, (one) => NAMED[one] ?? codePoint(one))
}

/** A value of the cluster for a cell or a sentence: one line, and not longer than a few of them. */
export function shown(value: string): string {
  return oneLine(cut(value, LONGEST_VALUE))
}

/** Whether a text has characters that are not seen. */
export function hasUnseen(text: string): boolean {
  return text.search(UNSEEN) >= 0
}

/** Escapes the same characters in a text of JSON or in quotes of YAML, where they stand for themselves. Line ends are not in such texts. */
export function escapedForData(text: string): string {
  return text.replace(UNSEEN_IN_TEXT, (one) =>
    Array.from({ length: one.length }, (_, at) => `\\u${one.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
  )
}

/** Leaves the beginning and the end of a long text. */
export function cut(text: string, longest: number): string {
  if (text.length <= longest) return text
  const end = Math.floor(longest / 4)
  return `${text.slice(0, longest - end - 1)}…${text.slice(-end)}`
}

/** A URL in a text, with what may be its user. */
const URLS = /([a-z][a-z0-9+.-]{0,30}:\/\/)([^\s"'<>]*)/gi

/**
 * Credentials that can be recognized anywhere: headers, JSON Web Tokens, private keys. No pattern looks at a character again and again: a
 * text of the cluster may have a million of them.
 */
const CREDENTIALS: [RegExp, string][] = [
  [/\b(authorization["']?\s*[:=]\s*["']?\w+\s+)[^\s"']+/gi, '$1***'],
  [/\b(Bearer\s+)[\w+/=.~-]{16,}/gi, '$1***'],
  [/(?<![\w-])eyJ[\w-]{8,}\.[\w-]+(\.[\w-]*)?/g, '***'],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g, '***'],
]
/** What programs that handle credentials print: `token=…`, `"id_token": "…"`, and long words that can hardly be anything else. */
const ASSIGNED: [RegExp, string][] = [
  [/(?<!\w)(\w*(?:token|passw(?:or)?d|secret|key-?data)["']?\s*[:=]\s*)("[^"]*"?|'[^']*'?|[^\s,;]{8,})/gi, '$1***'],
  [/(?<![\w/.+=~-])(?=[\w.+=~-]*\d)(?=[\w.+=~-]*[a-z])(?=[\w.+=~-]*[A-Z])[\w.+=~-]{32,}(?![\w/])/g, '***'],
]

/** Removes the credentials from a text. */
export function withoutCredentials(text: string): string {
  const withoutUsers = text.replace(URLS, (all: string, scheme: string, rest: string) => {
    const at = rest.lastIndexOf('@')
    return at < 0 ? all : `${scheme}***${rest.slice(at)}`
  })
  return CREDENTIALS.reduce((rest, [pattern, by]) => rest.replace(pattern, by), withoutUsers)
}

/** Removes the credentials from what a credential plugin printed. */
export function withoutSecrets(text: string): string {
  return ASSIGNED.reduce((rest, [pattern, by]) => rest.replace(pattern, by), withoutCredentials(text))
}

/**
 * Whether a text is a plain absolute path, which no part of a URL or a shell reads differently: no dot segments, no queries, no escapes.
 * The empty path is one.
 */
export function isPlainPath(path: string): boolean {
  return path.length <= 500 && /^(\/(?!\.{1,2}(\/|$))[\w.~-]+)*\/?$/.test(path)
}

/**
 * Whether a text is the name of a header that a route can remove: a token (RFC 9110, 5.6.2) in lower case. Envoy makes Host part of the
 * request line, and Istio refuses to remove it.
 */
export function isHeaderName(name: string): boolean {
  return name.length <= 100 && name !== 'host' && /^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name)
}

/** Whether a text can be one segment of a path, after percent-encoding: dot segments lead elsewhere. */
export function isPathSegment(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && name.isWellFormed()
}

function codePoint(one: string): string {
  return `\\u{${(one.codePointAt(0) ?? 0).toString(16)}}`
}
