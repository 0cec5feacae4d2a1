/** What an exposure answers: plain data, and the contract of `-o json`. */
import { type Credentials, type Guards, type GuardView, viewOf } from '../access/guard.ts'
import type { AddonAccess } from '../addons/configuration.ts'
import { daysLeft } from '../certificates/authority.ts'
import type { Certificates } from '../certifying/serving-certificate.ts'
import { type Change, type Comparison, comparisonOf, type ObjectOutcome, outcomeOf } from '../changes/changes.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import type { IngressAddress } from '../gateways/address.ts'
import { gatewayName, type IngressGateway } from '../gateways/find.ts'
import { entryOf, type Layout, schemePort } from '../gateways/layout.ts'
import { urlOf } from '../gateways/names.ts'
import type { Probe } from '../probing/prober.ts'
import type { Warning } from '../world.ts'
import { type Exposure, type ExposureRequest, movedRoutes } from './plan.ts'

export interface ExposedAddon {
  addon: string
  namespace: string
  host: string
  port?: number
  url: string
  /** What somebody whom the gateway lets in could do, in words that follow "a visitor". Left out where it was not looked at. */
  visitor?: string
  /** Whom the gateway lets in; left out when it lets in anyone who reaches it. */
  guard?: GuardView
  /** Somebody said that it may let anyone in. */
  anonymous?: true
  /** When it is to go (RFC 3339). */
  expiresAt?: string
  probe?: Probe
}

export interface ExposeResult {
  outcome: 'planned' | 'declined' | 'applied'
  gateway: {
    namespace: string
    service: string
    address: string
    addressKind: IngressAddress['kind']
    via: IngressAddress['via']
  }
  layout: Layout
  exposures: ExposedAddon[]
  objects: ObjectOutcome[]
  /** The most open of the add-ons. */
  access: { kind: AddonAccess['kind'] }
  /** Who signed what the gateway serves with; left out when it serves HTTP, or with a Secret that was brought. */
  authority?: { certificate: string; domain: string; kept: boolean; daysLeft: number }
  /** A password that was made in this run, and for which add-ons. It is shown this once; the cluster has its hash. */
  credentials?: { user: string; password: string; addons: string[] }
  warnings: Warning[]
}

/** The answer, and for those who asked to see them the manifests (`--dry-run -o yaml`) and what they change (`--diff`). */
export interface ExposeReport {
  result: ExposeResult
  manifests: KubeObject[]
  comparisons: Comparison[]
}

/** What has been found out and planned by the time there is something to tell. */
export interface Planned {
  gathered: ExposureRequest
  exposures: Exposure[]
  /** Left out when it is to be HTTP. */
  certificates: Certificates | undefined
  /** The file with the authority's certificate. */
  authorityPath: string
  warnings: Warning[]
  /** What the self-test of a default domain found; the last look at the names says more. */
  unresolved: Warning[]
  /** The password for those that need a new one. */
  generated: Credentials | undefined
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
  verified: { probes: Probe[]; warnings: Warning[] } = { probes: [], warnings: planned.unresolved },
): ExposeReport {
  const { gathered } = planned
  const { gateway, address, layout, addons } = gathered
  const authority = authorityOf(planned, outcome)
  const credentials = credentialsOf(planned.generated, gathered.guarding.guards)
  const result: ExposeResult = {
    outcome,
    gateway: {
      namespace: gateway.namespace,
      service: gateway.service.metadata.name,
      address: address.address,
      addressKind: address.kind,
      via: address.via,
    },
    layout,
    exposures: planned.exposures.map(({ addon, namespace, host, port, url }, index) => {
      const probe = verified.probes[index]
      const guard = gathered.guarding.guards[addon]
      const visitor = addons.find(({ found }) => found.addon.name === addon)?.visitor
      return {
        addon,
        namespace,
        host,
        ...(port === undefined ? {} : { port }),
        url,
        ...(visitor ? { visitor } : {}),
        ...(guard === undefined ? {} : { guard: viewOf(guard) }),
        ...gathered.terms[addon],
        ...(probe === undefined ? {} : { probe }),
      }
    }),
    objects: changes.map(outcomeOf),
    access: { kind: OPENNESS.find((kind) => addons.some(({ access }) => access.kind === kind)) ?? 'login' },
    ...(authority === undefined ? {} : { authority }),
    ...(outcome === 'applied' && credentials !== undefined ? { credentials } : {}),
    warnings: [
      ...planned.warnings,
      ...gatewayWarnings(gateway),
      ...(layout.secure ? [] : [inTheClear()]),
      ...(authority === undefined || authority.kept ? [] : [notKept(authority.domain)]),
      ...replacedWarnings(planned.certificates),
      ...moveWarnings(gathered),
      ...(outcome === 'planned' && credentials !== undefined ? [passwordNotKept()] : []),
      ...verified.warnings,
    ],
  }
  const manifests = changes.filter(({ by }) => by !== 'removing').map(({ manifest }) => manifest)
  return { result, manifests, comparisons: changes.map(comparisonOf) }
}

function authorityOf(
  { certificates, authorityPath, gathered }: Planned,
  outcome: ExposeResult['outcome'],
): ExposeResult['authority'] {
  if (certificates === undefined) return undefined
  const { authority, now, kept } = certificates
  return {
    certificate: authorityPath,
    domain: gathered.layout.domain,
    kept: kept || outcome === 'applied',
    daysLeft: daysLeft(authority.certificate, now),
  }
}

/** @returns nothing when no add-on was given it */
function credentialsOf(generated: Credentials | undefined, guards: Guards): ExposeResult['credentials'] {
  if (generated === undefined) return undefined
  const { user, password, line } = generated
  const given = Object.entries(guards).filter(([, { login }]) => login?.kind === 'basic' && login.users.includes(line))
  return given.length === 0 ? undefined : { user, password, addons: given.map(([addon]) => addon) }
}

function passwordNotKept(): Warning {
  return {
    code: 'PASSWORD_NOT_KEPT',
    message: 'the hash shown is that of a password which is now forgotten',
    remedy: '--htpasswd FILE   # passwords of your own',
  }
}

function gatewayWarnings(gateway: IngressGateway): Warning[] {
  if (gateway.readyPods > 0) return []
  const remedy = `kubectl -n ${gateway.namespace} get pods`
  return [{ code: 'GATEWAY_NOT_READY', message: `no pod of gateway ${gatewayName(gateway)} is Ready`, remedy }]
}

function moveWarnings(gathered: ExposureRequest): Warning[] {
  const { layout, layoutInUse } = gathered
  return movedRoutes(gathered).map((route) => {
    const to = entryOf(route.addon, layout)
    const from = { host: route.host, port: route.port ?? schemePort(layoutInUse?.secure ?? true) }
    const secure = layoutInUse?.secure ?? true
    return {
      code: 'HOST_MOVED',
      message: `${route.addon} moves from ${urlOf({ ...from, secure, path: '/' })} to ${urlOf({ ...to, secure: layout.secure, path: '/' })}: add-ons at one gateway share a domain and a layout`,
      remedy:
        secure && !layout.secure
          ? 'leave --insecure out to stay with HTTPS'
          : 'leave --domain and --layout out to stay where they are',
    }
  })
}

function replacedWarnings(certificates: Certificates | undefined): Warning[] {
  if (certificates?.replaces === undefined) return []
  const { authority, replaces } = certificates
  const message = `another authority of ${authority.domain}, of ${replaces}, signed the certificate until now: clients that trust that one alone refuse the new one`
  const remedy = `kubectl telemetry cert create --domain ${authority.domain} --ca-cert ca.crt --ca-key ca.key   # with the files of ${replaces}, before anything else`
  return [{ code: 'AUTHORITY_REPLACED', message, remedy }]
}

function inTheClear(): Warning {
  return {
    code: 'INSECURE',
    message: 'pages, passwords and cookies go over the network in clear, and whoever is on the way may change them',
    remedy: 'leave --insecure out',
  }
}

function notKept(domain: string): Warning {
  return {
    code: 'AUTHORITY_NOT_KEPT',
    message: `no authority for ${domain} is kept on this machine yet: the certificate shown was signed by one that is now forgotten`,
    remedy: 'run the command without --dry-run, which makes one and keeps it',
  }
}
