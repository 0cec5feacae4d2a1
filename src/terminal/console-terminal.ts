/** The real terminal: inquirer's prompts, loaded when the first question is asked, written to stderr. */
import { isatty } from 'node:tty'
import { interrupted } from '../errors.ts'
import type { Choice, Terminal } from './terminal.ts'

interface Context {
  output: NodeJS.WriteStream
  signal: AbortSignal
}

export class ConsoleTerminal implements Terminal {
  // `process.stdin.isTTY` would open the stream, which most runs never read.
  readonly interactive = isatty(0) && isatty(2)

  note(line: string): void {
    process.stderr.write(`${line}\n`)
  }

  async confirm(question: string, byDefault = false): Promise<boolean> {
    const { default: confirm } = await import('@inquirer/confirm')
    return answer((context) => confirm({ message: question, default: byDefault }, context))
  }

  async select<T>(question: string, choices: Choice<T>[], byDefault?: T): Promise<T> {
    const { default: select } = await import('@inquirer/select')
    const config = { message: question, choices, ...(byDefault === undefined ? {} : { default: byDefault }) }
    return answer((context) => select<T>(config, context))
  }

  async checkbox<T>(question: string, choices: Choice<T>[], ticked: T[]): Promise<T[]> {
    const { default: checkbox } = await import('@inquirer/checkbox')
    const marked = choices.map((choice) => ({ ...choice, checked: ticked.includes(choice.value) }))
    return answer((context) => checkbox<T>({ message: question, choices: marked, required: true }, context))
  }

  async input(question: string, check: (text: string) => string | undefined, byDefault?: string): Promise<string> {
    const { default: input } = await import('@inquirer/input')
    const validate = (text: string) => check(text) ?? true
    const config = { message: question, validate, ...(byDefault === undefined ? {} : { default: byDefault }) }
    return answer((context) => input(config, context))
  }
}

/** Ctrl-C rejects a prompt; for us that is the person's decision, not a fault. So is Ctrl-D, after which inquirer would wait for ever. */
async function answer<T>(prompt: (context: Context) => Promise<T>): Promise<T> {
  const closed = new AbortController()
  const close = () => closed.abort()
  process.stdin.once('pause', close)
  try {
    return await prompt({ output: process.stderr, signal: closed.signal })
  } catch (error) {
    if (['ExitPromptError', 'AbortPromptError'].includes((error as Error).name)) throw interrupted()
    throw error
  } finally {
    process.stdin.off('pause', close)
  }
}
