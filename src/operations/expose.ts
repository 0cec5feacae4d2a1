/** Makes add-ons reachable from outside through the ingress gateway: gather, plan, rehearse, confirm, apply, verify. */
import type { AddonAccess } from '../addons/access.ts'
import type { Addon } from '../addons/catalog.ts'
import type { FoundAddon } from '../addons/find.ts'
import { daysLeft } from '../certificates/authority.ts'
import type { KubeObject, ObjectName } from '../cluster/cluster.ts'
import { UserError } from '../errors.ts'
import type { IngressAddress } from '../gateways/address.ts'
import { gatewayName, type IngressGateway } from '../gateways/find.ts'
import { nipDomain, requireDomain } from '../gateways/names.ts'
import type { Probe } from '../probing/prober.ts'
import { applyChanges, type Change, estimate, type ObjectOutcome, outcomeOf, readPresent, rehearse } from './changes.ts'
import { requireConsent } from './consent.ts'
import type { Dependencies, Warning } from './dependencies.ts'
import { type Exposure, type ExposurePlan, exposuresOf, namesOf, planExposure } from './exposure-plan.ts'
import { type Certificates, isSecret, requireCertificates } from './serving-certificate.ts'
import {
  complaintOf,
  readServices,
  requireAddon,
  requireGateway,
  requireIngressAddress,
  requireIstioVersion,
  requireSecretsReadable,
  surveyAccess,
} from './survey.ts'
import { verifyExposures } from './verify.ts'

export interface ExposeRequest {
  addons: readonly Addon[]
  /** Where the add-ons are; every namespace when left out. */
  namespace?: string | undefined
  domain?: string | undefined
  /** `--ingress-ip`. */
  ingressAddress?: string | undefined
  gateway?: Required<ObjectName> | undefined
  allowAnonymous: boolean
  yes: boolean
  dryRun: 'none' | 'client' | 'server'
  /** Milliseconds to wait for the pages to answer. */
  timeout: number
}

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
  access: { kind: AddonAccess['kind'] }
  authority: { certificate: string; domain: string; kept: boolean; daysLeft: number }
  warnings: Warning[]
}

/** The answer, and the manifests for those who asked to see them (`--dry-run -o yaml`). */
export interface ExposeReport {
  result: ExposeResult
  manifests: KubeObject[]
}

interface Gathered {
  istioVersion: string
  gateway: IngressGateway
  address: IngressAddress
  domain: string
  addons: { found: FoundAddon; access: AddonAccess }[]
}

/** @throws UserError; see the codes in survey.ts, changes.ts and consent.ts */
export async function expose(request: ExposeRequest, dependencies: Dependencies): Promise<ExposeReport> {
  const { cluster, terminal, authorities } = dependencies
  const gathered = await gather(request, dependencies)
  const hosts = exposuresOf(gathered).map(({ host }) => host)
  const present = await readPresent(cluster, namesOf(gathered))
  const certificates = await requireCertificates(gathered.domain, hosts, present.find(isSecret), dependencies)
  const plan = planExposure(gathered, certificates)
  const changes = plan.manifests.map(({ resource, manifest }, index) => {
    const before = present[index]
    return { resource, manifest, present: before, action: estimate(manifest, before) }
  })
  const report = (
    outcome: ExposeResult['outcome'],
    made: Change[],
    probes: Probe[] = [],
    warnings: Warning[] = [],
  ): ExposeReport => ({
    manifests: plan.manifests.map(({ manifest }) => manifest),
    result: describe(outcome, {
      gathered,
      plan,
      certificates,
      made,
      probes,
      warnings,
      path: authorities.certificatePath(gathered.domain),
    }),
  })

  if (request.dryRun === 'client') return report('planned', changes)
  const rehearsed = await rehearse(cluster, changes)
  if (request.dryRun === 'server') return report('planned', rehearsed)

  await requireConsent(gathered.addons, plan.exposures, request.allowAnonymous, terminal)
  if (!(await confirmed(rehearsed, plan, request.yes, dependencies))) return report('declined', rehearsed)

  await keepAuthority(certificates, dependencies)
  await applyChanges(cluster, rehearsed)
  const { probes, warnings } = await verifyExposures(
    plan.exposures,
    gathered.address,
    certificates.authority.certificate,
    request.timeout,
    dependencies,
  )
  return report('applied', rehearsed, probes, warnings)
}

async function gather(request: ExposeRequest, dependencies: Dependencies): Promise<Gathered> {
  const { cluster } = dependencies
  const [istioVersion, services] = await Promise.all([requireIstioVersion(cluster), readServices(cluster)])
  const addons: Gathered['addons'] = []
  for (const addon of request.addons) {
    const found = await requireAddon(addon, services, request.namespace, dependencies)
    addons.push({ found, access: await surveyAccess(found, cluster) })
  }
  const gateway = await requireGateway(services, request.gateway, dependencies)
  const [address] = await Promise.all([
    requireIngressAddress(gateway, request.ingressAddress, dependencies),
    requireSecretsReadable(gateway, cluster),
  ])
  const domain = request.domain ?? (await defaultDomain(address, dependencies))
  return { istioVersion, gateway, address, domain, addons }
}

/** nip.io answers `ANYTHING.192.0.2.10.nip.io` with 192.0.2.10; where it cannot, somebody has to say. */
async function defaultDomain({ address }: IngressAddress, { terminal }: Dependencies): Promise<string> {
  const domain = nipDomain(address)
  if (domain !== undefined) return domain
  if (!terminal.interactive) {
    throw new UserError(
      'DOMAIN_REQUIRED',
      `the gateway's address ${address} is no IPv4 address, so there is no default domain`,
      {
        suggestions: ['--domain example.com   # whose names lead to that address'],
      },
    )
  }
  return requireDomain(await terminal.input(`Domain whose names lead to ${address}:`, complaintOf(requireDomain)))
}

/** Nothing to change needs no leave. */
async function confirmed(
  changes: Change[],
  plan: ExposurePlan,
  yes: boolean,
  { terminal }: Dependencies,
): Promise<boolean> {
  const open = changes.filter(({ action }) => action !== 'unchanged')
  if (open.length === 0 || yes) return true
  if (!terminal.interactive) {
    throw new UserError(
      'CONSENT_REQUIRED',
      `${open.length} objects would be changed, and there is no terminal to ask on`,
      {
        suggestions: ['-y', '--dry-run=server   # shows them'],
      },
    )
  }
  for (const { manifest, action } of open) {
    terminal.note(
      `  ${manifest.kind} ${manifest.metadata.namespace}/${manifest.metadata.name}: ${action === 'created' ? 'create' : 'change'}`,
    )
  }
  return terminal.confirm(`Expose ${plan.exposures.map(({ url }) => url).join(', ')}?`)
}

async function keepAuthority({ authority, kept }: Certificates, { authorities }: Dependencies): Promise<void> {
  if (kept) return
  const winner = await authorities.keep(authority)
  if (winner.certificate === authority.certificate) return
  throw new UserError(
    'CONFLICT',
    `another run made the authority of ${authority.domain} at the same moment; nothing was changed in the cluster`,
    {
      suggestions: ['run the command again'],
    },
  )
}

interface Outcome {
  gathered: Gathered
  plan: ExposurePlan
  certificates: Certificates
  made: Change[]
  probes: Probe[]
  warnings: Warning[]
  path: string
}

function describe(
  outcome: ExposeResult['outcome'],
  { gathered, plan, certificates, made, probes, warnings, path }: Outcome,
): ExposeResult {
  const { gateway, address, domain, addons } = gathered
  const { authority, kept } = certificates
  const isKept = kept || outcome === 'applied'
  return {
    outcome,
    gateway: {
      namespace: gateway.namespace,
      service: gateway.service.metadata.name,
      address: address.address,
      addressKind: address.kind,
      port: address.port,
      via: address.via,
    },
    exposures: plan.exposures.map((exposure, index) => exposed(exposure, probes[index])),
    objects: made.map(outcomeOf),
    access: { kind: addons.find(({ access }) => access.kind !== 'login')?.access.kind ?? 'login' },
    authority: { certificate: path, domain, kept: isKept, daysLeft: daysLeft(authority.certificate, certificates.now) },
    warnings: [...gatewayWarnings(gateway), ...(isKept ? [] : [notKept(domain)]), ...warnings],
  }
}

function exposed({ addon, namespace, host, url }: Exposure, probe: Probe | undefined): ExposedAddon {
  return { addon, namespace, host, url, ...(probe === undefined ? {} : { probe }) }
}

function gatewayWarnings(gateway: IngressGateway): Warning[] {
  if (gateway.readyPods > 0) return []
  return [
    {
      code: 'GATEWAY_NOT_READY',
      message: `no pod of gateway ${gatewayName(gateway)} is Ready`,
      remedy: `kubectl -n ${gateway.namespace} get pods`,
    },
  ]
}

function notKept(domain: string): Warning {
  return {
    code: 'AUTHORITY_NOT_KEPT',
    message: `no authority for ${domain} is kept on this machine yet: the certificate shown was signed by one that is now forgotten`,
    remedy: 'run the command without --dry-run, which makes one and keeps it',
  }
}

/** Whether the exit code is 0: nothing was declined, and every page that was exposed answers. */
export function succeeded({ outcome, exposures }: ExposeResult): boolean {
  return outcome !== 'declined' && exposures.every(({ probe }) => probe?.ok ?? true)
}
