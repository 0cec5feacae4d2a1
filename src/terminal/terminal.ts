/** Interface to the user at the terminal. Questions and notes go to stderr; stdout is for results. */

export interface Choice<T> {
  name: string
  value: T
}

export interface Terminal {
  /** Whether the user can be asked: stdin and stderr are terminals. */
  readonly interactive: boolean
  /** Writes one line about the progress. */
  note(line: string): void
  /** Asks for yes or no. @param byDefault the answer for Enter; no if left out */
  confirm(question: string, byDefault?: boolean): Promise<boolean>
  /** @param byDefault the first position of the cursor; the first choice if left out */
  select<T>(question: string, choices: Choice<T>[], byDefault?: T): Promise<T>
  /** Asks for one or more choices. @param ticked choices that are selected at first */
  checkbox<T>(question: string, choices: Choice<T>[], ticked: T[]): Promise<T[]>
  /** @param check returns why a text is invalid, or undefined */
  input(question: string, check: (text: string) => string | undefined, byDefault?: string): Promise<string>
}
