/** The last line of a terminal, which is overwritten again and again. */
import { oneLine } from '../text.ts'

interface Screen {
  columns?: number | undefined
  write(text: string): unknown
}

/** Moves to the beginning of the line and clears it (ECMA-48, EL). */
const CLEAR = '\r\u001b[2K'

export class StatusLine {
  readonly #screen: Screen
  #text = ''

  constructor(screen: Screen) {
    this.#screen = screen
  }

  show(text: string): void {
    this.#text = text
    // A wrapped line could not be cleared.
    this.#screen.write(`${CLEAR}${oneLine(text).slice(0, (this.#screen.columns ?? 80) - 1)}`)
  }

  /** Hides the line while `write` writes above it. */
  above(write: () => void): void {
    const text = this.#text
    this.hide()
    write()
    if (text !== '') this.show(text)
  }

  hide(): void {
    if (this.#text !== '') this.#screen.write(CLEAR)
    this.#text = ''
  }
}
