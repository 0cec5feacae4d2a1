/** A person who answers the questions that were scripted, and whose surprise at any other ends the test. */
import type { Choice, Terminal } from '../../src/terminal/terminal.ts'

export class FakeTerminal implements Terminal {
  readonly interactive: boolean
  readonly notes: string[] = []
  readonly asked: string[] = []
  readonly #answers: Record<string, unknown>

  /** @param answers question to answer; without any, nobody is there to ask */
  constructor(answers?: Record<string, unknown>) {
    this.interactive = answers !== undefined
    this.#answers = answers ?? {}
  }

  note(line: string): void {
    this.notes.push(line)
  }

  async confirm(question: string): Promise<boolean> {
    return this.#answer(question) as boolean
  }

  async select<T>(question: string, choices: Choice<T>[]): Promise<T> {
    const name = this.#answer(question)
    const choice = choices.find((one) => one.name === name)
    if (choice === undefined) throw new Error(`"${name}" is not among ${choices.map((one) => one.name).join(', ')}`)
    return choice.value
  }

  async input(question: string, check: (text: string) => string | undefined): Promise<string> {
    const text = this.#answer(question) as string
    const complaint = check(text)
    if (complaint !== undefined) throw new Error(complaint)
    return text
  }

  #answer(question: string): unknown {
    this.asked.push(question)
    if (!(question in this.#answers)) throw new Error(`nobody scripted an answer to: ${question}`)
    const answer = this.#answers[question]
    if (answer instanceof Error) throw answer
    return answer
  }
}
