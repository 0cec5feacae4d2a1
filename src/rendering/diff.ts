/** Planned changes, in the form of `kubectl diff`. */
import { createTwoFilesPatch } from 'diff'
import { readCertificate } from '../certificates/authority.ts'
import { certificatesIn, MOST_CERTIFICATES } from '../certificates/facts.ts'
import type { Comparison } from '../changes/changes.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import { cut, LONGEST_LINE } from '../text.ts'
import { renderData } from './output.ts'

/** One unified diff for each object that changes; one line when none changes. */
export function renderDiff(comparisons: Comparison[]): string {
  const patches = comparisons.map(patch).filter((text) => text !== '')
  return patches.length === 0 ? 'no differences' : patches.join('\n')
}

function patch({ name, before, after }: Comparison): string {
  const masked = mask({ before, after })
  const texts = [masked.before, masked.after].map((object) =>
    object === undefined ? '' : `${renderData(desiredFields(object), 'yaml')}\n`,
  )
  const [old = '', planned = ''] = texts
  if (old === planned) return ''
  const header = { headerOptions: { includeIndex: false, includeUnderline: false, includeFileHeaders: true } }
  const oldHeader = before === undefined ? 'absent' : 'live'
  const newHeader = after === undefined ? 'deleted' : 'planned'
  return bounded(
    createTwoFilesPatch(name, name, old, planned, oldHeader, newHeader, { context: 3, ...header }).trimEnd(),
  )
}

/** The most lines of a patch: our own manifests are a tenth as long, and anybody may fill an object of others. */
const MOST_LINES = 2_000
/** Of these, at the end. */
const LAST_LINES = 500

/** Leaves the beginning and the end of long lines, and of a patch of very many lines. */
function bounded(patch: string): string {
  const lines = patch.split('\n')
  const left = lines.length - MOST_LINES
  const some =
    left <= 0
      ? lines
      : [
          ...lines.slice(0, MOST_LINES - LAST_LINES),
          `… ${left} lines are left out; -o yaml has what is planned …`,
          ...lines.slice(-LAST_LINES),
        ]
  return some.map((line) => cut(line, LONGEST_LINE)).join('\n')
}

interface Pair {
  before: KubeObject | undefined
  after: KubeObject | undefined
}

/** Values of Secrets and hashes of passwords are not shown, only whether they change; of certificates their fingerprints are. */
function mask(pair: Pair): Pair {
  switch ((pair.after ?? pair.before)?.kind) {
    case 'Secret':
      return maskData(pair)
    case 'EnvoyFilter':
      return maskHashes(pair)
    default:
      return pair
  }
}

function maskData({ before, after }: Pair): Pair {
  const valuesOf = (object: KubeObject | undefined) =>
    ({ ...(object?.data as object), ...(object?.stringData as object) }) as Record<string, string>
  const [old, planned] = [valuesOf(before), valuesOf(after)]
  const isKept = (key: string) => before === undefined || after === undefined || old[key] === planned[key]
  const hidden = (object: KubeObject | undefined, mark: string) => {
    if (object === undefined) return undefined
    const { stringData: _, ...rest } = withoutApplied(object)
    const shown = Object.entries(valuesOf(object)).map(([key, value]) => {
      const certificates = fingerprintsOf(value)
      return [key, certificates ?? (isKept(key) ? '***' : `*** (${mark})`)]
    })
    return { ...rest, data: Object.fromEntries(shown) }
  }
  return { before: hidden(before, 'before'), after: hidden(after, 'after') }
}

/** Of a value that is nothing but certificates, which are no secret: which ones, so that it can be seen what is trusted afterwards. */
function fingerprintsOf(base64: string): string[] | undefined {
  const text = Buffer.from(base64, 'base64').toString('utf8')
  const all = certificatesIn(text)
  const rest = all.reduce((left, one) => left.replace(one.trimEnd(), ''), text)
  if (all.length === 0 || all.length > MOST_CERTIFICATES || rest.trim() !== '') return undefined
  const fingerprints = all.map((one) => readCertificate(one)?.fingerprint256)
  return fingerprints.every((one) => one !== undefined)
    ? fingerprints.map((one) => `certificate SHA-256 ${one}`)
    : undefined
}

/** kubectl keeps a copy of the whole object in this annotation. */
function withoutApplied<T extends KubeObject>(object: T): T {
  const { 'kubectl.kubernetes.io/last-applied-configuration': _, ...annotations } = object.metadata.annotations ?? {}
  return { ...object, metadata: { ...object.metadata, ...(object.metadata.annotations && { annotations }) } }
}

/** `{SHA}…` in a line of an htpasswd file: unsalted, so a password that can be guessed is known with it. */
const HASH = /\{SHA\}[A-Za-z0-9+/]+={0,2}/g

function maskHashes({ before, after }: Pair): Pair {
  const hashesIn = (object: KubeObject | undefined) => new Set(JSON.stringify(object ?? {}).match(HASH) ?? [])
  const [old, planned] = [hashesIn(before), hashesIn(after)]
  const isKept = (hash: string) => before === undefined || after === undefined || (old.has(hash) && planned.has(hash))
  const hidden = (object: KubeObject | undefined, mark: string) => {
    const masked = (hash: string) => (isKept(hash) ? '{SHA}***' : `{SHA}*** (${mark})`)
    // A hash and its mask have no character that JSON escapes.
    return object && (JSON.parse(JSON.stringify(object).replace(HASH, masked)) as KubeObject)
  }
  return { before: hidden(before, 'before'), after: hidden(after, 'after') }
}

/** An object without the fields that the API server manages. */
function desiredFields({ status: _, apiVersion, kind, ...object }: KubeObject): object {
  const {
    managedFields: _m,
    resourceVersion: _r,
    uid: _u,
    generation: _g,
    creationTimestamp: _c,
    ...metadata
  } = object.metadata
  return { apiVersion, kind, ...object, metadata }
}
