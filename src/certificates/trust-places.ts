/** Pure: where systems and browsers keep trusted CAs, and the commands that change them. */

/** A directory of certificates, and the command that reloads it. */
interface Anchors {
  kind: 'anchors'
  directory: string
  refresh: string[]
  /** The command after a removal, if it differs. */
  refreshRemoved?: string[]
}

/** An NSS database, as used by Firefox, and on Linux by Chromium. */
interface NssDatabase {
  kind: 'nss'
  directory: string
}

/** A system where users run the commands themselves, because they have not been tested. */
interface ManualStore {
  kind: 'macos' | 'windows'
}

export type TrustPlace = Anchors | NssDatabase | ManualStore

/** Linux systems by directory. Some have another system's directory too, so the refresh tool decides. */
export const ANCHORS: (Anchors & { kind: 'anchors' })[] = [
  {
    // Debian, Ubuntu, Alpine. Without --fresh the link to a removed certificate stays.
    kind: 'anchors',
    directory: '/usr/local/share/ca-certificates',
    refresh: ['update-ca-certificates'],
    refreshRemoved: ['update-ca-certificates', '--fresh'],
  },
  // Fedora, RHEL
  { kind: 'anchors', directory: '/etc/pki/ca-trust/source/anchors', refresh: ['update-ca-trust', 'extract'] },
  // openSUSE
  { kind: 'anchors', directory: '/usr/share/pki/trust/anchors', refresh: ['update-ca-certificates'] },
  // Arch
  { kind: 'anchors', directory: '/etc/ca-certificates/trust-source/anchors', refresh: ['trust', 'extract-compat'] },
]

/** A CA in a trust store: a unique name with our prefix, and the file with its certificate. */
export interface TrustEntry {
  name: string
  file: string
}

const PREFIX = 'kubectl-telemetry-'

/** @param fingerprint in the format of `factsOf` */
export function entryName(fingerprint: string): string {
  return `${PREFIX}${fingerprint.replaceAll(':', '').slice(0, 16).toLowerCase()}`
}

/** Finds the names of our entries in a list of files or in the output of `certutil -L`. */
export function ownEntries(lines: string[]): string[] {
  return lines.flatMap((line) => /^kubectl-telemetry-[0-9a-f]{16}(?=\.crt$|\s|$)/.exec(line)?.[0] ?? [])
}

/** The name of a place for users. */
export function placeName(place: TrustPlace): string {
  switch (place.kind) {
    case 'anchors':
      return `system (${place.directory})`
    case 'nss':
      return `browsers (${place.directory})`
    case 'macos':
      return 'login keychain'
    case 'windows':
      return "user's root store"
  }
}

/** Commands that add CAs to a place. */
export function trustCommands(place: TrustPlace, entries: TrustEntry[]): string[][] {
  const each = (command: (entry: TrustEntry) => string[]) => entries.map(command)
  switch (place.kind) {
    case 'anchors': {
      const { directory, refresh } = place
      return [...each(({ name, file }) => ['install', '-m', '644', file, `${directory}/${name}.crt`]), refresh]
    }
    case 'nss':
      // C: trusted to sign certificates of servers.
      return each(({ name, file }) => [
        'certutil',
        '-d',
        `sql:${place.directory}`,
        '-A',
        '-t',
        'C,,',
        '-n',
        name,
        '-i',
        file,
      ])
    case 'macos':
      return each(({ file }) => ['security', 'add-trusted-cert', '-r', 'trustRoot', '-p', 'ssl', file])
    case 'windows':
      return each(({ file }) => ['certutil', '-user', '-addstore', 'Root', file])
  }
}

/** Commands that remove CAs from a place. */
export function distrustCommands(place: TrustPlace, entries: TrustEntry[]): string[][] {
  const each = (command: (entry: TrustEntry) => string[]) => entries.map(command)
  switch (place.kind) {
    case 'anchors': {
      const { directory, refresh, refreshRemoved = refresh } = place
      return [...each(({ name }) => ['rm', '-f', `${directory}/${name}.crt`]), refreshRemoved]
    }
    case 'nss':
      return each(({ name }) => ['certutil', '-d', `sql:${place.directory}`, '-D', '-n', name])
    case 'macos':
      return each(({ file }) => ['security', 'remove-trusted-cert', file])
    case 'windows':
      // Opens a window in which the user selects the certificate.
      return [['certutil', '-user', '-viewdelstore', 'Root']]
  }
}
