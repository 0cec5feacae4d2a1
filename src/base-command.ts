/** Composition root: shared flags, the real adapters, and what becomes of errors. The only file that picks adapters. */
import { generateKeyPair, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Command, type Interfaces } from '@oclif/core'
import { AbsentCluster } from './cluster/absent-cluster.ts'
import type { Cluster } from './cluster/cluster.ts'
import { EXIT, UserError } from './errors.ts'
import { shared } from './flags.ts'
import type { Dependencies } from './operations/dependencies.ts'
import type { Forwarding } from './operations/port-forward.ts'
import { renderError } from './rendering/error.ts'
import type { OutputFormat } from './rendering/output.ts'

type SharedFlags = Interfaces.InferredFlags<typeof shared>

export abstract class TelemetryCommand extends Command {
  static override baseFlags = shared

  /** Whether `-o` prints one JSON object a line, errors too. */
  protected readonly oneLine: boolean = false
  #dependencies: Dependencies | undefined

  /** The real world. Adapters are loaded when a command runs, so that `--help` does not wait for the cluster client. */
  protected async connect(flags: SharedFlags): Promise<Dependencies> {
    const [{ KubeCluster }, { ConsoleTerminal }, { DirectoryAuthorityStore }, { WebProber }] = await Promise.all([
      import('./cluster/kube-cluster.ts'),
      import('./terminal/console-terminal.ts'),
      import('./certificates/directory-authority-store.ts'),
      import('./probing/web-prober.ts'),
    ])
    const terminal = new ConsoleTerminal()
    const environment = process.env
    const options = {
      impersonate: { user: flags.as, groups: flags['as-group'] },
      timeout: flags['request-timeout'],
      environment,
      trace: flags.verbose ? (line: string) => terminal.note(line) : undefined,
    }
    const choice = { file: flags.kubeconfig, context: flags.context, environment }
    const cluster = orAbsent(() => new KubeCluster(choice, options))
    this.#dependencies = {
      cluster,
      terminal,
      authorities: new DirectoryAuthorityStore(join(dataHome(environment), 'kubectl-telemetry', 'authorities')),
      prober: new WebProber(),
      clock: {
        now: () => new Date(),
        sleep: (milliseconds, signal) => sleep(milliseconds, undefined, { signal }).catch(() => undefined),
      },
      random: randomBytes,
      generateKey,
    }
    return this.#dependencies
  }

  /** What forwarding needs of this machine. The signal says that somebody wants it to end. */
  protected async forwarding(): Promise<Omit<Forwarding, 'tell' | 'warn'>> {
    const { TcpListener } = await import('./forwarding/tcp-listener.ts')
    const timers = {
      now: () => performance.now(),
      after: (milliseconds: number, act: () => void) => {
        const timer = setTimeout(act, milliseconds)
        return () => clearTimeout(timer)
      },
    }
    return { listener: new TcpListener(), timers, signal: this.ending() }
  }

  /** Aborted when somebody wants it to end. From then on signals no longer end the process by themselves. */
  protected ending(): AbortSignal {
    const ending = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => ending.abort(signal))
    return ending.signal
  }

  /** The answer on stdout, what belongs beside it on stderr, and the exit code. */
  protected answer(page: string, aside: string, succeeded: boolean): void {
    if (page !== '') process.stdout.write(`${page}\n`)
    if (aside !== '') process.stderr.write(`${aside}\n`)
    if (!succeeded) process.exitCode = EXIT.failed
  }

  protected override async catch(error: Error & { oclif?: { exit?: number } }): Promise<void> {
    const known = asUserError(error)
    if (known === undefined) return super.catch(error)
    const format = outputFormat(this.argv)
    // For scripts the error is the answer; for people it is part of the conversation.
    const stream = format === undefined ? process.stderr : process.stdout
    stream.write(`${renderError(known, format, this.oneLine)}\n`)
    process.exitCode = known.exitCode
  }

  protected override async finally(error: Error | undefined): Promise<void> {
    await this.#dependencies?.cluster.close()
    return super.finally(error)
  }
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

async function generateKey(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}
