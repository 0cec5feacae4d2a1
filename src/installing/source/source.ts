/** Reads the samples of an installation: from the package, or from where `--from` says. */
import { createHash } from 'node:crypto'
import { UserError, usageError } from '../../errors.ts'
import type { Finding } from '../../findings.ts'
import type { Clock } from '../../time/clock.ts'
import type { Sample } from '../catalog.ts'
import { objectsIn, otherSamples, type SampleFiles, type SampleObject } from '../samples.ts'
import { fittingVersion, type Istiod } from '../survey.ts'
import { addressOf, download, LARGEST, type Web } from './download.ts'
import { digestsOf, type Origin, type RequiredDigest } from './origin.ts'
import { type OutsideFile, remarksOn, requireObjects } from './outside.ts'

/** Where samples come from: part of the contract of `-o json`. */
export interface Source {
  kind: 'packaged' | 'release' | 'directory' | 'file' | 'url'
  /** Of Istio; left out where nothing says it. */
  version?: string
  /** The path or URL; left out for packaged samples. */
  from?: string
}

/** The disk, for samples that are not in the package. */
export interface Disk {
  /**
   * @returns undefined if nothing has this path; of a file at most one byte more than the limit
   * @throws Error whose code says why it cannot be read
   */
  read(path: string, largest: number): Promise<'directory' | Uint8Array | undefined>
  /** The path of a file in a directory. */
  within(directory: string, file: string): string
}

/** Samples that are not in the package. */
export interface Outside {
  disk: Disk
  web: Web
  /** The URL below which each release of Istio has a folder with its files. */
  releases: string
}

/** A sample of the request. */
export interface ReadSample {
  sample: Sample
  text: string
  sha256: string
  objects: SampleObject[]
}

export interface SourceRequest {
  from?: Origin | undefined
  sha256?: readonly RequiredDigest[] | undefined
}

interface Place {
  istiod: Istiod
  /** Of the add-ons. */
  namespace: string
}

interface Needs {
  samples: SampleFiles
  outside: Outside
  clock: Clock
}

interface Opened {
  source: Source
  warnings: Finding[]
  read(sample: Sample): Promise<OutsideFile>
  /** After the digest was checked. */
  objects(file: OutsideFile): SampleObject[]
}

/**
 * One file after the other: the first fault ends it.
 * @throws UserError SOURCE_INVALID, SHA256_INVALID (exit 2), SAMPLE_NOT_FOUND, SAMPLE_NOT_FETCHED, SAMPLE_INVALID, SHA256_DIFFERS
 */
export async function readSamples(
  { from, sha256 = [] }: SourceRequest,
  chosen: readonly Sample[],
  place: Place,
  needs: Needs,
): Promise<{ source: Source & { sha256: string }; samples: ReadSample[]; warnings: Finding[] }> {
  const required = digestsOf(
    sha256,
    chosen.map(({ name }) => name),
  )
  const { source, warnings, read, objects } =
    from === undefined ? await openPackage(place, needs) : await openOutside(from, chosen, place, needs)
  const samples: ReadSample[] = []
  const remarks: Finding[] = []
  for (const sample of chosen) {
    const file = await read(sample)
    const digest = sha256Of(file.text)
    requireSame(file.from, digest, required.get(sample.name) ?? [])
    const one = { sample, text: file.text, sha256: digest, objects: objects(file) }
    samples.push(one)
    if (from !== undefined) remarks.push(...remarksOn(sample, file, one.objects))
  }
  const whole = sha256Of(samples.map(({ text }) => text).join(''))
  return { source: { ...source, sha256: whole }, samples, warnings: [...warnings, ...remarks] }
}

function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function requireSame(from: string, digest: string, required: readonly string[]): void {
  const other = required.find((one) => one !== digest)
  if (other === undefined) return
  throw new UserError('SHA256_DIFFERS', `${from} has the SHA-256 ${digest}; --sha256 requires ${other}`, {
    suggestions: ['compare the file with the one whose digest you have'],
  })
}

async function openPackage({ istiod }: Place, { samples }: Needs): Promise<Opened> {
  const { version, exact } = fittingVersion(await samples.versions(), istiod)
  return {
    source: { kind: 'packaged', version },
    warnings: exact ? [] : [otherSamples(istiod, version)],
    read: async ({ file }) => ({ from: `the packaged ${file}.yaml`, text: await samples.read(version, file) }),
    objects: ({ text }) => objectsIn(text),
  }
}

async function openOutside(
  from: Origin,
  chosen: readonly Sample[],
  { istiod, namespace }: Place,
  needs: Needs,
): Promise<Opened> {
  const objects = (file: OutsideFile) => requireObjects(file, namespace)
  const opened = { warnings: [], objects }
  if (from.kind === 'path') return { ...opened, ...(await openPath(from.path, chosen, needs.outside)) }
  if (from.kind === 'release') {
    const version = releaseOf(istiod)
    const folder = new URL(`${version}/samples/addons/`, needs.outside.releases)
    const source: Source = { kind: 'release', version, from: addressOf(folder) }
    return { ...opened, source, read: (sample) => fetched(new URL(`${sample.file}.yaml`, folder), needs) }
  }
  const { url } = from
  const isFolder = url.pathname.endsWith('/')
  if (!isFolder) requireOne(addressOf(url), chosen)
  const read = ({ file }: Sample) => fetched(isFolder ? new URL(`${file}.yaml`, url) : url, needs)
  return { ...opened, source: { kind: 'url', from: addressOf(url) }, read }
}

async function openPath(
  path: string,
  chosen: readonly Sample[],
  { disk }: Outside,
): Promise<Pick<Opened, 'source' | 'read'>> {
  const found = await onDisk(disk, path)
  if (found === undefined) throw notFound(path)
  if (found !== 'directory') {
    requireOne(path, chosen)
    const file = { from: path, text: textIn(path, found) }
    return { source: { kind: 'file', from: path }, read: async () => file }
  }
  const read = async ({ file }: Sample) => {
    const place = disk.within(path, `${file}.yaml`)
    const content = await onDisk(disk, place)
    if (content === undefined || content === 'directory')
      throw notFound(
        place,
        "the folder needs the layout of Istio's samples/addons: prometheus.yaml, extras/zipkin.yaml",
      )
    return { from: place, text: textIn(place, content) }
  }
  return { source: { kind: 'directory', from: path }, read }
}

async function onDisk(disk: Disk, path: string): ReturnType<Disk['read']> {
  try {
    return await disk.read(path, LARGEST)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw unreadable(path, `it cannot be read: ${code ?? message}`, error)
  }
}

function notFound(path: string, ...suggestions: string[]): UserError {
  return unreadable(path, 'there is no such file', undefined, suggestions)
}

async function fetched(url: URL, { outside, clock }: Needs): Promise<OutsideFile> {
  const { body, type } = await download(url, outside.web, clock)
  const from = addressOf(url)
  return { from, text: textIn(from, body), type }
}

/** The text has the same digest as its bytes: nothing is replaced, and a byte order mark stays. */
function textIn(from: string, bytes: Uint8Array): string {
  if (bytes.length > LARGEST) throw unreadable(from, `it has more than ${LARGEST / 1024 / 1024} MiB`)
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw unreadable(from, 'it is not a text in UTF-8')
  }
}

function unreadable(from: string, why: string, cause?: unknown, suggestions: string[] = []): UserError {
  return new UserError('SAMPLE_UNREADABLE', `${from}: ${why}`, { cause, suggestions })
}

/** Anybody may have written istiod's version, and it becomes part of a URL. */
function releaseOf({ version = '', namespace }: Istiod): string {
  const [, release] =
    /^v?(\d{1,3}\.\d{1,3}\.\d{1,3}(?:-(?:alpha|beta|rc)\.\d{1,3})?)(?:-(?:distroless|debug))?$/.exec(version) ?? []
  if (release !== undefined) return release
  const what = version === '' ? 'has no version in its image' : `has version ${JSON.stringify(version)}`
  throw new UserError('RELEASE_UNKNOWN', `istiod in namespace ${namespace} ${what}, which is no release of Istio`, {
    suggestions: ['--from https://HOST/PATH/   # a folder with the samples of its version', '--from DIRECTORY'],
  })
}

function requireOne(from: string, chosen: readonly Sample[]): void {
  const names = chosen.map(({ name }) => name)
  if (names.length === 1) return
  const message = `--from ${from} is one file, and several add-ons were chosen: ${names.join(', ')}`
  throw usageError('SOURCE_FOR_ONE_ADDON', message, ['kubectl telemetry addons install grafana --from grafana.yaml'])
}
