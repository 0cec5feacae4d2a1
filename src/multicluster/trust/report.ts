/** Pure: the trust of one cluster as data. */
import { createHash } from 'node:crypto'
import { DAY, readCertificate } from '../../certificates/authority.ts'
import type { Member } from '../members.ts'
import type { Mesh } from '../mesh.ts'
import { isSignedElsewhere, isUnknown, lacks, type Phase, phaseOf } from './phases.ts'
import type { TrustReading } from './read.ts'
import type { SignerKind } from './signer.ts'
import { rootsOf } from './target.ts'

export interface CertificateReport {
  subject: string
  /** SHA-256. */
  fingerprint: string
  notAfter: string
  daysLeft: number
}

export interface TrustReport {
  name: string
  context: string
  istio: { namespace: string; revisions: string[] }
  trustDomain: string
  roots: CertificateReport[]
  signer: { kind: SignerKind } & Partial<CertificateReport>
  /** Left out where nothing shows to which root the clusters belong. */
  phase?: Phase
  proxies: {
    total: number
    /** Those that trust the root of the mesh. */
    trusting: number
    /** Those whose certificate leads to it. */
    renewed: number
    unknown: { pod: string; why: string }[]
  }
}

/** @param root PEM of the root of the mesh */
export function trustReport(
  { name, cluster }: Member,
  mesh: Mesh,
  reading: TrustReading,
  { root, now }: { root: string | undefined; now: Date },
): TrustReport {
  const { signer, proxies } = reading
  const known = proxies.filter((one) => !isUnknown(one))
  const certificate = signer.files && certificateReport(signer.files.signer.certificate, now)
  return {
    name,
    context: cluster.context,
    istio: {
      namespace: mesh.namespace,
      revisions: mesh.istiods.map(({ metadata }) => metadata.labels?.['istio.io/rev'] ?? 'default'),
    },
    trustDomain: mesh.trustDomain,
    roots: rootsOf(reading).flatMap((pem) => certificateReport(pem, now) ?? []),
    signer: { kind: signer.kind, ...certificate },
    ...(root === undefined ? {} : { phase: phaseOf(reading, root) }),
    proxies: {
      total: proxies.length,
      trusting: root === undefined ? 0 : known.filter((one) => !lacks([root])(one)).length,
      renewed: root === undefined ? 0 : known.filter((one) => !isSignedElsewhere(root)(one)).length,
      unknown: proxies.filter(isUnknown).map(({ pod: { metadata }, unknown = '' }) => ({
        pod: `${metadata.namespace}/${metadata.name}`,
        why: unknown,
      })),
    },
  }
}

function certificateReport(pem: string, now: Date): CertificateReport | undefined {
  const read = readCertificate(pem)
  if (read === undefined) return undefined
  return {
    subject: read.subject.replaceAll('\n', ', '),
    fingerprint: createHash('sha256').update(read.raw).digest('hex'),
    notAfter: read.validToDate.toISOString(),
    daysLeft: Math.floor((read.validToDate.getTime() - now.getTime()) / DAY),
  }
}
