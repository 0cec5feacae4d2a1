/** Reads and changes the real trust stores of this machine. */
import { execFile } from 'node:child_process'
import { access, constants, readdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { getCACertificates } from 'node:tls'
import { makeDirectory, requireDirectory, written } from './data-directory.ts'
import { ANCHORS, ownEntries, type TrustPlace } from './trust-places.ts'
import type { TrustStore, TrustStores } from './trust-stores.ts'

/** Properties of this machine that determine where its stores are. */
export interface Machine {
  platform: NodeJS.Platform
  /** Undefined for a user without one. */
  home: string | undefined
  /** $XDG_DATA_HOME or its default. */
  dataHome: string | undefined
  /** $PATH */
  path: string
}

/** Directories with Firefox profiles below the home directory: as a package, a snap, a flatpak, and on macOS. */
const FIREFOX = [
  '.mozilla/firefox',
  'snap/firefox/common/.mozilla/firefox',
  '.var/app/org.mozilla.firefox/.mozilla/firefox',
  'Library/Application Support/Firefox/Profiles',
]
/** Databases of Chromium below the home directory: it uses the first that exists, and creates new ones below $XDG_DATA_HOME (seen with 156). */
const CHROMIUM = ['.pki/nssdb', 'snap/chromium/current/.pki/nssdb']
/** Milliseconds. update-ca-certificates takes seconds; a command that asks for a password would never end. */
const LONGEST = 120_000

export class SystemTrustStores implements TrustStores {
  readonly #machine: Machine

  constructor(machine: Machine) {
    this.#machine = machine
  }

  async systemRoots(): Promise<string[]> {
    return getCACertificates('system')
  }

  async find(): Promise<TrustStore[]> {
    const { platform } = this.#machine
    const system = platform === 'linux' ? await this.#anchors() : byHand(platform)
    return [...system, ...(await this.#nssDatabases())]
  }

  fileOf(name: string): string {
    return join(requireDirectory(this.#machine.dataHome), 'kubectl-telemetry', 'trusted', `${name}.crt`)
  }

  async staged(): Promise<string[]> {
    if (this.#machine.dataHome === undefined) return []
    return ownEntries(await readdir(dirname(this.fileOf(''))).catch(() => []))
  }

  async stage(name: string, pem: string): Promise<void> {
    const file = this.fileOf(name)
    await written(dirname(file), async () => {
      await makeDirectory(dirname(file))
      await writeFile(file, pem, { mode: 0o644 })
    })
  }

  async unstage(name: string): Promise<void> {
    if (this.#machine.dataHome !== undefined) await rm(this.fileOf(name), { force: true })
  }

  run(command: string[]): Promise<string | undefined> {
    const [program = '', ...words] = command
    return new Promise((resolve) => {
      // Without a terminal, so that no command asks questions.
      const child = execFile(program, words, { timeout: LONGEST, env: this.#environment() }, (error, _stdout, stderr) =>
        resolve(error === null ? undefined : stderr.trim() || error.message),
      )
      child.stdin?.end()
    })
  }

  /** Tools for administrators are often not on a user's PATH. */
  #environment(): NodeJS.ProcessEnv {
    const { path, home } = this.#machine
    return { PATH: `${path}:/usr/local/sbin:/usr/sbin:/sbin`, ...(home === undefined ? {} : { HOME: home }) }
  }

  async #anchors(): Promise<TrustStore[]> {
    for (const place of ANCHORS) {
      const files = await readdir(place.directory).catch(() => undefined)
      if (files === undefined || !(await this.#hasTool(place.refresh[0] ?? ''))) continue
      const allowed = await mayWrite(place.directory)
      return [{ place, entries: ownEntries(files), ...(allowed ? {} : { obstacle: 'not-allowed' }) }]
    }
    return []
  }

  async #nssDatabases(): Promise<TrustStore[]> {
    const { home, dataHome } = this.#machine
    if (home === undefined || dataHome === undefined) return []
    const profiles = await Promise.all(FIREFOX.map((directory) => subdirectories(join(home, directory))))
    const places = [
      ...CHROMIUM.map((directory) => join(home, directory)),
      join(dataHome, 'pki', 'nssdb'),
      ...profiles.flat(),
    ]
    const found = await Promise.all(
      places.map(async (place) => ((await exists(join(place, 'cert9.db'))) ? [place] : [])),
    )
    const tool = await this.#hasTool('certutil')
    return Promise.all(found.flat().map((directory) => this.#nssStore(directory, tool)))
  }

  async #nssStore(directory: string, tool: boolean): Promise<TrustStore> {
    const place: TrustPlace = { kind: 'nss', directory }
    if (!tool) return { place, entries: undefined, obstacle: 'no-tool' }
    const { promise, resolve } = Promise.withResolvers<string>()
    execFile('certutil', ['-d', `sql:${directory}`, '-L'], { env: this.#environment() }, (_error, stdout) =>
      resolve(stdout),
    )
    const allowed = await mayWrite(join(directory, 'cert9.db'))
    return {
      place,
      entries: ownEntries((await promise).split('\n')),
      ...(allowed ? {} : { obstacle: 'not-allowed' }),
    }
  }

  async #hasTool(name: string): Promise<boolean> {
    const directories = (this.#environment().PATH ?? '').split(':').filter((one) => one !== '')
    const found = await Promise.all(directories.map((one) => exists(join(one, name), constants.X_OK)))
    return found.includes(true)
  }
}

function byHand(platform: NodeJS.Platform): TrustStore[] {
  const kind = { darwin: 'macos', win32: 'windows' }[platform as string] as 'macos' | 'windows' | undefined
  return kind === undefined ? [] : [{ place: { kind }, entries: undefined, obstacle: 'by-hand' }]
}

function mayWrite(path: string): Promise<boolean> {
  return exists(path, constants.W_OK)
}

async function exists(path: string, mode = constants.F_OK): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  )
}

async function subdirectories(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(path, name))
}
