/** A certificate from cert-manager: expose writes the Certificate, and waits for its Secret before the Gateway uses it. */
import { factsOf } from '../certificates/facts.ts'
import { coversHost } from '../certificates/names.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import type { Secret } from '../cluster/objects.ts'
import { CERT_MANAGER, CERTIFICATES, SECRETS } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import type { IssuerRef } from '../manifests/certificate.ts'
import { CERTIFICATE_NAME, ISSUED_SECRET_NAME } from '../manifests/names.ts'
import { sh } from '../shell.ts'
import { until, type Wait } from '../time/until.ts'
import type { Dependencies } from '../world.ts'
import type { ProvidedSecret } from './provided-secret.ts'
import { faultOf, leafOf } from './secret-content.ts'

type Needs = Pick<Dependencies, 'cluster' | 'clock' | 'terminal'>

/** ACME takes seconds at least, so asking more often gains nothing. */
const PAUSE = 500

/**
 * The requested issuer, or that of the existing Certificate; and that Certificate.
 * @param inUse the Secret that the Gateway uses, if kubectl telemetry does not create it
 * @throws UserError CERT_MANAGER_NOT_FOUND
 */
export async function chooseIssuer(
  named: IssuerRef | undefined,
  inUse: string | undefined,
  namespace: string,
  { cluster }: Pick<Needs, 'cluster'>,
): Promise<{ issuer: IssuerRef; present: KubeObject[] } | undefined> {
  if (named === undefined && inUse !== ISSUED_SECRET_NAME) return undefined
  if (named !== undefined && !(await cluster.servedVersions(CERT_MANAGER)).includes(CERTIFICATES.version)) {
    throw new UserError(
      'CERT_MANAGER_NOT_FOUND',
      `the cluster has no cert-manager: it does not serve ${CERT_MANAGER}/v1`,
      {
        suggestions: [
          'leave out --tls-issuer   # a CA on this machine signs',
          '--tls-secret NAME   # your own certificate',
        ],
      },
    )
  }
  const present = await cluster.get(CERTIFICATES, { name: CERTIFICATE_NAME, namespace })
  const issuer = named ?? (present?.spec as { issuerRef?: IssuerRef } | undefined)?.issuerRef
  return issuer && { issuer, present: present === undefined ? [] : [present] }
}

/**
 * Waits until cert-manager has issued a certificate for all of these hosts.
 * @param timeout milliseconds
 * @throws UserError CERTIFICATE_NOT_ISSUED
 */
export async function awaitIssued(
  namespace: string,
  hosts: readonly string[],
  timeout: number,
  { cluster, clock, terminal }: Needs,
): Promise<ProvidedSecret> {
  const wait: Wait<string | undefined> = {
    look: async () => {
      const secret = await cluster.get<Secret>(SECRETS, { name: ISSUED_SECRET_NAME, namespace })
      return secret && servableChain(secret, hosts, clock.now())
    },
    isDone: (chain) => chain !== undefined,
    pause: PAUSE,
    timeout,
    explain: () =>
      terminal.note(`waiting for cert-manager to issue the certificate (up to ${Math.round(timeout / 1000)} s)`),
    patience: 0,
    giveUp: () => notIssued(namespace, cluster),
  }
  return { name: ISSUED_SECRET_NAME, chain: (await until(wait, clock)) ?? '' }
}

/** @returns `undefined` when the certificate is broken, has expired or is not for all hosts */
function servableChain(secret: Secret, hosts: readonly string[], now: Date): string | undefined {
  const chain = faultOf(secret) === undefined ? (leafOf(secret)?.certificate ?? '') : ''
  const facts = factsOf(chain, now)
  const serves = facts !== undefined && facts.daysLeft >= 0 && hosts.every((host) => coversHost(facts.hosts, host))
  return serves ? chain : undefined
}

async function notIssued(namespace: string, cluster: Dependencies['cluster']): Promise<UserError> {
  const made = await cluster.get(CERTIFICATES, { name: CERTIFICATE_NAME, namespace })
  const { conditions = [] } = (made?.status ?? {}) as { conditions?: { type: string; message?: string }[] }
  const why = conditions.find(({ type }) => type === 'Ready')?.message ?? 'it reports no reason'
  return new UserError(
    'CERTIFICATE_NOT_ISSUED',
    `cert-manager has not issued the certificate: ${why}; the gateway does not serve it yet`,
    {
      suggestions: [
        sh`kubectl -n ${namespace} describe certificate ${CERTIFICATE_NAME}`,
        '--timeout 5m',
        'kubectl telemetry cleanup',
      ],
    },
  )
}
