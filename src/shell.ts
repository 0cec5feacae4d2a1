/** Pure: words for a POSIX shell. */
import { hasUnseen } from './text.ts'

/** Quotes a word so that a shell takes it literally, whatever it contains. */
export function shellQuote(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word
  return hasUnseen(word) ? escaped(word) : `'${word.replaceAll("'", "'\\''")}'`
}

/** A command line that can be pasted into a shell. */
export function shellCommand(words: readonly string[]): string {
  return words.map(shellQuote).join(' ')
}

/** A command line with the values in it quoted; what is written around them stays as it is: sh`kubectl -n ${namespace} get pods`. A list is several words. */
export function sh(
  written: TemplateStringsArray,
  ...values: (string | number | undefined | readonly string[])[]
): string {
  return written.map((part, index) => (index === 0 ? part : `${wordsOf(values[index - 1])}${part}`)).join('')
}

function wordsOf(value: string | number | undefined | readonly string[]): string {
  return typeof value === 'object' ? shellCommand(value) : shellQuote(String(value))
}

/**
 * `$'…'` (POSIX.1-2024), so that characters that are not seen are. An older shell takes it for `$` and a quoted word, which is wrong but
 * harmless, since no quote is in it.
 */
function escaped(word: string): string {
  const bytes = (text: string) =>
    [...new TextEncoder().encode(text)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`)
  const characters = [...word].map((one) => (hasUnseen(one) || one === "'" || one === '\\' ? bytes(one).join('') : one))
  // A digit of hexadecimal after an escape would belong to it in some shells.
  return `$'${characters.join('').replace(/\\x[0-9a-f]{2}(?=[0-9a-fA-F])/g, (code) => `${code}'$'`)}'`
}
