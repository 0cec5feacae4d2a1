/** From the request to the plan: reads the mesh, prepares the certificate, plans the changes and rehearses them. Writes nothing. */
import { planLinks } from '../addons/kiali-links.ts'
import { isSecret } from '../certifying/secret-content.ts'
import { requireCertificates } from '../certifying/serving-certificate.ts'
import { type Change, isOfSameObject, rehearse } from '../changes/changes.ts'
import { managedElsewhere } from '../changes/managed-elsewhere.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
import type { Finding } from '../findings.ts'
import type { Dependencies } from '../world.ts'
import { assumeMesh, isWithoutCluster } from './assumed-mesh.ts'
import { planUse } from './authority-use.ts'
import { gather, type Survey } from './gather.ts'
import { nodePortRefused } from './node-ports.ts'
import { stagesOf } from './opening/stages.ts'
import { type ExposePlan, type PlannedCertificates, planExposure } from './plan.ts'
import type { ExposeRequest } from './request.ts'
import { type ExposureSpec, servesHttps, urlsOf } from './spec.ts'

/** `--dry-run=client` works without a cluster. @param earlier what this run gathered before */
export async function surveyMesh(request: ExposeRequest, world: Dependencies, earlier?: ExposureSpec): Promise<Survey> {
  try {
    return await gather(request, world, earlier)
  } catch (error) {
    if (request.dryRun === 'client' && isWithoutCluster(error)) return assumeMesh(request, error, world.clock.now())
    throw error
  }
}

export async function preparePlan(request: ExposeRequest, survey: Survey, world: Dependencies): Promise<ExposePlan> {
  return planExposure(request, survey, await prepareCertificates(request, survey, world))
}

async function prepareCertificates(
  { userAuthority, domain: named }: ExposeRequest,
  survey: Survey,
  world: Dependencies,
): Promise<PlannedCertificates> {
  const { spec, present } = survey
  const { domain } = spec.layout
  const authorityPath = world.authorities.certificatePath(domain)
  if (!servesHttps(spec) || spec.providedSecret !== undefined)
    return { authorityPath, certificates: undefined, warnings: [] }
  const request = { domain, hosts: spec.hosts, present: present.find(isSecret), userAuthority }
  const certificates = await requireCertificates(request, world)
  return { authorityPath, certificates, ...(await planUse(named, survey, certificates, world)) }
}

/**
 * Sends the changes of the plan and of Kiali's links to the API server as a dry run. Where nobody is asked before the first write, and that
 * creates an object, the write is its own rehearsal: if it is refused, nothing was changed.
 */
export async function rehearsePlan(plan: ExposePlan, { cluster }: Dependencies): Promise<ExposePlan> {
  const { request, spec, warnings } = plan
  const [first] = stagesOf(plan).first
  const isWritten = request.dryRun === 'none' && request.yes && first?.action === 'created'
  const tried = isWritten ? plan.changes.filter((change) => !isOfSameObject(change, first)) : plan.changes
  const rehearsed = await withNodePorts(rehearse(cluster, tried))
  const changes = isWritten ? inOrder(plan.changes, rehearsed) : rehearsed
  const links = await linksOf(spec, spec.gateway.service, cluster)
  return {
    ...plan,
    changes,
    links: await rehearse(cluster, links.changes),
    warnings: [...warnings, ...newWarnings(warnings, links.warnings)],
  }
}

/** All changes, those that were rehearsed with what the API server answered. */
function inOrder(planned: readonly Change[], rehearsed: Change[]): Change[] {
  return planned.map((change) => rehearsed.find(({ manifest }) => manifest === change.manifest) ?? change)
}

/** @param service of the gateway; the links contain its node ports */
export async function linksOf(
  { kiali, ...spec }: ExposureSpec,
  service: Service,
  cluster: Cluster,
): Promise<{ changes: Change[]; warnings: Finding[] }> {
  if (kiali === undefined) return { changes: [], warnings: [] }
  const { changes, warnings } = await planLinks(kiali, urlsOf(spec, service), cluster)
  return { changes, warnings: [...warnings, ...managedElsewhere(changes)] }
}

/** The warnings that are not in `given`. */
export function newWarnings(given: readonly Finding[], warnings: Finding[]): Finding[] {
  return warnings.filter((one) => !given.some(({ message }) => message === one.message))
}

/** Adds to the error of a refused node port that --node-port can be left out. */
export function withNodePorts<T>(changing: Promise<T>): Promise<T> {
  return changing.catch((error: unknown) => Promise.reject(nodePortRefused(error)))
}
