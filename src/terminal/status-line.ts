/** One line below everything else on a terminal, written over again and again. */

interface Screen {
  columns?: number
  write(text: string): unknown
}

/** To the beginning of the line, which is cleared (ECMA-48, EL). */
const CLEAR = '\r\u001b[2K'

export class StatusLine {
  readonly #screen: Screen
  #text = ''

  constructor(screen: Screen) {
    this.#screen = screen
  }

  show(text: string): void {
    this.#text = text
    // A line that wraps could not be cleared.
    this.#screen.write(`${CLEAR}${text.slice(0, (this.#screen.columns ?? 80) - 1)}`)
  }

  /** Makes room for what is written by `write`, and comes back after it. */
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
