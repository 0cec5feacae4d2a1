/** Runs the program that a kubeconfig names for credentials as kubectl runs it: found on PATH, never in the working directory. */
import { spawn } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'
import { isatty } from 'node:tty'
import type { ExecPlugin, KubeCluster } from './decode.ts'
import { API_VERSIONS, execInfo, type PluginCredentials, readExecCredential } from './exec-credential.ts'

export interface PluginRun {
  plugin: ExecPlugin
  /** What `provideClusterInfo` provides. */
  server: string
  cluster: KubeCluster
  /** In PEM. */
  authority: Buffer | undefined
  environment: NodeJS.ProcessEnv
}

/** @throws Error for a version that no kubectl runs; it is checked even if the plugin is not needed */
export function requireKnownVersion({ apiVersion = '' }: ExecPlugin): void {
  if (!API_VERSIONS.includes(apiVersion)) throw new Error(`its exec plugin has the unknown apiVersion "${apiVersion}"`)
}

/** The user sees its stderr at once, and at a terminal it may ask. @throws Error when it cannot be run, or what it prints is no credential */
export async function runPlugin(run: PluginRun): Promise<PluginCredentials> {
  const { plugin, environment } = run
  const { apiVersion = '', args = [], env = [] } = plugin
  const interactive = isInteractive(plugin)
  const cluster = plugin.provideClusterInfo
    ? { server: run.server, authority: run.authority, entry: run.cluster }
    : undefined
  const own = Object.fromEntries(env.map(({ name = '', value = '' }) => [name, value]))
  const child = spawn(find(plugin, environment), args, {
    env: { ...environment, ...own, KUBERNETES_EXEC_INFO: execInfo({ apiVersion, interactive, cluster }) },
    stdio: [interactive ? 'inherit' : 'ignore', 'pipe', 'inherit'],
  })
  const chunks: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
  const ended = await new Promise<number | string>((resolve, reject) => {
    child.once('error', (error) => reject(notRun(plugin, error)))
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'no reason'))
  })
  if (ended !== 0)
    throw new Error(
      `the credential plugin "${plugin.command}" ended with ${typeof ended === 'number' ? 'exit code ' : ''}${ended}`,
    )
  return readExecCredential(Buffer.concat(chunks), apiVersion)
}

function isInteractive({ interactiveMode = 'IfAvailable' }: ExecPlugin): boolean {
  const isTerminal = isatty(0)
  if (interactiveMode === 'Always' && !isTerminal)
    throw new Error('its credential plugin has to ask, but standard input is not a terminal')
  return interactiveMode !== 'Never' && isTerminal
}

/**
 * A program on PATH. Node would also search the working directory: for an empty or relative entry of PATH, and on Windows always.
 * @throws Error if there is none, or if the first one is in a directory that is not absolute
 */
function find(plugin: ExecPlugin, { PATH = '', PATHEXT = '' }: NodeJS.ProcessEnv): string {
  const { command = '' } = plugin
  if (isAbsolute(command)) return command
  const endings = process.platform === 'win32' ? PATHEXT.split(';') : ['']
  const files = PATH.split(delimiter).flatMap((directory) =>
    endings.map((ending) => join(directory || '.', `${command}${ending}`)),
  )
  const found = files.find(isProgram)
  if (found !== undefined && isAbsolute(found)) return found
  throw notRun(plugin, new Error('it is in no absolute directory of PATH'))
}

function notRun({ command = '', installHint }: ExecPlugin, { message }: Error): Error {
  return new Error(
    `the credential plugin "${command}" cannot be run: ${message}${installHint === undefined ? '' : `. ${installHint.trim()}`}`,
  )
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}
