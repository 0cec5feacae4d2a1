/**
 * The part of YAML that programs write kubeconfigs in: block maps and lists, and values on one line without escapes. The package yaml takes a
 * sixth of the start of port-forward for such a file; it reads whatever this does not know. Pure.
 */

interface Line {
  indent: number
  text: string
}

const KEY = /^([A-Za-z][\w-]*):(?: +(.+))?$/
/** Begins with a letter or a slash, so it is no number and no date. */
const PLAIN = /^[A-Za-z/](?:[\w./@+=%~,: -]*[\w./@+=%~-])?$/
/** YAML 1.1 reads these otherwise, in any capitals. */
const WORDS = /^(y|n|yes|no|on|off|true|false|null)$/i
const QUOTED = /^(?:"[ !#-[\]-~]*"|'[ -&(-~]*')$/

/** @returns undefined for a text that has anything else: that is not an error */
export function readPlainYaml(text: string): unknown {
  // It ends a line, also a comment.
  if (text.includes('\r')) return undefined
  const lines = text
    .split('\n')
    .filter((line) => !/^ *(#|$)/.test(line))
    .map((line) => ({ indent: line.search(/[^ ]/), text: line.slice(line.search(/[^ ]/)) }))
  try {
    const reader = new Reader(lines)
    const value = reader.map(0)
    return reader.isAtEnd ? value : undefined
  } catch (error) {
    if (error instanceof NotPlain) return undefined
    throw error
  }
}

class NotPlain extends Error {}

class Reader {
  readonly #lines: Line[]
  #at = 0

  constructor(lines: Line[]) {
    this.#lines = lines
  }

  get isAtEnd(): boolean {
    return this.#at === this.#lines.length
  }

  map(indent: number): Record<string, unknown> {
    const found: Record<string, unknown> = {}
    while (this.#line?.indent === indent && !this.#isItem) {
      const [, key = '', value] = KEY.exec(this.#line.text) ?? []
      if (key === '' || WORDS.test(key) || Object.hasOwn(found, key)) throw new NotPlain()
      this.#at++
      found[key] = value === undefined ? this.#below(indent) : scalar(value)
    }
    if (Object.keys(found).length === 0) throw new NotPlain()
    return found
  }

  #list(indent: number): unknown[] {
    const found: unknown[] = []
    while (this.#line?.indent === indent && this.#isItem) {
      const rest = this.#line.text.slice(2)
      if (KEY.test(rest)) {
        // The rest of the line belongs to the map of the item.
        this.#lines[this.#at] = { indent: indent + 2, text: rest }
        found.push(this.map(indent + 2))
      } else {
        found.push(scalar(rest))
        this.#at++
      }
    }
    return found
  }

  /** What a key without a value has: a list may be as far to the left as its key. */
  #below(indent: number): unknown {
    const inner = this.#line?.indent ?? 0
    if (this.#isItem && inner >= indent) return this.#list(inner)
    return inner > indent ? this.map(inner) : null
  }

  get #line(): Line | undefined {
    return this.#lines[this.#at]
  }

  get #isItem(): boolean {
    return this.#line?.text.startsWith('- ') === true
  }
}

function scalar(text: string): unknown {
  if (text === '{}') return {}
  if (text === '[]') return []
  if (text === 'true' || text === 'false') return text === 'true'
  if (QUOTED.test(text)) return text.slice(1, -1)
  if (!PLAIN.test(text) || WORDS.test(text) || text.includes(': ')) throw new NotPlain()
  return text
}
