/** The user's own TLS Secret: the gateway uses it, and kubectl telemetry never writes to it. */
import { X509Certificate } from 'node:crypto'
import { factsOf } from '../certificates/facts.ts'
import { coversHost } from '../certificates/names.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import type { Secret } from '../cluster/objects.ts'
import { SECRETS } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { type Finding, warns } from '../findings.ts'
import { gatewayName, type IngressGateway } from '../gateways/find.ts'
import { serversIn } from '../gateways/layout.ts'
import { ownGateway } from '../gateways/made-by-exposing.ts'
import { TLS_SECRET_NAME } from '../manifests/names.ts'
import { sh } from '../shell.ts'
import type { Dependencies } from '../world.ts'
import { certificateInvalid, leafOf, requireServable } from './secret-content.ts'

export interface SecretChoice {
  /** Only the namespace of the gateway is allowed, which is the default. */
  namespace?: string | undefined
  name: string
}

type Needs = Pick<Dependencies, 'cluster' | 'clock'>

/** `chain` is PEM. Probes trust it directly, so any CA may have signed it. */
export interface ProvidedSecret {
  name: string
  chain: string
}

/** Days. A certificate with less time left is a warning. */
const SOON = 14

/**
 * The requested Secret, or the one in use; `undefined` when kubectl telemetry creates it.
 * @param present all Gateways
 * @throws UserError SECRET_ELSEWHERE
 */
export function chooseSecret(
  named: SecretChoice | undefined,
  present: KubeObject[],
  gateway: IngressGateway,
): string | undefined {
  const { namespace } = gateway
  if (named === undefined) return secretInUse(ownGateway(present, namespace))
  if (named.namespace !== undefined && named.namespace !== namespace) {
    const message = `Secret ${named.namespace}/${named.name} is in another namespace than gateway ${gatewayName(gateway)}; a gateway can use only Secrets from its own namespace (${namespace})`
    throw new UserError('SECRET_ELSEWHERE', message, {
      suggestions: [sh`--tls-secret ${named.name}   # after you copied it to namespace ${namespace}`],
    })
  }
  return named.name === TLS_SECRET_NAME ? undefined : named.name
}

/** The Secret of the Gateway of kubectl telemetry, if kubectl telemetry does not create it. */
function secretInUse(own: KubeObject | undefined): string | undefined {
  const names = serversIn(own).map(({ tls }) => tls?.credentialName)
  return names.find((name): name is string => typeof name === 'string' && name !== TLS_SECRET_NAME)
}

/**
 * Reads the Secret and checks that it can serve these hosts.
 * @throws UserError SECRET_NOT_FOUND, CERTIFICATE_INVALID
 */
export async function requireProvidedSecret(
  name: string,
  namespace: string,
  hosts: readonly string[],
  { cluster, clock }: Needs,
): Promise<{ providedSecret: ProvidedSecret; warnings: Finding[] }> {
  const secret = await cluster.get<Secret>(SECRETS, { name, namespace })
  const back = sh`--tls-secret ${TLS_SECRET_NAME}   # the Secret that kubectl telemetry creates`
  if (secret === undefined) {
    throw new UserError('SECRET_NOT_FOUND', `Secret ${namespace}/${name} does not exist`, {
      suggestions: [sh`kubectl -n ${namespace} create secret tls ${name} --cert fullchain.pem --key key.pem`, back],
    })
  }
  requireServable(secret, clock.now())
  const chain = leafOf(secret)?.certificate ?? ''
  const names = factsOf(chain, clock.now())?.hosts ?? []
  const lacking = hosts.filter(
    (host) => !coversHost(names, host) || new X509Certificate(chain).checkHost(host) === undefined,
  )
  if (lacking.length > 0) {
    const message = `Secret ${namespace}/${name}: its certificate is not for ${lacking.join(', ')}, but for ${names.join(', ') || 'no name'}`
    throw certificateInvalid(message, '--domain example.com   # the hosts are names in this domain', back)
  }
  return { providedSecret: { name, chain }, warnings: warningsOf(`${namespace}/${name}`, chain, names, clock.now()) }
}

function warningsOf(secret: string, chain: string, names: string[], now: Date): Finding[] {
  const wildcard = names.find((name) => name.startsWith('*.'))
  const left = factsOf(chain, now)?.daysLeft ?? 0
  return [
    ...(wildcard === undefined
      ? []
      : [
          warns(
            'WILDCARD',
            `the certificate in ${secret} is for ${wildcard}: a browser may send requests for other hosts of that domain over the connection to an add-on, and they then get 404`,
            'use a certificate for only these hosts',
          ),
        ]),
    ...(left >= SOON
      ? []
      : [
          warns(
            'OWN_CERTIFICATE_EXPIRES_SOON',
            `the certificate in ${secret} has ${left} days left`,
            'renew it with the tool that created it; the gateway then serves the new one without a restart',
          ),
        ]),
  ]
}
