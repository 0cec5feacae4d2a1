/** Composition root: shared flags, the real adapters, and what becomes of errors. The only file that picks adapters. */
import { generateKeyPair, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { homedir, hostname, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { Command, type Interfaces } from '@oclif/core'
import { AbsentCluster } from './cluster/absent-cluster.ts'
import type { Cluster } from './cluster/cluster.ts'
import { now } from './cluster/kube-clock.ts'
import { EXIT, UserError } from './errors.ts'
import { shared } from './flags/values.ts'
import type { Forwarding } from './forwarding/port-forward.ts'
import { renderError } from './rendering/error.ts'
import type { OutputFormat } from './rendering/output.ts'
import { StatusLine } from './terminal/status-line.ts'
import type { Dependencies } from './world.ts'

/** To the top of the screen, which is cleared (ECMA-48, CUP and ED). */
const CLEAR = '\u001b[H\u001b[2J'

/** What of the shared flags is the connection's; each command has a say in what a namespace is. */
type SharedFlags = Omit<Interfaces.InferredFlags<typeof shared>, 'namespace'>

export abstract class TelemetryCommand extends Command {
  static override baseFlags = shared

  /** Whether `-o` prints one JSON object a line, errors too. */
  protected readonly oneLine: boolean = false
  readonly #statusLine = new StatusLine(process.stderr)
  #cluster: Cluster | undefined

  /** For whoever has made it without oclif's `run`. */
  async runAlone(): Promise<void> {
    await this._run()
  }

  /** Without oclif's logger, which takes as long to load as the flags to parse. None of our commands is deprecated. */
  protected override async init(): Promise<void> {}

  /** The real world. Adapters are loaded when a command runs, so that none waits for what it does not use. */
  protected async connect(flags: SharedFlags): Promise<Dependencies> {
    const [reached, { DirectoryAuthorityStore }, { SystemTrustStores }, { WebProber }] = await Promise.all([
      this.reach(flags),
      import('./certificates/directory-authority-store.ts'),
      import('./certificates/system-trust-stores.ts'),
      import('./probing/web-prober.ts'),
    ])
    const data = dataHome(process.env)
    return {
      ...reached,
      authorities: new DirectoryAuthorityStore(join(data, 'kubectl-telemetry', 'authorities')),
      trustStores: new SystemTrustStores({
        platform: process.platform,
        home: homedir(),
        dataHome: data,
        path: process.env.PATH ?? '',
      }),
      prober: new WebProber(),
      machine: machineName(),
      clock: {
        now: () => new Date(),
        sleep: (milliseconds, signal) => sleep(milliseconds, undefined, { signal }).catch(() => undefined),
      },
      generateKey,
      writeFile: writeNewFile,
    }
  }

  /** What every command needs of it: the cluster, and somebody to ask. @param asksLittle it asks the API server for little */
  protected async reach(
    flags: SharedFlags,
    asksLittle = false,
  ): Promise<Pick<Dependencies, 'cluster' | 'terminal' | 'random'>> {
    const { KubeCluster } = await import('./cluster/kube-cluster.ts')
    const environment = process.env
    const options = {
      impersonate: { user: flags.as, groups: flags['as-group'] },
      timeout: flags['request-timeout'],
      environment,
      asksLittle,
      trace: flags.verbose ? (line: string) => this.answer('', line, true) : undefined,
    }
    const choice = { file: flags.kubeconfig, context: flags.context, environment }
    const cluster = orAbsent(() => new KubeCluster(choice, options))
    this.#cluster = cluster
    if (asksLittle) await begun(cluster.connect())
    const { ConsoleTerminal } = await import('./terminal/console-terminal.ts')
    return { cluster, terminal: new ConsoleTerminal(), random: randomBytes }
  }

  /** What forwarding needs of this machine. The signal says that somebody wants it to end. */
  protected async forwarding(): Promise<Forwarding> {
    const [{ TcpListener }, { DesktopBrowser }] = await Promise.all([
      import('./forwarding/tcp-listener.ts'),
      import('./terminal/desktop-browser.ts'),
    ])
    // Before it has grown, and when the API server is waited for.
    setImmediate(keepLittle)
    const timers = this.timers()
    return { listener: new TcpListener(), browser: new DesktopBrowser(), timers, signal: this.ending() }
  }

  protected timers(): Forwarding['timers'] {
    return {
      now,
      after: (milliseconds, act) => {
        const timer = setTimeout(act, milliseconds)
        return () => clearTimeout(timer)
      },
    }
  }

  /** Aborted when somebody wants it to end. From then on signals no longer end the process by themselves. */
  protected ending(): AbortSignal {
    const ending = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => ending.abort(signal))
    return ending.signal
  }

  /** The answer on stdout, what belongs beside it on stderr, and the exit code. */
  protected answer(page: string, aside: string, succeeded: boolean): void {
    this.#statusLine.above(() => {
      if (page !== '') process.stdout.write(`${page}\n`)
      if (aside !== '') process.stderr.write(`${aside}\n`)
    })
    if (!succeeded) process.exitCode = EXIT.failed
  }

  /** A page that takes the place of the one before, where people look at it. */
  protected screen(page: string, { output }: SharedFlags, again: boolean): void {
    if (again && output === undefined && process.stdout.isTTY) process.stdout.write(CLEAR)
    this.answer(page, '', true)
  }

  /** Another command, as if it had been typed. @returns its exit code, which is this one's until there is another */
  protected async carryOut(id: string, words: string[]): Promise<number> {
    process.exitCode = undefined
    await this.config.runCommand(id, words)
    return Number(process.exitCode ?? 0)
  }

  /** What only -v is to show. */
  protected detail(line: string, { verbose }: SharedFlags): void {
    if (verbose) this.answer('', line, true)
  }

  /** @returns what shows people who watch how things are; undefined where the output is read by something else */
  protected status<T>({ output }: SharedFlags, render: (state: T) => string): ((state: T) => void) | undefined {
    if (output !== undefined || !process.stdout.isTTY || !process.stderr.isTTY) return undefined
    return (state) => this.#statusLine.show(render(state))
  }

  protected override async catch(error: Error & { oclif?: { exit?: number } }): Promise<void> {
    this.#statusLine.hide()
    const known = asUserError(error)
    if (known === undefined) return super.catch(error)
    const format = outputFormat(this.argv)
    // For scripts the error is the answer; for people it is part of the conversation.
    const stream = format === undefined ? process.stderr : process.stdout
    stream.write(`${renderError(known, format, this.oneLine)}\n`)
    process.exitCode = known.exitCode
  }

  protected override async finally(error: Error | undefined): Promise<void> {
    this.#statusLine.hide()
    await this.#cluster?.close()
    return super.finally(error)
  }
}

/** Lets connections that are being opened say their first word before this thread is busy with something else. */
function begun(_opening: Promise<void>): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Without any kubeconfig there is no cluster; what does not need one goes on. A file that was named has to be there. */
function orAbsent(connect: () => Cluster): Cluster {
  try {
    return connect()
  } catch (error) {
    if (error instanceof UserError && error.code === 'KUBECONFIG_MISSING' && error.exitCode === EXIT.failed)
      return new AbsentCluster(error)
    throw error
  }
}

/** oclif's complaints about flags and arguments are the user's to mend too; anything else unknown is a bug. */
function asUserError(error: Error & { oclif?: { exit?: number } }): UserError | undefined {
  if (error instanceof UserError) {
    // oclif writes in front of the message which flag it was parsing; ours name the flag themselves.
    error.message = error.message.replace(/^Parsing --\S+ \n\t/, '').split('\nSee more help')[0] ?? ''
    return error
  }
  if (error.oclif?.exit !== EXIT.usage) return undefined
  const [message = ''] = error.message.split('\nSee more help')
  return new UserError('USAGE', message.replaceAll('\n', ' ').trim(), { exitCode: EXIT.usage, suggestions: ['--help'] })
}

/** Also known when the flags could not be parsed. */
function outputFormat(argv: string[]): OutputFormat | undefined {
  const [, found] = /(?:^|\0)(?:-o|--output)[=\0]?(json|yaml)(?:\0|$)/.exec(argv.join('\0')) ?? []
  return found as OutputFormat | undefined
}

/** https://specifications.freedesktop.org/basedir-spec/latest/ */
function dataHome(environment: NodeJS.ProcessEnv): string {
  return environment.XDG_DATA_HOME || join(environment.HOME ?? environment.USERPROFILE ?? '.', '.local', 'share')
}

/** `jane@laptop`, as far as it is known. */
function machineName(): string {
  try {
    return `${userInfo().username}@${hostname()}`
  } catch {
    // A container's user may have no name.
    return hostname()
  }
}

async function generateKey(bits = 2048): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: bits })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/**
 * What was carried stays in memory until V8's young generation is full, so that one is kept small. Measured on V8 13 (Node 24), which heeds
 * both while it runs: without the first, downloads peak at 133 MiB instead of 85; without the second, ten thousand short connections at
 * 148 instead of 100. Another V8 might not know them, and say so on stderr.
 */
function keepLittle(): void {
  if (process.versions.v8.startsWith('13.'))
    setFlagsFromString('--scavenger-max-new-space-capacity-mb=1 --semi-space-growth-factor=1')
}

async function writeNewFile(path: string, data: string | Uint8Array, mode: number): Promise<void> {
  try {
    await writeFile(path, data, { mode, flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST')
      throw new UserError('FILE_EXISTS', `${path} is there already; it was left as it is`)
    throw new UserError('FILE_NOT_WRITTEN', `cannot write ${path}: ${(error as Error).message}`, { cause: error })
  }
}
