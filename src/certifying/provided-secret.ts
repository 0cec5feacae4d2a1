/** A TLS Secret that people made themselves: the gateway serves with it, and we never write to it. */
import { X509Certificate } from 'node:crypto'
import { factsOf } from '../certificates/facts.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import type { Secret } from '../cluster/objects.ts'
import { isOwned } from '../cluster/ownership.ts'
import { SECRETS } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { gatewayName, type IngressGateway } from '../gateways/find.ts'
import { serversIn } from '../gateways/layout.ts'
import { TLS_SECRET_NAME } from '../manifests/names.ts'
import type { Dependencies, Warning } from '../world.ts'
import { covers } from './report.ts'
import { leafOf, requireServable } from './serving-certificate.ts'

export interface SecretChoice {
  /** The gateway's when left out; no other will do. */
  namespace?: string | undefined
  name: string
}

/** PEM: its certificates, by which a probe can tell that the gateway serves it, whoever signed it. */
export interface BroughtSecret {
  name: string
  chain: string
}

/** Less time than this is worth a word. */
const SOON = 14

/**
 * The Secret that was named, or that the Gateway has already; `undefined` when it is ours to make.
 * @param present Gateways, anybody's
 * @throws UserError SECRET_ELSEWHERE
 */
export function chosenSecret(
  named: SecretChoice | undefined,
  present: KubeObject[],
  gateway: IngressGateway,
): string | undefined {
  const { namespace } = gateway
  if (named === undefined) return secretInUse(present)
  if (named.namespace !== undefined && named.namespace !== namespace) {
    const message = `Secret ${named.namespace}/${named.name} is not beside gateway ${gatewayName(gateway)}: a gateway is given Secrets of its own namespace, ${namespace}, alone`
    throw new UserError('SECRET_ELSEWHERE', message, {
      suggestions: [`--tls-secret ${named.name}   # once it is in ${namespace}`],
    })
  }
  return named.name === TLS_SECRET_NAME ? undefined : named.name
}

/** The Secret that our Gateway names, where it is not the one that we make. */
export function secretInUse(present: KubeObject[]): string | undefined {
  const own = present.find((object) => object.kind === 'Gateway' && isOwned(object))
  const names = serversIn(own).map(({ tls }) => tls?.credentialName)
  return names.find((name): name is string => typeof name === 'string' && name !== TLS_SECRET_NAME)
}

/**
 * Reads it and judges whether it can serve these hosts.
 * @throws UserError SECRET_NOT_FOUND, CERTIFICATE_INVALID
 */
export async function requireBroughtSecret(
  name: string,
  namespace: string,
  hosts: string[],
  { cluster, clock }: Pick<Dependencies, 'cluster' | 'clock'>,
): Promise<{ brought: BroughtSecret; warnings: Warning[] }> {
  const secret = await cluster.get<Secret>(SECRETS, { name, namespace })
  const back = `--tls-secret ${TLS_SECRET_NAME}   # the one that we make`
  if (secret === undefined) {
    throw new UserError('SECRET_NOT_FOUND', `there is no Secret ${namespace}/${name}`, {
      suggestions: [`kubectl -n ${namespace} create secret tls ${name} --cert fullchain.pem --key key.pem`, back],
    })
  }
  requireServable(secret, clock.now())
  const chain = leafOf(secret)?.certificate ?? ''
  const names = factsOf(chain, clock.now())?.hosts ?? []
  const lacking = hosts.filter(
    (host) => !covers(names, host) || new X509Certificate(chain).checkHost(host) === undefined,
  )
  if (lacking.length > 0) {
    const message = `Secret ${namespace}/${name}: its certificate is not for ${lacking.join(', ')}, but for ${names.join(', ') || 'no name'}`
    throw new UserError('CERTIFICATE_INVALID', message, {
      suggestions: ['--domain example.com   # hosts are names below it', back],
    })
  }
  return { brought: { name, chain }, warnings: warningsOf(`${namespace}/${name}`, chain, names, clock.now()) }
}

function warningsOf(secret: string, chain: string, names: string[], now: Date): Warning[] {
  const wildcard = names.find((name) => name.startsWith('*.'))
  const left = factsOf(chain, now)?.daysLeft ?? 0
  return [
    ...(wildcard === undefined
      ? []
      : [
          {
            code: 'WILDCARD',
            message: `the certificate in ${secret} is for ${wildcard}: a browser may bring other hosts of that domain onto the connection of an add-on, and they then get 404`,
            remedy: 'a certificate for just these hosts',
          },
        ]),
    ...(left >= SOON
      ? []
      : [
          {
            code: 'EXPIRES_SOON',
            message: `the certificate in ${secret} has ${left} days left`,
            remedy: 'renew it where it was made; the gateway then serves the new one by itself',
          },
        ]),
  ]
}
