import { spawn } from 'node:child_process'

/** What a command printed, or why it failed: the message ends with its own words. */
export class CommandError extends Error {
  readonly exitCode: number | null
  constructor(argv: readonly string[], exitCode: number | null, output: string) {
    super(`${argv.slice(0, 4).join(' ')}… exited with ${exitCode}:\n${output.trim().split('\n').slice(-20).join('\n')}`)
    this.exitCode = exitCode
  }
}

export interface CommandOptions {
  cwd?: string
  env?: NodeJS.ProcessEnv
  input?: string
}

/** Runs a command to its end and returns its stdout. Both streams are kept for the error. */
export function command(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const [program, ...args] = argv
  if (program === undefined) throw new TypeError('empty command')
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: options.cwd, env: { ...process.env, ...options.env } })
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve(Buffer.concat(stdout).toString())
      else reject(new CommandError(argv, code, Buffer.concat([...stderr, ...stdout]).toString()))
    })
    child.stdin.on('error', () => {}) // a command may end without reading its input
    child.stdin.end(options.input ?? '')
  })
}

/** True when the command succeeds; for questions, where failure is an answer. */
export function succeeds(argv: readonly string[], options?: CommandOptions): Promise<boolean> {
  return command(argv, options).then(
    () => true,
    () => false,
  )
}
