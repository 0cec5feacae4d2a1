/** To which root the clusters change, and with which CA each of them signs afterwards. */
import type { KeyPair } from '../../certificates/authority.ts'
import type { AuthorityStore } from '../../certificates/authority-store.ts'
import {
  createMeshRoot,
  issueIntermediate,
  leadsTo,
  type SigningFiles,
  whyUnusable,
} from '../../certificates/mesh-authority.ts'
import { UserError } from '../../errors.ts'
import { cacertsNotes } from '../../manifests/cacerts.ts'
import { sh } from '../../shell.ts'
import type { Dependencies } from '../../world.ts'
import type { Mesh } from '../mesh.ts'
import { fingerprintOf, includesAll } from './fingerprints.ts'
import { isUnderRoot } from './phases.ts'
import type { TrustReading } from './read.ts'

/** A cluster and what was read there. */
export interface KnownTrust {
  readonly name: string
  readonly mesh: Mesh
  readonly reading: TrustReading
}

/** Where roots of meshes are kept on this machine: by the SHA-256 of the certificate. */
export type MeshRoots = Pick<AuthorityStore, 'find' | 'keep'>

/** What the flags say. */
export interface TrustChoice {
  /** `--root-cert` and `--root-key`, checked. */
  readonly root?: KeyPair | undefined
  /** `--cacerts NAME=DIR`, checked, by the name of a cluster. */
  readonly files: ReadonlyMap<string, SigningFiles>
}

export interface Target {
  /** PEM. */
  readonly root: string
  /** Undefined where this machine does not have the key of the root. */
  readonly key?: string | undefined
}

/** A root whose key is known. */
type KeptTarget = Target & { readonly key: string }

/**
 * The roots that all clusters trust and under which all of them sign; none where they differ, or where a change of root has begun.
 * @returns PEM
 */
export function sharedRoots(all: readonly KnownTrust[]): string[] {
  const [first, ...others] = all
  if (first === undefined) return []
  const isTrusted = (root: string) =>
    others.every(({ reading }) => rootsOf(reading).some((one) => fingerprintOf(one) === fingerprintOf(root)))
  const shared = rootsOf(first.reading).filter(isTrusted)
  return shared.filter((root) => all.every(({ reading }) => isServedUnder(reading, root)))
}

/** By the files, or, where another program signs, by the proxies. */
function isServedUnder({ signer, proxies }: TrustReading, root: string): boolean {
  if (signer.files !== undefined) return isUnderRoot(signer, root)
  const known = proxies.filter(({ unknown }) => unknown === undefined)
  return known.length > 0 && known.every(({ chain }) => leadsTo(chain, [root]))
}

/** What the workloads of a cluster are told to trust. */
export function rootsOf({ signer, published }: TrustReading): readonly string[] {
  return published[0]?.roots.length ? published[0].roots : (signer.files?.roots ?? [])
}

/** A root to which a change of ours has begun, in one cluster. */
interface Begun {
  readonly name: string
  readonly root: string
  readonly machine: string
  /** What that cluster is to trust meanwhile. */
  readonly roots: readonly string[]
}

/**
 * The root to which a change of ours has begun in any of the clusters; PEM. While a root replaces another one (`rotate --ca`), clusters that
 * have begun still trust the former, so the later of two is the one beside which the other is trusted.
 * @throws UserError MESH_ROOTS_DIFFER
 */
export function begunRoot(all: readonly KnownTrust[]): Begun | undefined {
  const found = all.flatMap(({ name, reading: { secrets, signer } }): Begun[] => {
    if (signer.kind !== 'ours' || secrets.plugged === undefined) return []
    const { meshRoot, machine = '' } = cacertsNotes(secrets.plugged)
    const { roots = [] } = signer.files ?? {}
    const root = roots.find((one) => fingerprintOf(one) === meshRoot)
    return root === undefined ? [] : [{ name, root, machine, roots }]
  })
  const latest = found.find(({ roots }) => found.every((other) => includesAll(roots, [other.root])))
  const [first, second] = found
  if (latest !== undefined || first === undefined) return latest
  const message = `the clusters ${first.name} and ${second?.name} belong to two meshes: kubectl telemetry gave them different roots`
  throw new UserError('MESH_ROOTS_DIFFER', message, {
    suggestions: [sh`kubectl telemetry multicluster cleanup --trust`, 'connect again'],
  })
}

/** The root of the mesh, if the clusters have one or are on the way to one; PEM. @throws UserError MESH_ROOTS_DIFFER */
export function knownRoot(all: readonly KnownTrust[]): string | undefined {
  return begunRoot(all)?.root ?? sharedRoots(all)[0]
}

/** The domain under which a root is stored: `root-3f2a…`. */
function storedAs(root: string): string {
  const hex = (fingerprintOf(root) ?? '').replaceAll(':', '').toLowerCase()
  return `root-${hex.slice(0, 32)}`
}

/** The key of a root, if this machine has it. */
export async function keyOf(root: string, roots: MeshRoots): Promise<string | undefined> {
  const kept = await roots.find(storedAs(root))
  return kept !== undefined && fingerprintOf(kept.certificate) === fingerprintOf(root) ? kept.key : undefined
}

type Making = Pick<Dependencies, 'clock' | 'random' | 'generateKey'>

/** Makes a root, which is on no disk yet. */
export async function newRoot({ clock, random, generateKey }: Making): Promise<KeptTarget> {
  const { certificate: root, key } = await createMeshRoot({ now: clock.now(), random, generateKey })
  return { root, key }
}

/** Keeps a new root on this machine: before any cluster trusts it. */
export async function keepRoot({ root, key }: KeptTarget, roots: MeshRoots): Promise<void> {
  await roots.keep({ domain: storedAs(root), certificate: root, key })
}

/**
 * The key with which a CA of a cluster is signed; undefined where that CA is ready.
 * @throws UserError MESH_ROOT_ELSEWHERE
 */
export function requireKey(
  { root, key }: Target,
  { name, machine }: { name: string; machine: string },
  choice: TrustChoice,
): string | undefined {
  if (key === undefined && !choice.files.has(name)) throw rootElsewhere(root, machine)
  return key
}

/** The CA with which a cluster signs afterwards, and its chain. @throws UserError MESH_ROOT_ELSEWHERE, NEW_CA_UNUSABLE */
export async function signingFor(
  { name, mesh }: Pick<KnownTrust, 'name' | 'mesh'>,
  { target, machine }: { target: Target; machine: string },
  choice: TrustChoice,
  { clock, random, generateKey }: Making,
): Promise<Pick<SigningFiles, 'signer' | 'chain'>> {
  const key = requireKey(target, { name, machine }, choice)
  const given = choice.files.get(name)
  if (given !== undefined || key === undefined) return given as SigningFiles
  const now = clock.now()
  const root = { certificate: target.root, key }
  const signer = await issueIntermediate(
    root,
    { cluster: name, namespace: mesh.namespace },
    { now, random, generateKey },
  )
  const files = { signer, chain: [signer.certificate] }
  const why = whyUnusable({ ...files, roots: [target.root] }, now)
  if (why === undefined) return files
  throw unusable(name, why)
}

/** A CA that was just made, and that istiod could not use. */
export function unusable(name: string, why: string): UserError {
  return new UserError('NEW_CA_UNUSABLE', `the new CA of cluster ${name} cannot be used: ${why}`)
}

function rootElsewhere(root: string, machine: string): UserError {
  const where = machine === '' ? 'on another machine' : `on the machine ${machine}, on which "connect" ran first`
  const message = `the key of the mesh's root (SHA-256 ${fingerprintOf(root)?.slice(0, 23)}…) is not on this machine; it is ${where}`
  return new UserError('MESH_ROOT_ELSEWHERE', message, {
    suggestions: [
      'run the command there',
      '--root-cert FILE --root-key FILE   # a copy of the root',
      '--cacerts NAME=DIR   # a ready intermediate CA for the cluster',
    ],
  })
}
