/** Writes new tokens into a kubeconfig, under the lock that kubectl takes, and leaves everything else of the file unchanged. */
import {
  chmodSync,
  closeSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { isScalar, type Range } from 'yaml'
import { mapOf } from '../../shapes.ts'
import { decodeKubeconfig } from './decode.ts'
import { readGoYaml, textAndDocuments } from './go-yaml.ts'

export type ProviderConfig = Record<string, string>

/** Pauses for a lock of another program, in milliseconds. kubectl gives up at once. */
const PAUSES = [100, 200, 400, 800]

/**
 * @param change from what the file has now, since another program may have written it; undefined to leave it
 * @returns what the file has then
 * @throws Error if the file cannot be locked or written: then `change` was not called, so that no token was used up
 */
export async function rewriteProvider(
  path: string,
  user: string,
  change: (config: ProviderConfig) => Promise<ProviderConfig | undefined>,
): Promise<ProviderConfig> {
  const lock = `${path}.lock`
  await takeLock(lock)
  try {
    const bytes = readFileSync(path)
    const config = decodeKubeconfig(readGoYaml(bytes)).users?.get(user)?.['auth-provider']?.config
    if (config === undefined) throw new Error(`${path} no longer has its user`)
    const changed = await change(config)
    if (changed === undefined) return config
    replace(path, withProvider(bytes, user, changed))
    return changed
  } finally {
    rmSync(lock, { force: true })
  }
}

async function takeLock(lock: string): Promise<void> {
  for (const pause of [...PAUSES, undefined]) {
    try {
      return closeSync(openSync(lock, 'wx', 0))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    if (pause === undefined)
      throw new Error(`${lock} exists: another program writes the kubeconfig. If none does, remove that file`)
    await sleep(pause)
  }
}

const FIELDS = ['id-token', 'refresh-token']

function withProvider(bytes: Buffer, user: string, config: ProviderConfig): string {
  const { text, documents } = textAndDocuments(bytes)
  const [document] = documents
  const users = mapOf(document?.toJS()).users as { name?: unknown }[]
  const index = users.findIndex(({ name }) => name === user)
  const path = (field: string) => ['users', index, 'user', 'auth-provider', 'config', field]
  const places = FIELDS.map((field) => {
    const node = document?.getIn(path(field), true)
    return { value: config[field] ?? '', range: isScalar(node) ? node.range : undefined }
  })
  if (places.every(({ range }) => range)) return spliced(text, places)
  // A new field: the layout of the rest may change.
  for (const field of FIELDS) document?.setIn(path(field), config[field])
  return documents.map((one) => one.toString({ lineWidth: 0 })).join('')
}

function spliced(text: string, places: { value: string; range: Range | null | undefined }[]): string {
  const backwards = places.toSorted((one, other) => (other.range?.[0] ?? 0) - (one.range?.[0] ?? 0))
  return backwards.reduce(
    (rest, { value, range }) => rest.slice(0, range?.[0]) + JSON.stringify(value) + rest.slice(range?.[1]),
    text,
  )
}

/** In one step, so that no reader sees half a file. Through links, and with the mode and the owner that it has. */
function replace(path: string, text: string): void {
  const file = realpathSync(path)
  const { mode, uid } = statSync(file)
  if (uid !== process.getuid?.()) {
    writeFileSync(file, text)
    return
  }
  const beside = `${file}.${process.pid}.new`
  try {
    writeFileSync(beside, text, { mode: 0o600, flag: 'wx' })
    chmodSync(beside, mode & 0o777)
    renameSync(beside, file)
  } catch (error) {
    rmSync(beside, { force: true })
    throw error
  }
}
