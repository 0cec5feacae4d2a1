/** Plans how the clusters of `connect` come to one root. */
import { type KeyPair, readCertificate } from '../../certificates/authority.ts'
import type { SigningFiles } from '../../certificates/mesh-authority.ts'
import { hasKeyIdentifier } from '../../certificates/x509.ts'
import { UserError } from '../../errors.ts'
import { sh } from '../../shell.ts'
import type { Dependencies } from '../../world.ts'
import { distinctRoots, fingerprintOf, includesAll } from './fingerprints.ts'
import { isUnderRoot, unionFor } from './phases.ts'
import {
  begunRoot,
  type KnownTrust,
  keyOf,
  newRoot,
  rootsOf,
  sharedRoots,
  type Target,
  type TrustChoice,
} from './target.ts'

/** What happens to the trust of the clusters. */
export interface TrustPlan {
  /** `shared`: they have one root already, and nothing changes. */
  readonly kind: 'shared' | 'change'
  /** PEM. */
  readonly root: string
  /** Whether it was made for this run, and is on no disk yet. */
  readonly isNew: boolean
  /** On which machine `connect` ran first. */
  readonly machine: string
  readonly key?: string | undefined
  /** Names of the clusters that change. */
  readonly changing: readonly string[]
}

type Needs = Pick<Dependencies, 'meshRoots' | 'clock' | 'random' | 'generateKey' | 'machine'>

/**
 * @throws UserError CA_EXTERNAL, CACERTS_GENERATED, CACERTS_NOT_OURS, CACERTS_ROOTS_DIFFER, MESH_ROOTS_DIFFER, ROOTS_ALIKE, TRUST_DOMAINS_DIFFER
 */
export async function planTrust(all: readonly KnownTrust[], choice: TrustChoice, needs: Needs): Promise<TrustPlan> {
  requireTrustDomains(all)
  const begun = begunRoot(all)
  const [shared] = sharedRoots(all)
  if (begun === undefined && shared !== undefined)
    return { kind: 'shared', root: shared, isNew: false, machine: '', changing: [] }
  const known = choice.root?.certificate ?? begun?.root ?? rootOfFiles(choice)
  const changing = all.filter(({ reading: { signer } }) => known === undefined || !isUnderRoot(signer, known))
  for (const one of changing) requireChangeable(one)
  requireDistinguishable(changing.flatMap(ownRoots))
  return {
    kind: 'change',
    ...(await targetFor(known, choice.root, needs)),
    machine: begun?.machine ?? needs.machine,
    changing: changing.map(({ name }) => name),
  }
}

/** The root with its key, if this machine or the user has it; a new one where none is known. */
export async function targetFor(
  known: string | undefined,
  given: KeyPair | undefined,
  needs: Needs,
): Promise<Target & { isNew: boolean }> {
  if (known === undefined) return { ...(await newRoot(needs)), isNew: true }
  return { root: known, key: await keyFor(known, given, needs), isNew: false }
}

/** The roots that a cluster trusts while it changes. */
export function unionOf(
  one: KnownTrust,
  all: readonly KnownTrust[],
  changing: readonly string[],
  root: string,
): string[] {
  const others = all.filter(({ name }) => name !== one.name && changing.includes(name))
  return unionFor(ownRoots(one), others.map(ownRoots), root)
}

function ownRoots({ reading }: KnownTrust): readonly string[] {
  const { files } = reading.signer
  return files?.roots ?? rootsOf(reading)
}

/** Clusters whose former certificates some other cluster does not trust: their workloads need new ones before calls across work. */
export function unknownElsewhere(all: readonly KnownTrust[], changing: readonly string[]): string[] {
  const staying = all.filter(({ name }) => !changing.includes(name))
  return all
    .filter(({ name }) => changing.includes(name))
    .filter((one) => staying.some(({ reading }) => !includesAll(rootsOf(reading), ownRoots(one))))
    .map(({ name }) => name)
}

async function keyFor(root: string, given: KeyPair | undefined, { meshRoots }: Needs): Promise<string | undefined> {
  if (given !== undefined && fingerprintOf(given.certificate) === fingerprintOf(root)) return given.key
  return keyOf(root, meshRoots)
}

/** The root of `--cacerts`. @throws UserError CACERTS_ROOTS_DIFFER */
function rootOfFiles({ files }: TrustChoice): string | undefined {
  const [first, ...others] = [...files.values()].map(({ roots }: SigningFiles) => roots)
  const root = first?.[0]
  if (root === undefined || others.every((roots) => includesAll(roots, [root]))) return root
  throw new UserError('CACERTS_ROOTS_DIFFER', 'the directories of --cacerts have different roots in root-cert.pem')
}

/**
 * Envoy finds the root of a certificate by its name and its key identifier. Of two roots with one name and no identifiers it takes one, and
 * refuses the clients of the other (seen with 1.40).
 */
function requireDistinguishable(roots: readonly string[]): void {
  const read = distinctRoots(roots).flatMap((pem) => readCertificate(pem) ?? [])
  const alike = read.find(
    ({ subject, raw }) => !hasKeyIdentifier(raw) && read.filter((other) => other.subject === subject).length > 1,
  )
  if (alike === undefined) return
  const message = `two clusters have roots of the same name (${alike.subject.replaceAll('\n', ', ')}) and one of them has no key identifier, so proxies could not tell them apart`
  throw new UserError('ROOTS_ALIKE', message, {
    suggestions: [
      'let istiod of one cluster make another root, then run the command again',
      '--cacerts NAME=DIR   # a CA under the root of the other cluster',
    ],
  })
}

/** A CA that `connect` and istiod did not make is never replaced. */
function requireChangeable({ name, mesh, reading }: KnownTrust): void {
  const { kind } = reading.signer
  const { namespace } = mesh
  if (kind === 'external') {
    throw new UserError('CA_EXTERNAL', `another program than istiod signs the certificates of cluster ${name}`, {
      suggestions: [
        'let that program sign under the root of the other clusters, then run the command again',
        '--root-cert FILE --root-key FILE   # its root, so that the other clusters join it',
      ],
    })
  }
  if (kind === 'istio-generated') {
    throw new UserError(
      'CACERTS_GENERATED',
      `istiod of cluster ${name} keeps its own CA in Secret ${namespace}/cacerts`,
      {
        suggestions: ['set USE_CACERTS_FOR_SELF_SIGNED_CA=false for istiod, then run the command again'],
      },
    )
  }
  if (kind === 'self-signed' || kind === 'ours') return
  const what = kind === 'incomplete' ? 'is incomplete' : 'was not written by kubectl telemetry'
  const message = `Secret ${namespace}/cacerts of cluster ${name} ${what}; it was left unchanged`
  throw new UserError('CACERTS_NOT_OURS', message, {
    suggestions: [
      '--root-cert FILE --root-key FILE   # the root of that CA, so that the other clusters join it',
      sh`--cacerts ${'OTHER=DIR'}   # a ready intermediate CA under that root, for each other cluster`,
      sh`kubectl -n ${namespace} get secret cacerts`,
    ],
  })
}

/** A sidecar refuses identities of trust domains that are neither its own nor aliases. */
function requireTrustDomains(all: readonly KnownTrust[]): void {
  for (const { name, mesh } of all) {
    const unknown = all.find((other) => ![mesh.trustDomain, ...mesh.aliases].includes(other.mesh.trustDomain))
    if (unknown === undefined) continue
    const message = `cluster ${name} has the trust domain ${mesh.trustDomain}, and ${unknown.name} has ${unknown.mesh.trustDomain}, which is no alias there`
    throw new UserError('TRUST_DOMAINS_DIFFER', message, {
      suggestions: [
        sh`istioctl install --set meshConfig.trustDomainAliases={${unknown.mesh.trustDomain}}` +
          `   # in cluster ${name}`,
      ],
    })
  }
}
