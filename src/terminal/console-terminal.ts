/** Asks with inquirer's prompts on stderr. They are loaded with the first question. */
import { isatty } from 'node:tty'
import { interrupted } from '../errors.ts'
import { hasUnseen, oneLine, shown } from '../text.ts'
import { writeAside } from './console-streams.ts'
import type { Choice, Terminal } from './terminal.ts'

interface Context {
  output: NodeJS.WriteStream
  signal: AbortSignal
}

export class ConsoleTerminal implements Terminal {
  // Not `process.stdin.isTTY`, which opens the stream: most runs never read it.
  readonly interactive = isatty(0) && isatty(2)

  note(line: string): void {
    writeAside(oneLine(line))
  }

  async confirm(question: string, byDefault = false): Promise<boolean> {
    const { default: confirm } = await import('@inquirer/confirm')
    return answer((context) => confirm({ message: oneLine(question), default: byDefault }, context))
  }

  async select<T>(question: string, choices: Choice<T>[], byDefault?: T): Promise<T> {
    const { default: select } = await import('@inquirer/select')
    const config = {
      message: oneLine(question),
      choices: choices.map(named),
      ...(byDefault === undefined ? {} : { default: byDefault }),
    }
    return answer((context) => select<T>(config, context))
  }

  async checkbox<T>(question: string, choices: Choice<T>[], ticked: T[]): Promise<T[]> {
    const { default: checkbox } = await import('@inquirer/checkbox')
    const marked = choices.map((choice) => ({ ...named(choice), checked: ticked.includes(choice.value) }))
    return answer((context) => checkbox<T>({ message: oneLine(question), choices: marked, required: true }, context))
  }

  async input(question: string, check: (text: string) => string | undefined, byDefault?: string): Promise<string> {
    const { default: input } = await import('@inquirer/input')
    const validate = (text: string) => {
      const complaint = check(text)
      return complaint === undefined || oneLine(complaint)
    }
    // The prompt shows the default, and an answer that cannot be seen is none.
    const offered = byDefault === undefined || hasUnseen(byDefault) ? {} : { default: byDefault }
    const config = { message: oneLine(question), validate, ...offered }
    return answer((context) => input(config, context))
  }
}

/** A choice whose name is one line. */
function named<T>({ name, value }: Choice<T>): Choice<T> {
  return { name: shown(name), value }
}

/** Ctrl-C rejects a prompt: that is a decision of the user, not a fault. After Ctrl-D inquirer would wait for ever, so it counts as Ctrl-C. */
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
