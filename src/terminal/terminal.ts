/** The conversation with the person at the keyboard. Answers go to stdout, the conversation to stderr. */

export interface Choice<T> {
  name: string
  value: T
}

export interface Terminal {
  /** Whether there is somebody to ask: stdin and stderr are terminals. */
  readonly interactive: boolean
  /** One line about what goes on. */
  note(line: string): void
  /** Yes or no; the answer to just pressing Enter is no, unless said otherwise. */
  confirm(question: string, byDefault?: boolean): Promise<boolean>
  /** @param byDefault where the cursor is at first; the first choice when left out */
  select<T>(question: string, choices: Choice<T>[], byDefault?: T): Promise<T>
  /** One choice or more. @param ticked at first */
  checkbox<T>(question: string, choices: Choice<T>[], ticked: T[]): Promise<T[]>
  /** @param check a reason why a text cannot be taken, or undefined when it can */
  input(question: string, check: (text: string) => string | undefined, byDefault?: string): Promise<string>
}
