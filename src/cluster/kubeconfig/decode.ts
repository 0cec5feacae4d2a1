/**
 * The content of a kubeconfig file, with the types of client-go's clientcmd/api/v1: a field of a wrong type makes the whole file invalid, also in an
 * entry that is not used, and an unknown field is ignored. A field that is empty is left out. Pure.
 */
import { isMap } from '../../shapes.ts'

/** @param path for errors: `users[0].user.token` */
type Read<T> = (value: unknown, path: string) => T
type Fields<T> = { [K in keyof T]-?: Read<Exclude<T[K], undefined>> }

export interface KubeCluster {
  server?: string
  'tls-server-name'?: string
  'insecure-skip-tls-verify'?: boolean
  'certificate-authority'?: string
  'certificate-authority-data'?: Buffer
  'proxy-url'?: string
  'disable-compression'?: boolean
  extensions?: Map<string, unknown>
}

export interface KubeUser {
  'client-certificate'?: string
  'client-certificate-data'?: Buffer
  'client-key'?: string
  'client-key-data'?: Buffer
  token?: string
  tokenFile?: string
  as?: string
  'as-uid'?: string
  'as-groups'?: string[]
  'as-user-extra'?: Record<string, string[]>
  username?: string
  password?: string
  'auth-provider'?: AuthProvider | null
  exec?: ExecPlugin | null
}

export interface AuthProvider {
  name?: string
  config?: Record<string, string>
}

export interface ExecPlugin {
  command?: string
  args?: string[]
  env?: { name?: string; value?: string }[]
  apiVersion?: string
  installHint?: string
  provideClusterInfo?: boolean
  interactiveMode?: string
}

export interface KubeContext {
  cluster?: string
  user?: string
  namespace?: string
}

export interface KubeconfigFile {
  'current-context'?: string
  clusters?: Map<string, KubeCluster>
  users?: Map<string, KubeUser>
  contexts?: Map<string, KubeContext>
}

/** The entries of one context. */
export interface Entries {
  context: string
  cluster: KubeCluster
  user: KubeUser
  /** The name of the user, and the file that has it. */
  userName?: string
  userFile?: string
  namespace: string
}

interface Extended {
  extensions?: Map<string, unknown>
}

const text: Read<string> = (value, path) => {
  if (value === null || value === undefined) return ''
  return typeof value === 'string' ? value : fail(path, 'a text')
}

const flag: Read<boolean> = (value, path) => {
  if (value === null || value === undefined) return false
  return typeof value === 'boolean' ? value : fail(path, 'true or false')
}

const bytes: Read<Buffer> = (value, path) => {
  const encoded = text(value, path).replace(/[\r\n]/g, '')
  const isBase64 = encoded.length % 4 === 0 && /^[\w+/]*={0,2}$/.test(encoded) && !encoded.includes('_')
  return isBase64 ? Buffer.from(encoded, 'base64') : fail(path, 'base64')
}

const anything: Read<unknown> = (value) => value

const list =
  <T>(item: Read<T>): Read<T[]> =>
  (value, path) => {
    if (value === null || value === undefined) return []
    return Array.isArray(value) ? value.map((one, at) => item(one, `${path}[${at}]`)) : fail(path, 'a list')
  }

const dictionary =
  <T>(item: Read<T>): Read<Record<string, T>> =>
  (value, path) => {
    if (value === null || value === undefined) return {}
    if (!isMap(value)) return fail(path, 'a map')
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, item(one, `${path}.${key}`)]))
  }

const record =
  <T extends object>(fields: Fields<T>): Read<T> =>
  (value, path) => {
    const given = value ?? {}
    if (!isMap(given)) return fail(path, 'a map')
    const entries = Object.entries<Read<unknown>>(fields)
      .map(([name, read]) => [name, read(given[name], path === '' ? name : `${path}.${name}`)] as const)
      .filter(([, one]) => !isEmpty(one))
    return Object.fromEntries(entries) as T
  }

/** Go's pointer to a struct: an empty map is not nothing. */
const optional =
  <T extends object>(read: Read<T>): Read<T | null> =>
  (value, path) =>
    value === null || value === undefined ? null : read(value, path)

/** A list of names and values. */
const named =
  <T>(field: string, read: Read<T>): Read<Map<string, T>> =>
  (value, path) => {
    const found = new Map<string, T>()
    list((entry, at) => {
      const fields = entry ?? {}
      if (!isMap(fields)) return fail(at, 'a map')
      const name = text(fields.name, `${at}.name`)
      if (found.has(name)) return fail(`${at}.name`, 'a name of its own')
      found.set(name, read(fields[field], `${at}.${field}`))
      return undefined
    })(value, path)
    return found
  }

function isEmpty(value: unknown): boolean {
  if (value === '' || value === false || value === undefined || value === null) return true
  if (value instanceof Map) return value.size === 0
  if (Array.isArray(value) || Buffer.isBuffer(value)) return value.length === 0
  return false
}

function fail(path: string, wanted: string): never {
  throw new Error(`${path === '' ? 'its content' : path} is not ${wanted}`)
}

const withoutEmpty =
  <T extends object>(read: Read<T>): Read<T> =>
  (value, path) => {
    const found = read(value, path)
    return (Object.keys(found).length === 0 ? undefined : found) as T
  }

/** What nobody reads has to be of the right type, too. */
const extensions = named('extension', anything)

const cluster = record<KubeCluster>({
  server: text,
  'tls-server-name': text,
  'insecure-skip-tls-verify': flag,
  'certificate-authority': text,
  'certificate-authority-data': bytes,
  'proxy-url': text,
  'disable-compression': flag,
  extensions,
})

const user = record<KubeUser & Extended>({
  extensions,
  'client-certificate': text,
  'client-certificate-data': bytes,
  'client-key': text,
  'client-key-data': bytes,
  token: text,
  tokenFile: text,
  as: text,
  'as-uid': text,
  'as-groups': list(text),
  'as-user-extra': withoutEmpty(dictionary(list(text))),
  username: text,
  password: text,
  'auth-provider': optional(record<AuthProvider>({ name: text, config: dictionary(text) })),
  exec: optional(
    record<ExecPlugin>({
      command: text,
      args: list(text),
      env: list(record({ name: text, value: text })),
      apiVersion: text,
      installHint: text,
      provideClusterInfo: flag,
      interactiveMode: text,
    }),
  ),
})

const file = record<KubeconfigFile & Extended & { preferences?: { colors?: boolean } & Extended }>({
  extensions,
  preferences: record({ colors: flag, extensions }),
  'current-context': text,
  clusters: named('cluster', cluster),
  users: named('user', user),
  contexts: named(
    'context',
    record<KubeContext & Extended>({ cluster: text, user: text, namespace: text, extensions }),
  ),
})

/** @throws Error with the path of a field whose type is wrong; values are not quoted, because they may be secrets */
export function decodeKubeconfig(value: unknown): KubeconfigFile {
  const { apiVersion, kind } = record<{ apiVersion?: string; kind?: string }>({ apiVersion: text, kind: text })(
    value,
    '',
  )
  if ((apiVersion ?? 'v1') !== 'v1' || (kind ?? 'Config') !== 'Config')
    throw new Error('it is not a Config of apiVersion v1')
  return file(value, '')
}
