/** Undoes what kubectl telemetry did in the cluster: each capability says how, in its `undo.ts`. */
import { namesChosen, type ServiceChoice } from '../addons/service-survey.ts'
import { type FoundObject, type UndoResult, undo } from '../changes/undo.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { findIstioVersion, type Sifted } from '../cluster/reading.ts'
import { usageError } from '../errors.ts'
import { type ExposureChoice, isPartial, undoExposures } from '../exposing/undo/undo.ts'
import { undoScraping } from '../scraping/undo.ts'
import type { Dependencies } from '../world.ts'
import { findDocumentedSetup } from './documented-setup.ts'

export interface CleanupRequest extends Pick<ExposureChoice, 'addons' | 'expired'> {
  /** Services that are no longer to be exposed. */
  services?: readonly ServiceChoice[]
  /** That of the Services; the context's when left out. */
  namespace?: string | undefined
  /** Also removes the CAs on this machine, those of other clusters, too. */
  certificates?: boolean
  /** Undoes secure scraping, not the exposures. `timeout`: milliseconds to wait for the next pod of a workload. */
  scraping?: { timeout: number } | undefined
  /** A namespace in which a user created the objects of Istio's page by hand: they are deleted, too. */
  documentedSetup?: string | undefined
  yes: boolean
  dryRun: 'none' | 'client' | 'server'
}

export interface CleanupResult extends UndoResult {
  /** Directories with CAs that were removed from this machine. */
  authorities: string[]
}

type Needs = Pick<
  Dependencies,
  'cluster' | 'terminal' | 'authorities' | 'clock' | 'random' | 'generateKey' | 'machine' | 'prober'
>

/** @throws UserError CONSENT_REQUIRED, FORBIDDEN, CERTIFICATES_IN_USE, SCRAPING_WITH_ADDONS (exit 2) */
export async function cleanup(request: CleanupRequest, needs: Needs): Promise<CleanupResult> {
  requireSense(request)
  const { yes, dryRun, scraping, documentedSetup } = request
  if (scraping !== undefined) {
    return withAuthorities(await undo(undoScraping(scraping.timeout, needs), { yes, dryRun }, needs), [])
  }
  const kept = request.certificates ? await needs.authorities.list() : []
  const onThisMachine = {
    lines: kept.map(({ directory }) => `CA ${directory}: delete from this machine`),
    remove: async () => {
      for (const { domain } of kept) await needs.authorities.remove(domain)
    },
  }
  const choice = { addons: withServices(request, needs.cluster), expired: request.expired }
  const exposures = undoExposures(choice, needs, () => findDocumented(documentedSetup, needs.cluster))
  const result = await undo(exposures, { yes, dryRun, onThisMachine }, needs)
  return withAuthorities(result, result.outcome === 'declined' ? [] : kept.map(({ directory }) => directory))
}

/** The named add-ons and Services, by the names under which they are exposed. */
function withServices(
  { addons, services = [], namespace }: CleanupRequest,
  cluster: Pick<Cluster, 'namespace'>,
): ExposureChoice['addons'] {
  return { ...addons, names: namesChosen(addons.names, services, namespace ?? cluster.namespace) }
}

function withAuthorities({ remaining, warnings, ...result }: UndoResult, authorities: string[]): CleanupResult {
  return { ...result, authorities, remaining, warnings }
}

function requireSense(request: CleanupRequest): void {
  if (request.scraping !== undefined && request.addons.named) {
    const message = '--scraping undoes scrape-secure and not an exposure, so it takes no add-on names'
    throw usageError('SCRAPING_WITH_ADDONS', message, [
      'kubectl telemetry cleanup --scraping',
      'kubectl telemetry cleanup   # removes exposures',
    ])
  }
  if (request.scraping === undefined && request.certificates && isPartial(request)) {
    const message = '--certificates removes the CA of the other add-ons; it only works with a cleanup of all add-ons'
    throw usageError('CERTIFICATES_IN_USE', message, ['kubectl telemetry cleanup --certificates'])
  }
}

async function findDocumented(namespace: string | undefined, cluster: Cluster): Promise<Sifted<FoundObject>> {
  const version = namespace === undefined ? undefined : await findIstioVersion(cluster)
  if (namespace === undefined || version === undefined) return { ours: [], findings: [] }
  return findDocumentedSetup(cluster, version, namespace)
}
