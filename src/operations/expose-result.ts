/** What an exposure answers: plain data, and the contract of `-o json`. */
import type { AddonAccess } from '../addons/configuration.ts'
import { daysLeft } from '../certificates/authority.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import type { IngressAddress } from '../gateways/address.ts'
import { gatewayName, type IngressGateway } from '../gateways/find.ts'
import type { Probe } from '../probing/prober.ts'
import { type Change, type ObjectOutcome, outcomeOf } from './changes.ts'
import type { Warning } from './dependencies.ts'
import { type ExposurePlan, type ExposureRequest, movedRoutes } from './exposure-plan.ts'
import type { Certificates } from './serving-certificate.ts'

export interface ExposedAddon {
  addon: string
  namespace: string
  host: string
  url: string
  probe?: Probe
}

export interface ExposeResult {
  outcome: 'planned' | 'declined' | 'applied'
  gateway: {
    namespace: string
    service: string
    address: string
    addressKind: IngressAddress['kind']
    port: number
    via: IngressAddress['via']
  }
  exposures: ExposedAddon[]
  objects: ObjectOutcome[]
  /** The most open of the add-ons. */
  access: { kind: AddonAccess['kind'] }
  authority: { certificate: string; domain: string; kept: boolean; daysLeft: number }
  warnings: Warning[]
}

/** The answer, and the manifests for those who asked to see them (`--dry-run -o yaml`). */
export interface ExposeReport {
  result: ExposeResult
  manifests: KubeObject[]
}

/** What has been found out and planned by the time there is something to tell. */
export interface Planned {
  gathered: ExposureRequest
  plan: ExposurePlan
  certificates: Certificates
  /** The file with the authority's certificate. */
  authorityPath: string
  warnings: Warning[]
}

/** The most open first. */
const OPENNESS: AddonAccess['kind'][] = ['anonymous', 'unknown', 'login']

/** Whether the exit code is 0: nothing was declined, and every page that was exposed answers. */
export function succeeded({ outcome, exposures }: ExposeResult): boolean {
  return outcome !== 'declined' && exposures.every(({ probe }) => probe?.ok ?? true)
}

export function report(
  outcome: ExposeResult['outcome'],
  planned: Planned,
  changes: Change[],
  verified: { probes: Probe[]; warnings: Warning[] } = { probes: [], warnings: [] },
): ExposeReport {
  const { gathered, plan, certificates, authorityPath } = planned
  const { gateway, address, domain, addons } = gathered
  const { authority, now } = certificates
  const kept = certificates.kept || outcome === 'applied'
  const result: ExposeResult = {
    outcome,
    gateway: {
      namespace: gateway.namespace,
      service: gateway.service.metadata.name,
      address: address.address,
      addressKind: address.kind,
      port: address.port,
      via: address.via,
    },
    exposures: plan.exposures.map(({ addon, namespace, host, url }, index) => {
      const probe = verified.probes[index]
      return { addon, namespace, host, url, ...(probe === undefined ? {} : { probe }) }
    }),
    objects: changes.map(outcomeOf),
    access: { kind: OPENNESS.find((kind) => addons.some(({ access }) => access.kind === kind)) ?? 'login' },
    authority: { certificate: authorityPath, domain, kept, daysLeft: daysLeft(authority.certificate, now) },
    warnings: [
      ...planned.warnings,
      ...gatewayWarnings(gateway),
      ...(kept ? [] : [notKept(domain)]),
      ...moveWarnings(gathered),
      ...verified.warnings,
    ],
  }
  return { result, manifests: plan.manifests.map(({ manifest }) => manifest) }
}

function gatewayWarnings(gateway: IngressGateway): Warning[] {
  if (gateway.readyPods > 0) return []
  const remedy = `kubectl -n ${gateway.namespace} get pods`
  return [{ code: 'GATEWAY_NOT_READY', message: `no pod of gateway ${gatewayName(gateway)} is Ready`, remedy }]
}

function moveWarnings(gathered: ExposureRequest): Warning[] {
  return movedRoutes(gathered).map(({ addon, host }) => ({
    code: 'HOST_MOVED',
    message: `${addon} moves from ${host} to ${addon}.${gathered.domain}: one authority vouches for one domain`,
    remedy: 'leave --domain out to stay in the domain that is in use',
  }))
}

function notKept(domain: string): Warning {
  return {
    code: 'AUTHORITY_NOT_KEPT',
    message: `no authority for ${domain} is kept on this machine yet: the certificate shown was signed by one that is now forgotten`,
    remedy: 'run the command without --dry-run, which makes one and keeps it',
  }
}
