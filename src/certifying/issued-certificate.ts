/** A certificate that cert-manager makes: we write the Certificate, and wait for its Secret before anything is served with it. */
import { factsOf } from '../certificates/facts.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import type { Secret } from '../cluster/objects.ts'
import { CERT_MANAGER, CERTIFICATES, SECRETS } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import type { IssuerRef } from '../manifests/certificate.ts'
import { CERTIFICATE_NAME, ISSUED_SECRET_NAME } from '../manifests/names.ts'
import type { Dependencies } from '../world.ts'
import type { BroughtSecret } from './provided-secret.ts'
import { covers } from './report.ts'
import { faultOf, leafOf } from './serving-certificate.ts'

/** ACME takes seconds at least, so asking more often gains nothing. */
const PAUSE = 500

/**
 * The issuer that was named, or that our Certificate has; and that Certificate, to be changed.
 * @param inUse the Secret that the Gateway names, where it is not ours
 * @throws UserError CERT_MANAGER_NOT_FOUND
 */
export async function chosenIssuer(
  named: IssuerRef | undefined,
  inUse: string | undefined,
  namespace: string,
  { cluster }: Pick<Dependencies, 'cluster'>,
): Promise<{ issuer: IssuerRef; present: KubeObject[] } | undefined> {
  if (named === undefined && inUse !== ISSUED_SECRET_NAME) return undefined
  if (named !== undefined && !(await cluster.servedVersions(CERT_MANAGER)).includes(CERTIFICATES.version)) {
    throw new UserError(
      'CERT_MANAGER_NOT_FOUND',
      `the cluster has no cert-manager: it does not serve ${CERT_MANAGER}/v1`,
      {
        suggestions: [
          'leave --tls-issuer out   # an authority of this machine signs',
          '--tls-secret NAME   # of your own',
        ],
      },
    )
  }
  const present = await cluster.get(CERTIFICATES, { name: CERTIFICATE_NAME, namespace })
  const issuer = named ?? (present?.spec as { issuerRef?: IssuerRef } | undefined)?.issuerRef
  return issuer && { issuer, present: present === undefined ? [] : [present] }
}

/**
 * Waits until cert-manager has made a certificate for all of these hosts.
 * @param timeout milliseconds
 * @throws UserError CERTIFICATE_NOT_ISSUED
 */
export async function awaitIssued(
  namespace: string,
  hosts: string[],
  timeout: number,
  { cluster, clock, terminal }: Pick<Dependencies, 'cluster' | 'clock' | 'terminal'>,
): Promise<BroughtSecret> {
  const started = clock.now().getTime()
  for (let told = false; ; told = true) {
    const secret = await cluster.get<Secret>(SECRETS, { name: ISSUED_SECRET_NAME, namespace })
    const chain = secret === undefined || faultOf(secret) !== undefined ? '' : (leafOf(secret)?.certificate ?? '')
    const facts = factsOf(chain, clock.now())
    if (facts !== undefined && facts.daysLeft >= 0 && hosts.every((host) => covers(facts.hosts, host)))
      return { name: ISSUED_SECRET_NAME, chain }
    if (clock.now().getTime() - started >= timeout) throw await notIssued(namespace, cluster)
    if (!told) terminal.note(`waiting for cert-manager to make the certificate (up to ${Math.round(timeout / 1000)} s)`)
    await clock.sleep(PAUSE)
  }
}

async function notIssued(namespace: string, cluster: Dependencies['cluster']): Promise<UserError> {
  const made = await cluster.get(CERTIFICATES, { name: CERTIFICATE_NAME, namespace })
  const { conditions = [] } = (made?.status ?? {}) as { conditions?: { type: string; message?: string }[] }
  const why = conditions.find(({ type }) => type === 'Ready')?.message ?? 'it says nothing about why'
  return new UserError(
    'CERTIFICATE_NOT_ISSUED',
    `cert-manager has not made the certificate: ${why}; nothing is served with it yet`,
    {
      suggestions: [
        `kubectl -n ${namespace} describe certificate ${CERTIFICATE_NAME}`,
        '--timeout 5m',
        'kubectl telemetry cleanup',
      ],
    },
  )
}
