/**
 * Stores CAs as files: one directory per domain with ca.crt and ca.key, readable only by their owner. During a rotation next.pem contains
 * the next CA with its key, and ca.crt, which clients trust, contains both certificates. uses.jsonl has a line for each gateway for which
 * the CA works: a line is added in one write, so that simultaneous runs lose none.
 *
 * A domain often comes from the cluster, so each path is checked here: a domain is one name, its directory is no link, and nobody else
 * owns its files.
 */
import type { Stats } from 'node:fs'
import {
  appendFile,
  chmod,
  link,
  lstat,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { UserError } from '../errors.ts'
import { sh } from '../shell.ts'
import { type Authority, isPair, type KeyPair, trustBundle } from './authority.ts'
import type { AuthorityStore } from './authority-store.ts'
import { type AuthorityUse, isRecorded, lineOf, usesIn } from './authority-uses.ts'
import { ELSEWHERE, makeDirectory, requireDirectory, written } from './data-directory.ts'
import { certificatesIn } from './facts.ts'
import { isDnsName } from './names.ts'

const CERTIFICATE = 'ca.crt'
const KEY = 'ca.key'
const NEXT = 'next.pem'
const USES = 'uses.jsonl'

export class DirectoryAuthorityStore implements AuthorityStore {
  readonly #place: string | undefined

  /** @param root usually $XDG_DATA_HOME/kubectl-telemetry/authorities; without it there are no CAs, and none can be stored */
  constructor(root: string | undefined) {
    this.#place = root
  }

  get #root(): string {
    return requireDirectory(this.#place)
  }

  certificatePath(domain: string): string {
    return join(this.#directory(domain), CERTIFICATE)
  }

  async find(domain: string): Promise<Authority | undefined> {
    if (!isDnsName(domain) || this.#place === undefined) return undefined
    const directory = this.#directory(domain)
    const files = [CERTIFICATE, KEY, NEXT].map((name) => join(directory, name))
    await requireOwn(directory, files)
    const [bundle, key, nextText] = await Promise.all(files.map(readIfExists))
    if (bundle === undefined && key === undefined) return undefined
    const known = certificatesIn(bundle ?? '')
    // During a rotation there are two certificates: the key belongs to the current one.
    const certificate = known.find((one) => isPair({ certificate: one, key: key ?? '' }))
    if (certificate === undefined || key === undefined) throw unreadable(directory)
    await this.#restrict(join(directory, KEY))
    const next = pairIn(nextText)
    const authority = { domain, certificate, key }
    if (next === undefined) return authority
    if (next.key === key) {
      // An earlier run was interrupted between the last steps of a rotation.
      await this.#endRotation(authority)
      return authority
    }
    const rotating = { ...authority, next }
    if (bundle !== trustBundle(rotating)) await this.#replace(domain, CERTIFICATE, trustBundle(rotating))
    return rotating
  }

  keep(authority: Authority): Promise<Authority> {
    return written(this.#root, () => this.#keep(authority))
  }

  async #keep(authority: Authority): Promise<Authority> {
    await makeDirectory(this.#root)
    const draft = await mkdtemp(join(this.#root, '.new-'))
    try {
      await writeFile(join(draft, KEY), authority.key, { mode: 0o600 })
      await writeFile(join(draft, CERTIFICATE), authority.certificate, { mode: 0o600 })
      // The rename is atomic: an interrupted run leaves no half of a pair, and the first of two runs wins.
      await rename(draft, this.#directory(authority.domain))
      return authority
    } catch (error) {
      await rm(draft, { recursive: true, force: true })
      const winner = await this.find(authority.domain)
      if (winner === undefined) throw error
      return winner
    }
  }

  async keepNext(domain: string, next: KeyPair): Promise<KeyPair> {
    const draft = await this.#draft(NEXT, next.certificate + next.key)
    try {
      // The link is atomic, and the first of two runs wins.
      await link(draft.file, join(this.#directory(domain), NEXT))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    } finally {
      await draft.discard()
    }
    const kept = (await this.find(domain))?.next
    if (kept !== undefined) return kept
    throw new UserError(
      'CA_UNREADABLE',
      `${join(this.#directory(domain), NEXT)} does not contain a certificate and its key`,
    )
  }

  async promoteNext(domain: string): Promise<void> {
    const authority = await this.find(domain)
    if (authority?.next === undefined) return
    // From here on the next CA signs; ca.crt contains both certificates until the last step.
    await this.#replace(domain, KEY, authority.next.key)
    await this.#endRotation({ domain, ...authority.next })
  }

  async usesOf(domain: string): Promise<AuthorityUse[]> {
    if (!isDnsName(domain) || this.#place === undefined) return []
    const directory = this.#directory(domain)
    await requireOwn(directory, [join(directory, USES)])
    return usesIn((await readIfExists(join(directory, USES))) ?? '')
  }

  async recordUse(domain: string, use: AuthorityUse): Promise<void> {
    if (isRecorded(await this.usesOf(domain), use)) return
    const file = join(this.#directory(domain), USES)
    await written(this.#root, () => appendFile(file, lineOf(use), { mode: 0o600 }))
  }

  async list(): Promise<{ domain: string; directory: string }[]> {
    if (this.#place === undefined) return []
    const entries = await readdir(this.#root, { withFileTypes: true }).catch(emptyIfMissing)
    return entries
      .filter((entry) => entry.isDirectory() && isDnsName(entry.name))
      .map(({ name }) => ({ domain: name, directory: join(this.#root, name) }))
      .sort((a, b) => a.domain.localeCompare(b.domain))
  }

  async remove(domain: string): Promise<void> {
    await rm(this.#directory(domain), { recursive: true, force: true })
  }

  /** @throws UserError CA_UNREADABLE for a text that is not a domain */
  #directory(domain: string): string {
    if (isDnsName(domain)) return join(this.#root, domain)
    throw new UserError('CA_UNREADABLE', `${JSON.stringify(domain.slice(0, 80))} is not a domain, so it has no CA`)
  }

  async #endRotation({ domain, certificate }: Authority): Promise<void> {
    await this.#replace(domain, CERTIFICATE, certificate)
    await rm(join(this.#directory(domain), NEXT), { force: true })
  }

  /** Replaces a file atomically. */
  async #replace(domain: string, name: string, text: string): Promise<void> {
    const draft = await this.#draft(name, text)
    await rename(draft.file, join(this.#directory(domain), name)).finally(draft.discard)
  }

  #draft(name: string, text: string): Promise<{ file: string; discard(): Promise<void> }> {
    return written(this.#root, async () => {
      const directory = await mkdtemp(join(this.#root, '.new-'))
      const discard = () => rm(directory, { recursive: true, force: true })
      const file = join(directory, name)
      try {
        await writeFile(file, text, { mode: 0o600 })
        return { file, discard }
      } catch (error) {
        await discard()
        throw error
      }
    })
  }

  /** Removes the permissions of other users from a key, for example after a backup was unpacked. */
  async #restrict(path: string): Promise<void> {
    const { mode } = await stat(path)
    if ((mode & 0o077) !== 0) await written(this.#root, () => chmod(path, 0o600))
  }
}

/** @throws UserError CA_UNREADABLE when somebody else may have put the CA there */
async function requireOwn(directory: string, files: string[]): Promise<void> {
  const [place, ...found] = await Promise.all([lstat(directory), ...files.map((file) => stat(file))].map(ifExists))
  if (place?.isSymbolicLink())
    throw new UserError('CA_UNREADABLE', `${directory} is a symbolic link; a CA must be in a directory of its own`)
  const user = process.getuid?.() ?? 0
  // Root may read everybody's CAs, and a file of root's is as good as the user's own.
  if (user === 0 || [place, ...found].every((one) => one === undefined || [user, 0].includes(one.uid))) return
  throw new UserError('CA_UNREADABLE', `${directory} or a file in it belongs to another user, who may know the key`, {
    suggestions: [ELSEWHERE],
  })
}

async function ifExists(reading: Promise<Stats>): Promise<Stats | undefined> {
  return reading.catch((error: NodeJS.ErrnoException) => {
    if (isMissing(error)) return undefined
    throw notRead(error.path, error)
  })
}

function isMissing({ code = '' }: NodeJS.ErrnoException): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(code)
}

function notRead(path: string | undefined, error: Error): UserError {
  const message = `cannot read ${path}: ${error.message}`
  return new UserError('CA_UNREADABLE', message, { suggestions: [ELSEWHERE], cause: error })
}

function unreadable(directory: string): UserError {
  return new UserError('CA_UNREADABLE', `${directory} does not contain a certificate and its key`, {
    suggestions: [sh`mv ${directory} ${directory}.broken   # the next run makes a new CA, which clients have to trust`],
  })
}

function pairIn(text: string | undefined): KeyPair | undefined {
  const [certificate = ''] = certificatesIn(text ?? '')
  const [key = ''] = text?.match(/-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n/) ?? []
  return isPair({ certificate, key }) ? { certificate, key } : undefined
}

function emptyIfMissing(error: NodeJS.ErrnoException): never[] {
  if (isMissing(error)) return []
  throw notRead(error.path, error)
}

async function readIfExists(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isMissing(error as NodeJS.ErrnoException)) return undefined
    throw notRead(path, error as Error)
  }
}
