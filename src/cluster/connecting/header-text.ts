/** Values of headers. Pure. */

/**
 * A text as the bytes of UTF-8, which Node would write as Latin-1 or refuse. Without spaces around it: they are no part of a value (RFC 9110,
 * 5.5), and an HTTP/2 server may drop a header that has them.
 * @param what for the error: a token is never quoted
 * @throws Error for controls, which no header may have (RFC 9110, 5.5)
 */
export function headerText(text: string, what: string): string {
  const hasControl = [...text].some((one) => (one < ' ' && one !== '\t') || one === '\x7f')
  if (hasControl) throw new Error(`${what} has a line end or another control character, so no request can have it`)
  return Buffer.from(text.replace(/^[ \t]+|[ \t]+$/g, '')).toString('latin1')
}
