/** Where systems and browsers keep the authorities that they trust, and with which commands they are told: data and pure functions. */

/** A directory of certificates, and the command that reads it anew. */
interface Anchors {
  kind: 'anchors'
  directory: string
  refresh: string[]
  /** After a removal, where that is another command. */
  refreshRemoved?: string[]
}

/** A database of NSS, as Firefox and, on Linux, Chromium have it. */
interface NssDatabase {
  kind: 'nss'
  directory: string
}

/** A system whose commands people run themselves: we have not run them. */
interface ByHand {
  kind: 'macos' | 'windows'
}

export type TrustPlace = Anchors | NssDatabase | ByHand

/** Linux systems, by the directory that they have. The tool says which, since some have the directory of another. */
export const ANCHORS: (Anchors & { kind: 'anchors' })[] = [
  {
    // Debian, Ubuntu, Alpine. Without --fresh a link to what was removed stays.
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

/** An authority in a store: a name that is ours and tells it from all others, and the file that it is read from. */
export interface TrustEntry {
  name: string
  file: string
}

const PREFIX = 'kubectl-telemetry-'

/** @param fingerprint as `factsOf` has it */
export function entryName(fingerprint: string): string {
  return `${PREFIX}${fingerprint.replaceAll(':', '').slice(0, 16).toLowerCase()}`
}

/** Names of ours among others: in a directory's files, or in what `certutil -L` prints. */
export function entriesAmong(lines: string[]): string[] {
  return lines.flatMap((line) => /^kubectl-telemetry-[0-9a-f]{16}(?=\.crt$|\s|$)/.exec(line)?.[0] ?? [])
}

/** How people name a place. */
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

/** Commands that make a place trust these. */
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

/** Commands that make a place forget these. */
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
      // Opens a window to choose it in.
      return [['certutil', '-user', '-viewdelstore', 'Root']]
  }
}

/** A command as it is typed into a shell. */
export function typed(words: string[]): string {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ')
}
