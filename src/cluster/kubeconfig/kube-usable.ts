/** What kubectl refuses in the entries that a context uses (client-go's clientcmd/validation.go), before any request. */
import { closeSync, openSync } from 'node:fs'
import type { ExecPlugin, KubeCluster, KubeUser } from './decode.ts'

const MODES = ['Never', 'IfAvailable', 'Always']

/** @returns what is wrong, as a clause */
export function clusterFault(cluster: KubeCluster, scheme: string): string | undefined {
  const { 'certificate-authority': file, 'certificate-authority-data': data } = cluster
  if (file !== undefined && data !== undefined)
    return 'its cluster has certificate-authority and certificate-authority-data, and only one of them can count'
  if (scheme === 'https' && (file ?? data) !== undefined && cluster['insecure-skip-tls-verify'])
    return 'its cluster has a CA together with insecure-skip-tls-verify, and only one of them can count'
  return file === undefined ? undefined : unreadable('certificate-authority', file)
}

/** @returns what is wrong, as a clause */
export function userFault(user: KubeUser): string | undefined {
  const basic = user.username !== undefined || user.password !== undefined
  if (basic && user.token !== undefined) return 'its user has a token together with a name or a password'
  return certificateFault(user) ?? (user.exec ? pluginFault(user.exec, user) : undefined)
}

function certificateFault(user: KubeUser): string | undefined {
  const { 'client-certificate': file, 'client-certificate-data': data } = user
  const { 'client-key': keyFile, 'client-key-data': keyData } = user
  if (file === undefined && data === undefined) return undefined
  if (file !== undefined && data !== undefined) return 'its user has client-certificate and client-certificate-data'
  if (keyFile !== undefined && keyData !== undefined) return 'its user has client-key and client-key-data'
  if (keyFile === undefined && keyData === undefined) return 'its user has a client certificate without a key'
  return (
    (file === undefined ? undefined : unreadable('client-certificate', file)) ??
    (keyFile === undefined ? undefined : unreadable('client-key', keyFile))
  )
}

function pluginFault(
  { command, apiVersion, env = [], interactiveMode }: ExecPlugin,
  user: KubeUser,
): string | undefined {
  if (user['auth-provider']) return 'its user has an auth-provider together with exec'
  if (command === undefined) return 'exec of its user has no command'
  if (apiVersion === undefined) return 'exec of its user has no apiVersion'
  if (env.some(({ name }) => name === undefined)) return 'exec of its user has an environment variable without a name'
  const mode = interactiveMode ?? (/\/v1(alpha|beta)1$/.test(apiVersion) ? 'IfAvailable' : undefined)
  if (mode === undefined) return 'exec of its user has no interactiveMode: Never, IfAvailable or Always'
  return MODES.includes(mode) ? undefined : 'interactiveMode of its user is not Never, IfAvailable or Always'
}

function unreadable(field: string, file: string): string | undefined {
  try {
    closeSync(openSync(file, 'r'))
    return undefined
  } catch (error) {
    return `its ${field} cannot be read: ${(error as Error).message}`
  }
}
