/** The result of `expose`: plain data, and the contract of `-o json`. */
import { type Credentials, type Guards, type GuardView, viewOf } from '../access/guard.ts'
import { guardFindings } from '../access/guard-findings.ts'
import type { AddonAccess } from '../addons/configuration.ts'
import { serviceNamed, titleOf } from '../addons/service-name.ts'
import { daysLeft } from '../certificates/authority.ts'
import type { Certificates } from '../certifying/serving-certificate.ts'
import { type Comparison, comparisonOf, type ObjectOutcome, outcomeOf } from '../changes/changes.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import { type Finding, noneFails, notes, warns } from '../findings.ts'
import type { IngressAddress } from '../gateways/address.ts'
import { gatewayName, type IngressGateway } from '../gateways/find.ts'
import { isSecure, type Layout, schemePort } from '../gateways/layout.ts'
import { urlOf } from '../gateways/names.ts'
import type { Probe } from '../probing/prober.ts'
import { sh } from '../shell.ts'
import type { ApplyResult } from './apply.ts'
import { routeClosed } from './opening/prove-guards.ts'
import type { ExposePlan } from './plan.ts'
import { type ExposureSpec, entryIn, hostAt, movedRoutes } from './spec.ts'
import type { Terms } from './terms.ts'
import type { ProbeReport } from './verify.ts'

export interface ExposedAddon {
  /** Left out for a Service that is no add-on. */
  addon?: string
  /** The Service. */
  namespace: string
  service: string
  host: string
  port?: number
  url: string
  /** The only paths of a Service that are let through; left out where all are. */
  paths?: readonly string[]
  /** What a visitor could do in the add-on, in words that follow "a visitor". Left out if it was not read. */
  visitor?: string
  /** Who may enter; left out when anyone may. */
  guard?: GuardView
  /** The user allowed anyone to enter. */
  anonymous?: true
  /** When it expires (RFC 3339). */
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
  /** The CA of the served certificate; left out for HTTP, and with the user's own Secret. */
  authority?: { certificate: string; domain: string; kept: boolean; daysLeft: number }
  /** The password that this run generated, and its add-ons. It is shown only now; the cluster stores only its hash. */
  credentials?: { user: string; password: string; addons: string[] }
  warnings: Finding[]
}

/** The result, with the manifests for `--dry-run -o yaml` and the comparisons for `--diff`. */
export interface ExposeReport {
  result: ExposeResult
  manifests: KubeObject[]
  comparisons: Comparison[]
}

/** What is reported in addition to the plan, once it has been applied. */
export interface Aftermath extends ApplyResult {
  verified: ProbeReport
}

/** The most open first. */
const OPENNESS: AddonAccess['kind'][] = ['anonymous', 'unknown', 'login']

/** Whether the exit code is 0: nothing was declined, and every page that was exposed answers. */
export function succeeded({ outcome, warnings }: ExposeResult): boolean {
  return outcome !== 'declined' && noneFails(warnings)
}

/** @param after the outcome of an applied plan */
export function report(outcome: ExposeResult['outcome'], plan: ExposePlan, after = notApplied(plan)): ExposeReport {
  const { changes, verified } = after
  const { gateway, address, layout, addons, moving, guarding, terms } = plan.spec
  const authority = authorityOf(plan, outcome)
  const credentials = credentialsOf(plan.request.guard.generated, guarding.guards)
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
    exposures: after.exposures.map(({ name: addon, namespace, service, host, port, url }, index) => {
      const probe = verified.probes[index]
      const guard = guarding.guards[addon]
      const visitor = [...addons, ...moving].find(({ found }) => found.addon.name === addon)?.visitor
      const paths = plan.spec.paths[addon]
      return {
        ...(serviceNamed(addon) === undefined ? { addon } : {}),
        namespace,
        service,
        host,
        ...(port === undefined ? {} : { port }),
        url,
        ...(paths === undefined ? {} : { paths }),
        ...(visitor ? { visitor } : {}),
        ...(guard === undefined ? {} : { guard: viewOf(guard) }),
        ...shown(terms[addon]),
        ...(probe === undefined ? {} : { probe }),
      }
    }),
    objects: changes.map(outcomeOf),
    access: { kind: OPENNESS.find((kind) => addons.some(({ access }) => access.kind === kind)) ?? 'login' },
    ...(authority === undefined ? {} : { authority }),
    ...(outcome === 'applied' && credentials !== undefined ? { credentials } : {}),
    warnings: [
      ...plan.warnings,
      ...after.warnings,
      ...gatewayWarnings(gateway),
      ...(after.exposures.every(({ secure }) => secure) ? [] : [plaintextWarning()]),
      ...guardFindings(guarding, gateway.namespace, plan.request.guard),
      ...(authority === undefined || authority.kept ? [] : [authorityNotKept(authority.domain)]),
      ...replacedWarnings(plan.certificates),
      ...moveWarnings(plan.spec),
      ...stillClosed(plan.spec),
      ...after.unproven,
      ...(outcome === 'planned' && credentials !== undefined ? [passwordNotKept()] : []),
      ...verified.warnings,
    ],
  }
  const manifests = changes.filter(({ by }) => by !== 'removing').map(({ manifest }) => manifest)
  return { result, manifests, comparisons: changes.map(comparisonOf) }
}

function shown({ expiresAt, anonymous }: Terms = {}): Pick<ExposedAddon, 'expiresAt' | 'anonymous'> {
  return { ...(expiresAt === undefined ? {} : { expiresAt }), ...(anonymous === undefined ? {} : { anonymous: true }) }
}

function notApplied({ spec, exposures, changes, links, unresolved }: ExposePlan): Aftermath {
  const verified = { probes: [], warnings: unresolved, passed: [] }
  const opening = { closed: [], verdicts: {}, opened: [], unproven: [] }
  const { providedSecret } = spec
  return { changes: [...changes, ...links], exposures, providedSecret, warnings: [], verified, ...opening }
}

function authorityOf(
  { certificates, authorityPath, spec }: ExposePlan,
  outcome: ExposeResult['outcome'],
): ExposeResult['authority'] {
  if (certificates === undefined) return undefined
  const { authority, now, kept } = certificates
  return {
    certificate: authorityPath,
    domain: spec.layout.domain,
    kept: kept || outcome === 'applied',
    daysLeft: daysLeft(authority.certificate, now),
  }
}

/** @returns undefined when no add-on uses it */
function credentialsOf(generated: Credentials | undefined, guards: Guards): ExposeResult['credentials'] {
  if (generated === undefined) return undefined
  const { user, password, line } = generated
  const given = Object.entries(guards).filter(([, { login }]) => login?.kind === 'basic' && login.users.includes(line))
  return given.length === 0 ? undefined : { user, password, addons: given.map(([addon]) => titleOf(addon)) }
}

function passwordNotKept(): Finding {
  return notes(
    'PASSWORD_NOT_KEPT',
    'the hash shown belongs to a generated password that the dry run does not keep',
    '--htpasswd FILE   # your own passwords',
  )
}

function gatewayWarnings(gateway: IngressGateway): Finding[] {
  if (gateway.readyPods > 0) return []
  const remedy = sh`kubectl -n ${gateway.namespace} get pods`
  return [warns('GATEWAY_NOT_READY', `no pod of gateway ${gatewayName(gateway)} is Ready`, remedy)]
}

function moveWarnings(spec: ExposureSpec): Finding[] {
  const { layout, layoutInUse } = spec
  return movedRoutes(spec).map((route) => {
    const to = entryIn(spec, route.name)
    const secure = route.own?.secure ?? layoutInUse?.secure ?? true
    const from = { host: hostAt(route.host, spec.address), port: route.port ?? schemePort(secure) }
    const isSecureThen = isSecure(to, layout)
    return warns(
      'HOST_MOVED',
      `${titleOf(route.name)} moves from ${urlOf({ ...from, secure, path: '/' })} to ${urlOf({ host: hostAt(to.host, spec.address), port: to.port, secure: isSecureThen, path: '/' })}: add-ons at one gateway share a domain and a layout`,
      secure && !isSecureThen
        ? 'leave out --insecure to keep HTTPS'
        : 'leave out --domain and --layout to keep the present URLs',
    )
  })
}

function replacedWarnings(certificates: Certificates | undefined): Finding[] {
  if (certificates?.replaces === undefined) return []
  const { authority, replaces } = certificates
  const message = `the certificate was signed by the CA on ${replaces} until now; clients that trust only that CA will reject the new one`
  const remedy = sh`kubectl telemetry cert create --domain ${authority.domain} --ca-cert ca.crt --ca-key ca.key   # with the CA files of ${replaces}; run it before expose`
  return [warns('CA_REPLACED', message, remedy)]
}

/** A route that an interrupted run closed, for a guard that nobody knows. */
function stillClosed(spec: ExposureSpec): Finding[] {
  return Object.keys(spec.closed).map((addon) => {
    const isNamed = spec.addons.some(({ found }) => found.addon.name === addon)
    return routeClosed(
      { name: addon, host: hostAt(entryIn(spec, addon).host, spec.address) },
      isNamed ? 'fails' : 'warns',
    )
  })
}

function plaintextWarning(): Finding {
  return warns(
    'INSECURE',
    'pages, passwords and cookies are sent as plaintext; anyone on the network path can read and change them',
    'leave out --insecure',
  )
}

function authorityNotKept(domain: string): Finding {
  return notes(
    'CA_NOT_KEPT',
    `this machine has no CA for ${domain} yet; the certificate shown is signed by one that the dry run does not keep`,
    'run the command without --dry-run; it creates a CA and keeps it',
  )
}
