/**
 * Authorities as files: one directory per domain with ca.crt and ca.key, readable by their owner alone. During a rotation next.pem has the
 * next certificate and its key, and ca.crt, which clients trust, both certificates.
 */
import { chmod, link, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError } from '../errors.ts'
import { type Authority, isPair, type KeyPair, trustedWith } from './authority.ts'
import type { AuthorityStore } from './authority-store.ts'
import { certificatesIn } from './facts.ts'

const CERTIFICATE = 'ca.crt'
const KEY = 'ca.key'
const NEXT = 'next.pem'

export class DirectoryAuthorityStore implements AuthorityStore {
  readonly #root: string

  /** @param root usually $XDG_DATA_HOME/kubectl-telemetry/authorities */
  constructor(root: string) {
    this.#root = root
  }

  certificatePath(domain: string): string {
    return join(this.#root, domain, CERTIFICATE)
  }

  async find(domain: string): Promise<Authority | undefined> {
    const directory = join(this.#root, domain)
    const files = [CERTIFICATE, KEY, NEXT].map((name) => join(directory, name))
    const [bundle, key, nextText] = await Promise.all(files.map(readIfThere))
    if (bundle === undefined && key === undefined) return undefined
    const known = certificatesIn(bundle ?? '')
    // Two certificates during a rotation: the key says whose turn it is.
    const certificate = known.find((one) => isPair({ certificate: one, key: key ?? '' }))
    if (certificate === undefined || key === undefined) throw unreadable(directory)
    await this.#narrow(join(directory, KEY))
    const next = pairIn(nextText)
    const authority = { domain, certificate, key }
    if (next === undefined) return authority
    if (next.key === key) {
      // A run ended between the last steps of a rotation.
      await this.#endRotation(authority)
      return authority
    }
    const rotating = { ...authority, next }
    if (bundle !== trustedWith(rotating)) await this.#replace(domain, CERTIFICATE, trustedWith(rotating))
    return rotating
  }

  async keep(authority: Authority): Promise<Authority> {
    await mkdir(this.#root, { recursive: true, mode: 0o700 })
    const draft = await mkdtemp(join(this.#root, '.new-'))
    try {
      await writeFile(join(draft, KEY), authority.key, { mode: 0o600 })
      await writeFile(join(draft, CERTIFICATE), authority.certificate, { mode: 0o600 })
      // Both files appear at once, or neither: a run that is cut off leaves no half of a pair, and the first of two runs wins.
      await rename(draft, join(this.#root, authority.domain))
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
      // Both parts appear at once, and the first of two runs wins.
      await link(draft.file, join(this.#root, domain, NEXT))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    } finally {
      await draft.discard()
    }
    const kept = (await this.find(domain))?.next
    if (kept !== undefined) return kept
    throw new UserError(
      'AUTHORITY_UNREADABLE',
      `${join(this.#root, domain, NEXT)} does not hold a certificate and its key`,
    )
  }

  async promoteNext(domain: string): Promise<void> {
    const authority = await this.find(domain)
    if (authority?.next === undefined) return
    // From here on the next authority signs; ca.crt has both certificates until the last step.
    await this.#replace(domain, KEY, authority.next.key)
    await this.#endRotation({ domain, ...authority.next })
  }

  async list(): Promise<{ domain: string; directory: string }[]> {
    const entries = await readdir(this.#root, { withFileTypes: true }).catch(nothingThere)
    return entries
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map(({ name }) => ({ domain: name, directory: join(this.#root, name) }))
      .sort((a, b) => a.domain.localeCompare(b.domain))
  }

  async remove(domain: string): Promise<void> {
    await rm(join(this.#root, domain), { recursive: true, force: true })
  }

  async #endRotation({ domain, certificate }: Authority): Promise<void> {
    await this.#replace(domain, CERTIFICATE, certificate)
    await rm(join(this.#root, domain, NEXT), { force: true })
  }

  /** A file is as it was or as it is to be, never a part. */
  async #replace(domain: string, name: string, text: string): Promise<void> {
    const draft = await this.#draft(name, text)
    await rename(draft.file, join(this.#root, domain, name)).finally(draft.discard)
  }

  async #draft(name: string, text: string): Promise<{ file: string; discard(): Promise<void> }> {
    const directory = await mkdtemp(join(this.#root, '.new-'))
    const file = join(directory, name)
    await writeFile(file, text, { mode: 0o600 })
    return { file, discard: () => rm(directory, { recursive: true, force: true }) }
  }

  /** A key that others could read (an unpacked backup, say) is closed before it is used. */
  async #narrow(path: string): Promise<void> {
    const { mode } = await stat(path)
    if ((mode & 0o077) !== 0) await chmod(path, 0o600)
  }
}

function unreadable(directory: string): UserError {
  return new UserError('AUTHORITY_UNREADABLE', `${directory} does not hold a certificate and its key`, {
    suggestions: [
      `mv ${directory} ${directory}.broken   # a new authority is then made; clients have to trust that one`,
    ],
  })
}

function pairIn(text: string | undefined): KeyPair | undefined {
  const [certificate = ''] = certificatesIn(text ?? '')
  const [key = ''] = text?.match(/-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n/) ?? []
  return isPair({ certificate, key }) ? { certificate, key } : undefined
}

function nothingThere(error: NodeJS.ErrnoException): never[] {
  if (error.code === 'ENOENT') return []
  throw new UserError('AUTHORITY_UNREADABLE', `cannot read ${error.path}: ${error.message}`, { cause: error })
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new UserError('AUTHORITY_UNREADABLE', `cannot read ${path}: ${(error as Error).message}`, { cause: error })
  }
}
