/** Requests each exposed page once. Trusts the CA from the TLS Secret or from this machine. */
import type { Secret } from '../cluster/objects.ts'
import type { Finding } from '../findings.ts'
import { domainOf } from '../gateways/layout.ts'
import { secretText } from '../manifests/tls-secret.ts'
import type { Probe } from '../probing/prober.ts'
import type { Dependencies } from '../world.ts'
import type { ExposedGateway } from './exposed-gateways.ts'
import { guardPassed } from './opening/prove-guards.ts'
import { verifyExposures } from './verify.ts'

type Needs = Pick<Dependencies, 'cluster' | 'prober' | 'clock' | 'terminal' | 'authorities'>

/** Whom a client of the exposures trusts. */
export type Trust = { authorityCertificate: string | undefined; trustPartialChain?: boolean }

/**
 * @param secret the TLS Secret; undefined for HTTP, and without permission to read it
 * @returns a probe for each exposure, `undefined` where none could be made
 */
export async function probeExposed(
  place: ExposedGateway,
  secret: Secret | undefined,
  dependencies: Needs,
): Promise<{ probes: (Probe | undefined)[]; warnings: readonly Finding[] }> {
  const { gateway, address, exposures, routes, guards = {}, listPaths } = place
  const trust = await trustOf(place, secret, dependencies)
  const isOpen = (index: number) => routes[index]?.closedFor === undefined
  const reached = exposures.filter(({ port }, index) => port !== undefined && isOpen(index))
  if (address === undefined || trust === undefined || reached.length === 0) return { probes: [], warnings: [] }
  const mesh = gateway && { gateway, cluster: dependencies.cluster }
  const verification = { ingress: address, guards, ...trust, listPaths, proven: [], mesh }
  const verified = await verifyExposures(reached, verification, 0, dependencies)
  const warnings = [...verified.warnings, ...verified.passed.map(({ proof }) => guardPassed(proof, false))]
  return { warnings, probes: exposures.map((exposure) => verified.probes[reached.indexOf(exposure)]) }
}

/** What verifies the hosts of a gateway. @returns undefined when no CA is known that could verify the certificate */
export async function trustOf(
  place: Pick<ExposedGateway, 'exposures' | 'routes'>,
  secret: Secret | undefined,
  { authorities }: Pick<Needs, 'authorities'>,
): Promise<Trust | undefined> {
  if (place.exposures.every(({ secure }) => !secure)) return { authorityCertificate: undefined }
  const [authority, leaf] = [secretText(secret, 'ca.crt'), secretText(secret, 'tls.crt')]
  if (authority !== '') return { authorityCertificate: authority }
  if (leaf !== '') return { authorityCertificate: leaf, trustPartialChain: true }
  const domain = place.routes.map(domainOf).find((one) => one !== undefined)
  const own = domain === undefined ? undefined : await authorities.find(domain).catch(() => undefined)
  return own && { authorityCertificate: own.certificate }
}
