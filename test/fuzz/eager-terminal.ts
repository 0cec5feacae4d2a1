/** A user who agrees to everything, and takes what is offered. */
import { interrupted } from '../../src/errors.ts'
import type { Choice } from '../../src/terminal/terminal.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'

const MOST_QUESTIONS = 40

export class EagerTerminal extends FakeTerminal {
  override readonly interactive = true

  override async confirm(question: string): Promise<boolean> {
    this.#ask(question)
    return true
  }

  override async select<T>(question: string, choices: Choice<T>[], byDefault?: T): Promise<T> {
    this.#ask(question, choices)
    const [first] = choices
    if (first === undefined) throw new Error(`nothing to choose from: ${question}`)
    return choices.find(({ value }) => value === byDefault)?.value ?? first.value
  }

  override async checkbox<T>(question: string, choices: Choice<T>[], ticked: T[]): Promise<T[]> {
    this.#ask(question, choices)
    return ticked.length > 0 ? ticked : choices.map(({ value }) => value)
  }

  override async input(
    question: string,
    check: (text: string) => string | undefined,
    byDefault?: string,
  ): Promise<string> {
    this.#ask(question)
    const texts = [byDefault, '192.0.2.10', 'example.com', '10.0.0.0/8'].filter((text) => text !== undefined)
    const fit = texts.find((text) => check(text) === undefined)
    if (fit === undefined) throw interrupted()
    return fit
  }

  #ask(question: string, choices: Choice<unknown>[] = []): void {
    this.asked.push(question, ...choices.map(({ name }) => name))
    if (this.asked.length > MOST_QUESTIONS * 10) throw interrupted()
  }
}
