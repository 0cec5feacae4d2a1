/** Composition root: the only file that picks adapters. Each is loaded when a command needs it. */
import { generateKeyPair, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { hostname, userInfo } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { AbsentCluster } from './cluster/absent-cluster.ts'
import type { Cluster } from './cluster/cluster.ts'
import { now } from './cluster/kube-clock.ts'
import type { Overrides } from './cluster/kubeconfig/kube-overrides.ts'
import { EXIT, hasCode } from './errors.ts'
import type { ForwardEnvironment } from './forwarding/port-forward.ts'
import type { SampleFiles } from './installing/samples.ts'
import type { Outside } from './installing/source/source.ts'
import { readAtMost, writeNewFile, writeNewFiles } from './machine-files.ts'
import { NO_HOME } from './no-home.ts'
import type { AskOverTls } from './scraping/proof.ts'
import type { Terminal } from './terminal/terminal.ts'
import type { TrafficEnvironment } from './traffic/traffic.ts'
import type { AskDns, AskInside, Dependencies, ReadServedChain, RunProgram } from './world.ts'

/** The flags that select the cluster and the user. */
export interface ConnectionFlags {
  kubeconfig?: string | undefined
  context?: string | undefined
  as?: string | undefined
  'as-group'?: string[] | undefined
  'as-uid'?: string | undefined
  'as-user-extra'?: string[] | undefined
  cluster?: string | undefined
  user?: string | undefined
  server?: string | undefined
  'tls-server-name'?: string | undefined
  'insecure-skip-tls-verify'?: boolean | undefined
  'certificate-authority'?: string | undefined
  'client-certificate'?: string | undefined
  'client-key'?: string | undefined
  token?: string | undefined
  'request-timeout': number
}

type ClusterAdapters = Pick<Dependencies, 'cluster' | 'terminal' | 'random'>

/**
 * @param fewRequests whether the command sends few requests before a tunnel: then the connection starts faster
 * @param trace called for each request
 */
export async function clusterAdapters(
  flags: ConnectionFlags,
  fewRequests: boolean,
  trace: ((line: string) => void) | undefined,
): Promise<ClusterAdapters> {
  const { KubeCluster } = await import('./cluster/kube-cluster.ts')
  const environment = { ...process.env }
  // Each of our connections says itself whether the server is verified, so Node's warning about the variable would be wrong.
  delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
  const { as: user, 'as-group': groups, 'as-uid': uid, 'as-user-extra': extra } = flags
  const impersonate = { user, groups, uid, extra }
  const options = { impersonate, timeout: flags['request-timeout'], environment, fewRequests, trace }
  const choice = { file: flags.kubeconfig, context: flags.context, overrides: overridesOf(flags), environment }
  const cluster = orAbsent(() => new KubeCluster(choice, options))
  if (fewRequests) await nextTurn(cluster.connect())
  return { cluster, terminal: await terminalAdapter(), random: randomBytes }
}

export async function terminalAdapter(): Promise<Terminal> {
  const { ConsoleTerminal } = await import('./terminal/console-terminal.ts')
  return new ConsoleTerminal()
}

/** Names of the contexts of a kubeconfig. @param file `--kubeconfig` @throws UserError KUBECONFIG_MISSING, KUBECONFIG_INVALID */
export async function contextNames(file: string | undefined): Promise<string[]> {
  const { contextsIn } = await import('./cluster/kubeconfig/kube-config.ts')
  return contextsIn({ file, environment: process.env })
}

function overridesOf(flags: ConnectionFlags): Overrides {
  return {
    cluster: flags.cluster,
    user: flags.user,
    server: flags.server,
    serverName: flags['tls-server-name'],
    insecure: flags['insecure-skip-tls-verify'],
    authority: flags['certificate-authority'],
    certificate: flags['client-certificate'],
    key: flags['client-key'],
    token: flags.token,
  }
}

/** The adapters of this machine. */
export async function machineAdapters(): Promise<Omit<Dependencies, 'cluster' | 'terminal'>> {
  const [{ DirectoryAuthorityStore }, { SystemTrustStores }, { WebProber }] = await Promise.all([
    import('./certificates/directory-authority-store.ts'),
    import('./certificates/system-trust-stores.ts'),
    import('./probing/web-prober.ts'),
  ])
  const home = homeOf(process.env)
  const data = dataHome(process.env, home)
  return {
    authorities: new DirectoryAuthorityStore(data && join(data, 'kubectl-telemetry', 'authorities')),
    meshRoots: new DirectoryAuthorityStore(data && join(data, 'kubectl-telemetry', 'meshes')),
    trustStores: new SystemTrustStores({
      platform: process.platform,
      home,
      dataHome: data,
      path: process.env.PATH ?? '',
    }),
    prober: new WebProber(),
    machine: machineName(),
    clock: {
      now: () => new Date(),
      sleep: (milliseconds, signal) => sleep(milliseconds, undefined, { signal }).catch(() => undefined),
    },
    random: randomBytes,
    generateKey,
    writeFile: writeNewFile,
    writeFiles: writeNewFiles,
  }
}

/** @param signal ends the forwards */
export async function forwardAdapters(signal: AbortSignal): Promise<ForwardEnvironment> {
  const [{ TcpListener }, { DesktopBrowser }] = await Promise.all([
    import('./forwarding/tcp-listener.ts'),
    import('./terminal/desktop-browser.ts'),
  ])
  // In a later turn, while the API server is busy with the first request, but before the heap has grown.
  setImmediate(limitHeap)
  return { listener: new TcpListener(), browser: new DesktopBrowser(), timers: TIMERS, signal }
}

/** Sends many requests to a gateway. */
export async function trafficAdapters(): Promise<Pick<TrafficEnvironment, 'open' | 'timers'>> {
  const { WebSender } = await import('./probing/web-sender.ts')
  setImmediate(limitHeap)
  return { open: (target) => new WebSender(target), timers: TIMERS }
}

/** Sends requests to pods over TLS through a tunnel. */
export async function overTlsAdapter(): Promise<AskOverTls> {
  const { askOverTls } = await import('./forwarding/tunnel/ask-over-tls.ts')
  return (question, certificate, cluster) => askOverTls(question, certificate, { cluster, timers: TIMERS })
}

/** Asks DNS servers in pods, through a tunnel. */
export async function dnsAdapter(): Promise<AskDns> {
  const { askDns } = await import('./forwarding/tunnel/ask-dns.ts')
  return (question, cluster) => askDns(question, { cluster, timers: TIMERS })
}

/** Asks what listens only inside a pod, through a tunnel. */
export async function insideAdapter(): Promise<AskInside> {
  const { askInside } = await import('./forwarding/tunnel/ask-inside.ts')
  return (request, cluster) => askInside(request, { cluster, timers: TIMERS })
}

/** Reads the certificates that a port of a pod serves, through a tunnel. */
export async function chainAdapter(): Promise<ReadServedChain> {
  const { servedChain } = await import('./forwarding/tunnel/served-chain.ts')
  return (request, cluster) => servedChain(request, { cluster, timers: TIMERS })
}

/** Runs programs in containers. */
export async function programAdapter(): Promise<RunProgram> {
  const { execInside } = await import('./forwarding/tunnel/exec-inside.ts')
  return (program, cluster) => execInside(program, { cluster, timers: TIMERS })
}

/** Istio's sample add-ons in the package: in `samples` beside `commands`, or beside this file. */
export function sampleFiles(): SampleFiles {
  const directory = join(above(import.meta.dirname, 'samples'), 'samples')
  return {
    versions: async () => (await readdir(directory)).filter((name) => /^\d+\.\d+$/.test(name)),
    read: (version, file) => readFile(join(directory, version, `${file}.yaml`), 'utf8'),
  }
}

/** Samples that are not in the package: on this machine, on web servers, and in Istio's releases. */
export function outside(): Outside {
  return {
    disk: { read: readAtMost, within: (directory, file) => join(directory, file) },
    web: {
      get: async (url, limits) => {
        const { WebFiles } = await import('./installing/source/web-files.ts')
        return new WebFiles(process.env).get(url, limits)
      },
    },
    releases: 'https://raw.githubusercontent.com/istio/istio/',
  }
}

function above(directory: string, name: string): string {
  return existsSync(join(directory, name)) || dirname(directory) === directory
    ? directory
    : above(dirname(directory), name)
}

const TIMERS: ForwardEnvironment['timers'] = {
  now,
  after: (milliseconds, act) => {
    const timer = setTimeout(act, milliseconds)
    return () => clearTimeout(timer)
  },
}

/** Lets a connection that is being opened send its first bytes before this thread loads more modules. */
function nextTurn(_opening: Promise<void>): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Without any kubeconfig commands that need no cluster still work. A file that a flag names has to exist. */
function orAbsent(connect: () => Cluster): Cluster {
  try {
    return connect()
  } catch (error) {
    if (hasCode(error, 'KUBECONFIG_MISSING') && error.exitCode === EXIT.failed) return new AbsentCluster(error)
    throw error
  }
}

/**
 * https://specifications.freedesktop.org/basedir-spec/latest/: a relative directory counts as none. CAs must not land in whatever directory
 * the user is in.
 */
function dataHome({ XDG_DATA_HOME }: NodeJS.ProcessEnv, home: string | undefined): string | undefined {
  if (XDG_DATA_HOME && isAbsolute(XDG_DATA_HOME)) return XDG_DATA_HOME
  return home && join(home, '.local', 'share')
}

/** Without a variable, the home directory of the user's account. @returns undefined for a user without any, as in some containers */
function homeOf({ HOME, USERPROFILE }: NodeJS.ProcessEnv): string | undefined {
  const home = HOME || USERPROFILE
  if (home && isAbsolute(home) && home !== NO_HOME) return home
  try {
    return userInfo().homedir
  } catch {
    return undefined
  }
}

/** `jane@laptop`, or only the host name. */
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
 * Carried bytes stay in memory until V8's young generation is full, so its size is limited. Measured on V8 13 (Node 24), which accepts both
 * flags at run time: without the first, downloads peak at 133 MiB instead of 85; without the second, ten thousand short connections at
 * 148 instead of 100. Other versions of V8 might not accept them, and would print an error.
 */
function limitHeap(): void {
  if (process.versions.v8.startsWith('13.'))
    setFlagsFromString('--scavenger-max-new-space-capacity-mb=1 --semi-space-growth-factor=1')
}
