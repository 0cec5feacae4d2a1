/** Authorities as files: one directory per domain with ca.crt and ca.key, readable by their owner alone. */
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError } from '../errors.ts'
import { type Authority, isPair } from './authority.ts'
import type { AuthorityStore } from './authority-store.ts'

const CERTIFICATE = 'ca.crt'
const KEY = 'ca.key'

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
    const files = [CERTIFICATE, KEY].map((name) => join(directory, name))
    const [certificate, key] = await Promise.all(files.map(readIfThere))
    if (certificate === undefined && key === undefined) return undefined
    const authority = { domain, certificate: certificate ?? '', key: key ?? '' }
    if (!isPair(authority)) {
      throw new UserError('AUTHORITY_UNREADABLE', `${directory} does not hold a certificate and its key`, {
        suggestions: [
          `mv ${directory} ${directory}.broken   # a new authority is then made; clients have to trust that one`,
        ],
      })
    }
    await this.#narrow(join(directory, KEY))
    return authority
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

  /** A key that others could read (an unpacked backup, say) is closed before it is used. */
  async #narrow(path: string): Promise<void> {
    const { mode } = await stat(path)
    if ((mode & 0o077) !== 0) await chmod(path, 0o600)
  }
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
