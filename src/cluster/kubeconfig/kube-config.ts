/** Reads kubeconfig files like kubectl (reference: client-go's clientcmd loading rules; docs/decisions/0028). */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { delimiter, dirname, isAbsolute, join, resolve } from 'node:path'
import { EXIT, UserError, usageError } from '../../errors.ts'
import { type GoUrl, nodeUrl, parseUrl, serverUrl } from '../connecting/go-url.ts'
import { decodeKubeconfig, type Entries, type KubeContext, type KubeconfigFile } from './decode.ts'
import { readGoYaml } from './go-yaml.ts'
import { type Overrides, overriddenCluster, overriddenPod, overriddenUser } from './kube-overrides.ts'
import { podEntries } from './kube-pod.ts'
import { clusterFault, userFault } from './kube-usable.ts'

export interface KubeConfigChoice {
  /** `--kubeconfig`. */
  file?: string | undefined
  /** `--context`. */
  context?: string | undefined
  overrides?: Overrides | undefined
  /** $KUBECONFIG, $HOME and the like. */
  environment: NodeJS.ProcessEnv
}

/** What one run uses. */
export interface KubeConfig extends Entries {
  /** The API server's URL for Node: without a user, a query, and a slash at its end. */
  server: string
  /** The same as kubectl reads it. */
  url: GoUrl
  /** `proxy-url`. */
  proxy: GoUrl | undefined
}

/**
 * @throws UserError KUBECONFIG_MISSING, KUBECONFIG_INVALID, CONTEXT_UNKNOWN; with exit code 2 when a flag is wrong
 */
export function loadKubeConfig(choice: KubeConfigChoice): KubeConfig {
  const paths = configPaths(choice)
  const { files, present } = readAll(paths)
  const { overrides = {} } = choice
  const unnamed = files.some((file) => file.contexts?.has('')) ? '' : undefined
  const wanted = choice.context || files.map((file) => file['current-context']).find(Boolean) || unnamed
  if (choice.file && present.length === 0) throw missing(choice, paths)
  if (overrides.user) requireEntry('--user', entryIn(files, 'users', overrides.user), namesIn(files, 'users'))
  const isAlone = wanted === undefined && !overrides.server && !overrides.cluster
  const alone = isAlone ? withoutFile(choice.environment) : undefined
  if (alone !== undefined) return complete(overriddenPod(alone, overrides), present)
  if (present.length === 0 && !overrides.server) throw missing(choice, paths)
  return complete(entriesOf(files, wanted, { choice, present }), present)
}

/** Names of the contexts of all files. @throws UserError KUBECONFIG_MISSING, KUBECONFIG_INVALID */
export function contextsIn(choice: Pick<KubeConfigChoice, 'file' | 'environment'>): string[] {
  const paths = configPaths(choice)
  const { files, present } = readAll(paths)
  if (present.length === 0) throw missing(choice, paths)
  return namesIn(files, 'contexts')
}

function configPaths({ file, environment }: Pick<KubeConfigChoice, 'file' | 'environment'>): string[] {
  if (file) return [file]
  const { KUBECONFIG, HOME, USERPROFILE } = environment
  if (!KUBECONFIG) return [join(HOME ?? USERPROFILE ?? '', '.kube', 'config')]
  return [...new Set(KUBECONFIG.split(delimiter).filter((path) => path !== ''))]
}

interface Read {
  files: KubeconfigFile[]
  /** Paths of those that exist. */
  present: string[]
}

function readAll(paths: string[]): Read {
  const read: Read = { files: [], present: [] }
  for (const path of paths) {
    const bytes = contentOf(path)
    if (bytes === undefined) continue
    read.files.push(parse(bytes, path))
    read.present.push(path)
  }
  return read
}

/** @returns undefined if there is no such file */
function contentOf(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw invalid(`${path} cannot be read: ${(error as Error).message}`, error)
  }
}

/** Paths in it are relative to its directory. */
function parse(bytes: Buffer, path: string): KubeconfigFile {
  const directory = dirname(resolve(path))
  const absolute = <T extends object>(of: T, ...keys: (keyof T)[]) => {
    for (const key of keys) {
      const value = of[key] as string | undefined
      if (value !== undefined && !isAbsolute(value)) of[key] = resolve(directory, value) as T[keyof T]
    }
  }
  try {
    const file = decodeKubeconfig(readGoYaml(bytes))
    for (const cluster of file.clusters?.values() ?? []) absolute(cluster, 'certificate-authority')
    for (const user of file.users?.values() ?? []) {
      absolute(user, 'client-certificate', 'client-key', 'tokenFile')
      // A bare name is looked up on PATH.
      if (user.exec && isPath(user.exec.command)) absolute(user.exec, 'command')
    }
    return file
  } catch (error) {
    throw invalid(`${path} is not a kubeconfig: ${(error as Error).message}`, error)
  }
}

function isPath(command = ''): boolean {
  return command.includes('/') || (process.platform === 'win32' && command.includes('\\'))
}

/** Without a context kubectl takes the service account of a pod, then KUBERNETES_MASTER. Its last resort, localhost:8080, nobody means today. */
function withoutFile(environment: NodeJS.ProcessEnv): Entries | undefined {
  const { KUBERNETES_MASTER } = environment
  const ofMaster = {
    context: 'KUBERNETES_MASTER',
    cluster: { server: KUBERNETES_MASTER ?? '' },
    user: {},
    namespace: 'default',
  }
  return podEntries(environment) ?? (KUBERNETES_MASTER ? ofMaster : undefined)
}

/** The first file that names a context, cluster or user decides about all of it. */
function entriesOf(
  files: KubeconfigFile[],
  wanted: string | undefined,
  from: { choice: KubeConfigChoice; present: string[] },
): Entries {
  const { overrides = {} } = from.choice
  const context = contextIn(files, wanted, from)
  const cluster = entryIn(files, 'clusters', overrides.cluster || context.cluster)
  const user = entryIn(files, 'users', overrides.user || context.user)
  if (overrides.cluster) requireEntry('--cluster', cluster, namesIn(files, 'clusters'))
  const entry = overriddenCluster(cluster.entry ?? {}, overrides)
  // As without a context.
  const alone = entry.server === undefined ? withoutFile(from.choice.environment) : undefined
  if (alone !== undefined) return overriddenPod(alone, overrides)
  if (entry.server === undefined)
    throw invalid(
      `context "${wanted}" names a cluster that ${from.present.join(', ')} ${cluster.entry === undefined ? 'does not define' : 'defines without a server'}`,
    )
  return {
    context: wanted ?? (overrides.server ? '--server' : '--cluster'),
    cluster: entry,
    user: overriddenUser(user.entry ?? {}, overrides),
    userName: user.name,
    ...(user.file < 0 ? {} : { userFile: from.present[user.file] as string }),
    namespace: context.namespace ?? 'default',
  }
}

/** Empty if there is none, and flags name the cluster. */
function contextIn(
  files: KubeconfigFile[],
  wanted: string | undefined,
  { choice, present }: { choice: KubeConfigChoice; present: string[] },
): KubeContext {
  const { entry } = entryIn(files, 'contexts', wanted)
  if (wanted !== undefined && entry !== undefined) return entry
  if (wanted === undefined && (choice.overrides?.server || choice.overrides?.cluster)) return {}
  throw unknownContext(choice, wanted ?? '', namesIn(files, 'contexts'), present)
}

type Lists = Required<Pick<KubeconfigFile, 'contexts' | 'clusters' | 'users'>>

interface Found<Entry> {
  name: string
  entry: Entry | undefined
  /** The index of the file, or -1. */
  file: number
}

function entryIn<Of extends keyof Lists>(
  files: KubeconfigFile[],
  of: Of,
  name = '',
): Found<Lists[Of] extends Map<string, infer Entry> ? Entry : never> {
  const file = files.findIndex((one) => one[of]?.has(name))
  return { name, entry: files[file]?.[of]?.get(name) as never, file }
}

function requireEntry(flag: string, { name, entry }: Found<unknown>, known: string[]): void {
  if (entry !== undefined) return
  const list = known.length === 0 ? 'there are none' : `known: ${known.join(', ')}`
  throw usageError('KUBECONFIG_ENTRY_UNKNOWN', `${flag} "${name}" is not in the kubeconfig; ${list}`)
}

function namesIn(files: KubeconfigFile[], of: 'contexts' | 'clusters' | 'users'): string[] {
  return [...new Set(files.flatMap((file) => [...(file[of]?.keys() ?? [])]))]
}

/** @throws UserError KUBECONFIG_INVALID. URLs are not repeated, because they may contain a password. */
function complete(entries: Entries, paths: string[]): KubeConfig {
  const { cluster, user, context } = entries
  const of = `context "${context}"${paths.length === 0 ? '' : ` of ${paths.join(', ')}`}`
  const url = serverUrl(cluster.server ?? '')
  const server = url && nodeUrl(url)
  if (url === undefined || server === undefined) throw invalid(`the server of ${of} is not an http or https URL`)
  const proxy = cluster['proxy-url'] === undefined ? undefined : parseUrl(cluster['proxy-url'])
  if (cluster['proxy-url'] !== undefined && !['http', 'https', 'socks5'].includes(proxy?.scheme ?? ''))
    throw invalid(`the proxy-url of ${of} is not a URL of a proxy: http, https or socks5`)
  const fault = clusterFault(cluster, url.scheme) ?? userFault(user)
  if (fault !== undefined) throw invalid(`${of}: ${fault}`)
  return { ...entries, server, url, proxy }
}

function invalid(message: string, cause?: unknown): UserError {
  return new UserError('KUBECONFIG_INVALID', message, {
    suggestions: ['kubectl config view   # checks the file', 'kubectl config get-contexts'],
    ...(cause === undefined ? {} : { cause }),
  })
}

function missing({ file }: KubeConfigChoice, paths: string[]): UserError {
  const where = paths.length === 0 ? 'KUBECONFIG names no file' : `no kubeconfig found at ${paths.join(', ')}`
  return new UserError('KUBECONFIG_MISSING', where, {
    exitCode: file ? EXIT.usage : EXIT.failed,
    suggestions: ['--kubeconfig FILE', 'export KUBECONFIG=FILE'],
  })
}

/** A fingerprint of the CAs in PEM that verify the API server; `undefined` without any. */
export function verifierOf({ cluster }: KubeConfig): string | undefined {
  const { 'certificate-authority': file, 'certificate-authority-data': data } = cluster
  const pem = data === undefined ? file && readFileSync(file, 'utf8') : data.toString()
  if (!pem || cluster['insecure-skip-tls-verify']) return undefined
  // The same CA has other line ends in other files.
  return `sha256:${createHash('sha256').update(pem.replace(/\s/g, '')).digest('hex')}`
}

function unknownContext({ context }: KubeConfigChoice, wanted: string, known: string[], paths: string[]): UserError {
  const list = known.length === 0 ? 'there are no contexts' : `known: ${known.join(', ')}`
  if (context) return usageError('CONTEXT_UNKNOWN', `--context "${wanted}" is not in ${paths.join(', ')}; ${list}`)
  return new UserError(
    'CONTEXT_UNKNOWN',
    wanted
      ? `the current context "${wanted}" is not in ${paths.join(', ')}; ${list}`
      : `${paths.join(', ')} has no current context; ${list}`,
    { suggestions: ['kubectl config use-context NAME', '--context NAME'] },
  )
}
