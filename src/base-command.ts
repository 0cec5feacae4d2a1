/** The base of all commands: connections, output, signals, and errors. */
import { Command } from '@oclif/core'
import {
  type ConnectionFlags,
  chainAdapter,
  clusterAdapters,
  contextNames,
  dnsAdapter,
  forwardAdapters,
  insideAdapter,
  machineAdapters,
  outside,
  overTlsAdapter,
  programAdapter,
  sampleFiles,
  terminalAdapter,
  trafficAdapters,
} from './adapters.ts'
import { bugError, stackOf } from './bug.ts'
import type { Cluster } from './cluster/cluster.ts'
import { EXIT, UserError } from './errors.ts'
import { kubectlWords } from './flags/kubectl-words.ts'
import { type ParseError, usageErrorOf } from './flags/parse-errors.ts'
import type { ForwardEnvironment } from './forwarding/port-forward.ts'
import type { SampleFiles } from './installing/samples.ts'
import type { Outside } from './installing/source/source.ts'
import { renderError } from './rendering/error.ts'
import type { OutputFormat } from './rendering/output.ts'
import type { AskOverTls } from './scraping/proof.ts'
import {
  clearScreen,
  isSeen,
  onReaderGone,
  STATUS_SCREEN,
  writeAnswer,
  writeAside,
} from './terminal/console-streams.ts'
import { StatusLine } from './terminal/status-line.ts'
import type { Terminal } from './terminal/terminal.ts'
import { oneLine, withoutCredentials } from './text.ts'
import type { TrafficEnvironment } from './traffic/traffic.ts'
import type { AskDns, AskInside, Dependencies, ReadServedChain, RunProgram } from './world.ts'

/** What the base reads of a command's flags. */
export interface OutputFlags {
  output?: OutputFormat | undefined
  verbose: boolean
}

type SharedFlags = ConnectionFlags & OutputFlags

/** Adapters for several clusters. */
type Connected = Omit<Dependencies, 'cluster'> & { clusters: Cluster[] }

export abstract class BaseCommand extends Command {
  /** Short, because oclif would print every flag here. */
  static override usage = '<%= command.id %> [flags]'

  /** Whether `-o json` prints one object a line, also for errors. */
  protected readonly oneLine: boolean = false
  readonly #statusLine = new StatusLine(STATUS_SCREEN)
  readonly #clusters: Cluster[] = []

  /** Runs the command without oclif's `run`. */
  async runDirectly(): Promise<void> {
    await this._run()
  }

  /** Not oclif's version, which loads its logger, which is slow, to warn about deprecated commands: there are none. */
  protected override async init(): Promise<void> {
    const { baseFlags, flags } = this.ctor
    this.argv = kubectlWords(this.argv, { ...baseFlags, ...flags })
  }

  /** All adapters. */
  protected async connect(flags: SharedFlags): Promise<Dependencies> {
    const [cluster, machine] = await Promise.all([this.connectCluster(flags), machineAdapters()])
    return { ...cluster, ...machine }
  }

  /** The cluster and the terminal. @param fewRequests see `clusterAdapters` */
  protected async connectCluster(
    flags: SharedFlags,
    fewRequests = false,
  ): Promise<Pick<Dependencies, 'cluster' | 'terminal' | 'random'>> {
    const trace = flags.verbose ? (line: string) => this.detail(line, flags) : undefined
    return this.#connected(await clusterAdapters(flags, fewRequests, trace))
  }

  /**
   * One connection for each context, and the adapters of this machine.
   * @param contexts at least one; `label` begins each line of -v about its cluster
   */
  protected async connectEach(
    contexts: readonly { label: string; context: string }[],
    flags: SharedFlags,
  ): Promise<Connected> {
    const connecting = contexts.map(({ label, context }) => {
      const trace = flags.verbose ? (line: string) => this.detail(`${label}: ${line}`, flags) : undefined
      return clusterAdapters({ ...flags, context }, false, trace).then((adapters) => this.#connected(adapters))
    })
    const [adapters, machine] = await Promise.all([Promise.all(connecting), machineAdapters()])
    const { terminal, random } = adapters[0] as (typeof adapters)[number]
    return { ...machine, terminal, random, clusters: adapters.map(({ cluster }) => cluster) }
  }

  protected terminal(): Promise<Terminal> {
    return terminalAdapter()
  }

  /** The adapters of this machine, for commands that need no cluster. */
  protected async machine(): ReturnType<typeof machineAdapters> {
    return machineAdapters()
  }

  /** Names of the contexts of the kubeconfig. */
  protected contextNames(flags: Pick<SharedFlags, 'kubeconfig'>): Promise<string[]> {
    return contextNames(flags.kubeconfig)
  }

  #connected<T extends { cluster: Cluster }>(adapters: T): T {
    this.#clusters.push(adapters.cluster)
    return adapters
  }

  /** Adapters for local ports. Signals end the forwards. */
  protected forwardEnvironment(): Promise<ForwardEnvironment> {
    return forwardAdapters(this.endSignal())
  }

  /** Adapters for many requests. Signals end them, from the first request on. */
  protected async trafficEnvironment(): Promise<TrafficEnvironment> {
    return { ...(await trafficAdapters()), ending: () => this.endSignal() }
  }

  protected askOverTls(): Promise<AskOverTls> {
    return overTlsAdapter()
  }

  protected askInside(): Promise<AskInside> {
    return insideAdapter()
  }

  protected askDns(): Promise<AskDns> {
    return dnsAdapter()
  }

  protected readServedChain(): Promise<ReadServedChain> {
    return chainAdapter()
  }

  protected runProgram(): Promise<RunProgram> {
    return programAdapter()
  }

  protected sampleFiles(): SampleFiles {
    return sampleFiles()
  }

  protected outside(): Outside {
    return outside()
  }

  /** @returns a signal that SIGINT, SIGTERM, SIGHUP and the end of stdout's reader abort. From now on they do not end the process. */
  protected endSignal(): AbortSignal {
    const ending = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => ending.abort(signal))
    onReaderGone(() => ending.abort('SIGPIPE'))
    return ending.signal
  }

  /** Writes the result to stdout and everything else to stderr, and sets the exit code. */
  protected answer(page: string, aside: string, succeeded: boolean | 'interrupted'): void {
    this.#statusLine.above(() => {
      if (page !== '') writeAnswer(page)
      if (aside !== '') writeAside(aside)
    })
    if (succeeded === 'interrupted') process.exitCode = EXIT.interrupted
    else if (!succeeded) process.exitCode = EXIT.failed
  }

  /** Writes a page. @param again whether it replaces the page before, on a terminal; then no page decides the exit code */
  protected screen(
    page: string,
    { output }: OutputFlags,
    { again, succeeded }: { again: boolean; succeeded: boolean },
  ): void {
    if (again && output === undefined && isSeen().answer) clearScreen()
    this.answer(page, '', again || succeeded)
  }

  /** Runs another command. @returns its exit code, which also becomes the exit code of this process */
  protected async runOther(id: string, words: string[]): Promise<number> {
    process.exitCode = undefined
    await this.config.runCommand(id, words)
    return Number(process.exitCode ?? 0)
  }

  /** Writes a line only with -v. */
  protected detail(line: string, { verbose }: OutputFlags): void {
    if (verbose) this.answer('', oneLine(withoutCredentials(line)), true)
  }

  /** @returns a function that shows progress in the last line of the terminal; undefined if the output is not a terminal */
  protected progress<T>({ output }: OutputFlags, render: (state: T) => string): ((state: T) => void) | undefined {
    if (output !== undefined || !isSeen().all) return undefined
    return (state) => this.#statusLine.show(render(state))
  }

  protected override async catch(error: ParseError): Promise<void> {
    this.#statusLine.hide()
    const known = asUserError(error, this.id ?? '')
    // An error of oclif itself: help was shown, or a command ended on purpose.
    if (known === undefined && error.oclif !== undefined) return super.catch(error)
    const stack = known === undefined ? stackOf(error, this.argv) : ''
    if (stack !== '') writeAside(stack)
    this.#report(known ?? bugError(error))
  }

  #report(error: UserError): void {
    const format = outputFormat(this.argv)
    // With -o the error is a result for scripts; otherwise it is a message for the user.
    const write = format === undefined ? writeAside : writeAnswer
    write(renderError(error, format, this.oneLine))
    process.exitCode = error.exitCode
  }

  protected override async finally(error: Error | undefined): Promise<void> {
    this.#statusLine.hide()
    await Promise.all(this.#clusters.map((one) => one.close()))
    return super.finally(error)
  }
}

/** oclif's errors about flags and arguments are errors of the user too; any other unknown error is a bug. */
function asUserError(error: ParseError, id: string): UserError | undefined {
  if (error instanceof UserError) {
    // oclif adds the name of the flag to the message; our messages already contain it.
    error.message = error.message.replace(/^Parsing --\S+ \n\t/, '').split('\nSee more help')[0] ?? ''
    return error
  }
  return usageErrorOf(error, id)
}

/** Reads -o from the arguments, because it is needed even if the flags cannot be parsed. */
function outputFormat(argv: string[]): OutputFormat | undefined {
  const [, found] = /(?:^|\0)(?:-o|--output)[=\0]?(json|yaml)(?:\0|$)/.exec(argv.join('\0')) ?? []
  return found as OutputFormat | undefined
}
