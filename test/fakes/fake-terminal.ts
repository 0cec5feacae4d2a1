/** A user who answers scripted questions; any other question fails the test. */
import type { Choice, Terminal } from '../../src/terminal/terminal.ts'

/** Answers to a repeated question. */
export class InTurn {
  readonly answers: unknown[]

  constructor(...answers: unknown[]) {
    this.answers = answers
  }
}

export class FakeTerminal implements Terminal {
  readonly interactive: boolean
  readonly notes: string[] = []
  readonly asked: string[] = []
  /** The defaults of questions: ticked choices, or the text or choice that Enter accepts. */
  readonly offered: Record<string, unknown[]> = {}
  readonly #answers: Record<string, unknown>

  /** @param answers answers by question; without them there is no terminal */
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

  async select<T>(question: string, choices: Choice<T>[], byDefault?: T): Promise<T> {
    this.#offer(question, choices.find(({ value }) => value === byDefault)?.name)
    return chosen(this.#answer(question), choices)
  }

  async checkbox<T>(question: string, choices: Choice<T>[], ticked: T[]): Promise<T[]> {
    this.#offer(
      question,
      choices.filter(({ value }) => ticked.includes(value)).map(({ name }) => name),
    )
    return (this.#answer(question) as string[]).map((name) => chosen(name, choices))
  }

  /** An empty answer means only Enter. */
  async input(question: string, check: (text: string) => string | undefined, byDefault?: string): Promise<string> {
    this.#offer(question, byDefault)
    const text = (this.#answer(question) as string) || (byDefault ?? '')
    const complaint = check(text)
    if (complaint !== undefined) throw new Error(complaint)
    return text
  }

  #answer(question: string): unknown {
    this.asked.push(question)
    if (!(question in this.#answers)) throw new Error(`no answer is scripted for: ${question}`)
    const scripted = this.#answers[question]
    if (scripted instanceof InTurn && scripted.answers.length === 0)
      throw new Error(`asked once too often: ${question}`)
    const answer = scripted instanceof InTurn ? scripted.answers.shift() : scripted
    if (answer instanceof Error) throw answer
    return answer
  }

  #offer(question: string, offer: unknown): void {
    this.offered[question] = [...(this.offered[question] ?? []), offer]
  }
}

function chosen<T>(name: unknown, choices: Choice<T>[]): T {
  const choice = choices.find((one) => one.name === name)
  if (choice === undefined) throw new Error(`"${name}" is not among ${choices.map((one) => one.name).join(', ')}`)
  return choice.value
}
