/** What a credential plugin is told and what it answers (client.authentication.k8s.io). Pure. */
import { isMap } from '../../shapes.ts'
import type { KubeCluster } from './decode.ts'
import { readGoYaml } from './go-yaml.ts'

export const API_VERSIONS = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1']

/** The name of the extension of a cluster that its plugin gets. */
const EXTENSION = 'client.authentication.k8s.io/exec'

interface Told {
  apiVersion: string
  interactive: boolean
  /** With `provideClusterInfo`. */
  cluster?: { server: string; authority: Buffer | undefined; entry: KubeCluster } | undefined
}

/** $KUBERNETES_EXEC_INFO, in the same bytes as kubectl's. */
export function execInfo({ apiVersion, interactive, cluster }: Told): string {
  const spec = { ...(cluster === undefined ? {} : { cluster: clusterInfo(cluster) }), interactive }
  const json = JSON.stringify({ kind: 'ExecCredential', apiVersion, spec })
  // As Go's encoding/json does.
  return `${json.replace(/[<>&\u2028\u2029]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`
}

function clusterInfo({ server, authority, entry }: NonNullable<Told['cluster']>): object {
  const config = entry.extensions?.get(EXTENSION)
  return {
    server,
    ...(entry['tls-server-name'] && { 'tls-server-name': entry['tls-server-name'] }),
    ...(entry['insecure-skip-tls-verify'] && { 'insecure-skip-tls-verify': true }),
    ...(authority?.length && { 'certificate-authority-data': authority.toString('base64') }),
    ...(entry['proxy-url'] && { 'proxy-url': entry['proxy-url'].replace(/^[^:]*/, (scheme) => scheme.toLowerCase()) }),
    ...(entry['disable-compression'] && { 'disable-compression': true }),
    config: sorted(config ?? null),
  }
}

/** Go sorts the keys of maps. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isMap(value)) return value
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  )
}

export interface PluginCredentials {
  token?: string
  certificate?: string
  key?: string
  /** Milliseconds since 1970. */
  expires?: number
}

/** RFC 3339, as Go reads it: in capitals, and an hour may have one digit. */
const TIME = /^(\d{4}-\d\d-)(\d\d)T(\d{1,2})(:\d\d:\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)$/

/**
 * @param output what the plugin printed, in JSON or YAML
 * @throws Error for what kubectl refuses. It quotes nothing, because the output may be a token.
 */
export function readExecCredential(output: Buffer, apiVersion: string): PluginCredentials {
  const answer = answered(output)
  if (!isMap(answer) || (answer.kind ?? 'ExecCredential') !== 'ExecCredential' || typeof answer.apiVersion !== 'string')
    throw new Error('the credential plugin did not print an ExecCredential')
  if (answer.apiVersion !== apiVersion)
    throw new Error(`the credential plugin did not answer in ${apiVersion}, the version of the kubeconfig`)
  if (!isSpec(answer.spec)) throw new Error('the credential plugin printed an ExecCredential with a spec that is none')
  if (!isMap(answer.status)) throw new Error('the credential plugin did not print an ExecCredential with a status')
  return credentialsIn(answer.status)
}

/** Nobody needs it, but a wrong type makes the whole answer invalid. */
function isSpec(spec: unknown): boolean {
  if (spec === undefined || spec === null) return true
  if (!isMap(spec)) return false
  const { interactive = false, cluster = null } = spec
  return [true, false, null].includes(interactive as boolean | null) && (cluster === null || isMap(cluster))
}

function answered(output: Buffer): unknown {
  try {
    // kubectl reads what begins as JSON only as that.
    return /^\s*\{/.test(output.toString('latin1')) ? JSON.parse(output.toString()) : readGoYaml(output)
  } catch {
    throw new Error('the credential plugin did not print JSON or YAML')
  }
}

function credentialsIn(status: Record<string, unknown>): PluginCredentials {
  const [token, certificate, key] = ['token', 'clientCertificateData', 'clientKeyData'].map((field) => {
    const value = status[field] ?? ''
    if (typeof value !== 'string') throw new Error(`the credential plugin answered a ${field} that is not a text`)
    return value
  })
  if (!token && !certificate && !key)
    throw new Error('the credential plugin answered neither a token nor a certificate')
  if (!certificate !== !key)
    throw new Error('the credential plugin answered a certificate without its key, or a key without its certificate')
  const expires = expiryOf(status.expirationTimestamp)
  return {
    ...(token && { token }),
    ...(certificate && key && { certificate, key }),
    ...(expires === undefined ? {} : { expires }),
  }
}

function expiryOf(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined
  const time = typeof value === 'string' ? timeOf(value) : Number.NaN
  if (Number.isNaN(time)) throw new Error('the credential plugin answered an expirationTimestamp that is not a time')
  return time
}

function timeOf(text: string): number {
  const [, month = '', day = '', hour = '', minutes = '', fraction = '0', zone = ''] = TIME.exec(text) ?? []
  // Date takes 30 February for a day of March, and 24:00 for the next day.
  const exists = new Date(`${month}${day}T00:00:00Z`).getUTCDate() === Number(day) && Number(hour) < 24
  return exists ? Date.parse(`${month}${day}T${hour.padStart(2, '0')}${minutes}.${fraction}${zone}`) : Number.NaN
}
