/** Looks once whether what is exposed answers, trusting what its Secret or this machine has. */
import type { Secret } from '../cluster/objects.ts'
import { domainOf } from '../gateways/layout.ts'
import type { Probe } from '../probing/prober.ts'
import type { Dependencies, Warning } from '../world.ts'
import type { ExposedGateway } from './exposed-gateways.ts'
import { verifyExposures } from './verify.ts'

type Needs = Pick<Dependencies, 'prober' | 'clock' | 'terminal' | 'authorities'>

type Trust = { authorityCertificate: string | undefined; trustPartialChain?: boolean }

/**
 * @param secret what the gateway serves with; left out for HTTP, and when it may not be read
 * @returns a probe for each exposure, `undefined` where none could be made
 */
export async function probeExposed(
  place: ExposedGateway,
  secret: Secret | undefined,
  dependencies: Needs,
): Promise<{ probes: (Probe | undefined)[]; warnings: Warning[] }> {
  const { address, exposures, guards = {} } = place
  const trust = await trustOf(place, secret, dependencies)
  const reached = exposures.filter(({ port }) => port !== undefined)
  if (address === undefined || trust === undefined || reached.length === 0) return { probes: [], warnings: [] }
  const verified = await verifyExposures(reached, { ingress: address, guards, ...trust }, 0, dependencies)
  return { ...verified, probes: exposures.map((exposure) => verified.probes[reached.indexOf(exposure)]) }
}

/** @returns undefined when nothing is known that the certificate could be held against */
async function trustOf(
  place: ExposedGateway,
  secret: Secret | undefined,
  { authorities }: Needs,
): Promise<Trust | undefined> {
  if (!place.secure) return { authorityCertificate: undefined }
  const decoded = (name: string) => Buffer.from(secret?.data?.[name] ?? '', 'base64').toString()
  if (decoded('ca.crt') !== '') return { authorityCertificate: decoded('ca.crt') }
  if (decoded('tls.crt') !== '') return { authorityCertificate: decoded('tls.crt'), trustPartialChain: true }
  const domain = place.routes.map(domainOf).find((one) => one !== undefined)
  const own = domain === undefined ? undefined : await authorities.find(domain).catch(() => undefined)
  return own && { authorityCertificate: own.certificate }
}
