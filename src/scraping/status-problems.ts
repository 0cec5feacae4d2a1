/** What is wrong with secure scraping, each with the next command: pure. */
import { kindName } from '../cluster/cluster.ts'
import { isForScraping, isOwned } from '../cluster/ownership.ts'
import { WORKLOADS } from '../cluster/resources.ts'
import type { Owned } from '../exposing/undo/undo.ts'
import { metricsGatewayName, scrapingName } from '../manifests/names.ts'
import { type FoundPrometheus, makerOf } from '../prometheus/find.ts'
import { complaintOf, rolloutOf } from '../workloads/rollout.ts'
import type { Warning } from '../world.ts'
import type { Candidate } from './find.ts'
import type { ScrapingLeft } from './inventory.ts'
import { isHardened } from './methods/hardening.ts'
import { workloadPath } from './result.ts'
import type { PodTarget } from './scraper/targets.ts'
import type { Secured } from './status.ts'
import { SECURE_PORT } from './workload.ts'

const RIGHTS = 'kubectl auth can-i --list   # docs/rbac.md has what is needed'

/** @param namespaces where was looked; none: all */
export function unreadable(namespaces: string[]): Warning {
  const where = namespaces.length === 0 ? 'all namespaces' : namespaces.join(', ')
  return {
    code: 'UNREAD',
    message: `workloads and pods of ${where} could not be read: you may not`,
    remedy: namespaces.length === 0 ? '-n NAMESPACE   # where you may' : RIGHTS,
  }
}

export function workloadProblems(secured: Secured): Warning[] {
  return [...unfinished(secured), ...misfit(secured), ...targetProblems(secured), ...clearProblems(secured)]
}

function unfinished({ candidate }: Secured): Warning[] {
  const { object, pods } = candidate
  const { done, updated, ready, wanted } = rolloutOf(object)
  if (done) return []
  const why = complaintOf(pods)
  const message = `${titleOf(candidate)}: ${updated} of ${wanted} pods are replaced, ${ready} ready${why === undefined ? '' : `; ${why}`}`
  const { namespace } = object.metadata
  return [
    { code: 'ROLLOUT_UNFINISHED', message, remedy: `kubectl -n ${namespace} rollout status ${nameOf(candidate)}` },
  ]
}

function misfit({ candidate, method, fit }: Secured): Warning[] {
  if (fit === undefined || fit.action === 'unchanged') return []
  const message = `${titleOf(candidate)}: ${fit.reason}${fit.action === 'skipped' ? ', so another run would leave it as it is' : ''}`
  const remedy = again({ candidate, method })
  return [{ code: fit.action === 'skipped' ? 'FITS_NO_MORE' : 'OUTDATED', message, remedy }]
}

/** What was chosen stays, whatever `--method auto` would choose. */
function again({ candidate, method }: Pick<Secured, 'candidate' | 'method'>): string {
  const command = `kubectl telemetry scrape-secure ${nameOf(candidate)} -n ${candidate.object.metadata.namespace}`
  return method === 'sidecar' ? `${command} --method sidecar` : command
}

/** One for each reason, however many pods have it. */
function targetProblems({ candidate, method, targets = [] }: Secured): Warning[] {
  const { namespace } = candidate.object.metadata
  const down = Map.groupBy(
    targets.filter(({ up }) => !up),
    ({ reason = 'Prometheus says no more' }) => reason,
  )
  const twice = Map.groupBy(
    targets.filter(({ jobs, plaintextJobs }) => jobs.length + plaintextJobs.length > 1),
    ({ jobs, plaintextJobs }) => [...jobs, ...plaintextJobs].join(', '),
  )
  return [
    ...[...down].map(([reason, pods]) => ({
      code: 'TARGET_DOWN',
      message: `${titleOf(candidate)}: ${countOf(pods, targets)} not up: ${reason}`,
      remedy: `kubectl -n ${namespace} logs ${pods[0]?.pod.name} -c istio-proxy`,
    })),
    ...[...twice].map(([jobs, pods]) => ({
      code: 'SCRAPED_TWICE',
      message: `${titleOf(candidate)}: ${countOf(pods, targets)} scraped more than once, by the jobs ${jobs}`,
      remedy: pods.some(({ plaintextJobs }) => plaintextJobs.length > 0)
        ? `${again({ candidate, method })}   # takes such pods out of jobs that scrape in clear`
        : `leave out pods with the annotation ${SECURE_PORT} in all jobs but one`,
    })),
  ]
}

function countOf(pods: PodTarget[], of: PodTarget[]): string {
  const [first] = pods
  const others = pods.length > 1 ? ` and ${pods.length - 1} more` : ''
  return `${pods.length} of ${of.length} pods (${first?.pod.name}${others}) ${pods.length > 1 ? 'are' : 'is'}`
}

function clearProblems({ candidate, method, plaintext }: Secured): Warning[] {
  const { open = [] } = plaintext ?? {}
  if (open.length === 0 || !isHardened(candidate.object)) return []
  const message = `${titleOf(candidate)} is hardened, and yet answers in clear at port ${open.join(' and ')}`
  return [{ code: 'NOT_CLOSED', message, remedy: `${again({ candidate, method })} --harden` }]
}

/** One for all of them: it is for the same reason. Of workloads without pods there is nothing to be known. */
export function uncheckedProblems(secured: Secured[]): Warning[] {
  const unfitted = secured.filter(({ candidate, fit }) => fit === undefined && candidate.pods.length > 0)
  const unasked = secured.filter(({ plaintext }) => (plaintext?.unchecked.length ?? 0) > 0)
  const fits = {
    code: 'FIT_UNCHECKED',
    message: `whether what was written still fits is not known of ${someOf(unfitted)}: not all of it may be read`,
    remedy: RIGHTS,
  }
  const clear = {
    code: 'PLAINTEXT_UNCHECKED',
    message: `whether metrics are served in clear is not known of ${someOf(unasked)}: you may not ask the pods, or nobody answers`,
    remedy: `kubectl auth can-i get pods --subresource=proxy -n ${unasked[0]?.candidate.object.metadata.namespace}`,
  }
  return [...(unfitted.length > 0 ? [fits] : []), ...(unasked.length > 0 ? [clear] : [])]
}

function someOf([first, ...others]: Secured[]): string {
  const more = others.length === 0 ? '' : ` and ${others.length} more`
  return first === undefined ? '' : `${titleOf(first.candidate)}${more}`
}

/**
 * What is there without a workload that needs it: somebody has deleted it, or a run was cut off.
 * @param namespaces where was looked; none: all
 */
export function leftOver({ around, prometheus }: ScrapingLeft, secured: Secured[], namespaces: string[]): Warning[] {
  const needed = new Set(secured.flatMap(namesFor))
  const inUse = new Set(secured.map(({ candidate }) => candidate.object.metadata.namespace))
  const orphans = around.filter(
    (one) => isOwned(one.object) && one.resource.kind !== 'PodMonitor' && !needed.has(placeOf(one)),
  )
  const traces = around.filter(
    ({ resource, object }) =>
      !isOwned(object) && (WORKLOADS.includes(resource) || !inUse.has(object.metadata.namespace)),
  )
  const idle = secured.length === 0 && namespaces.length === 0 ? prometheus : []
  const whole = 'kubectl telemetry cleanup --scraping   # takes all of it away'
  return [
    ...orphans.map(({ resource, object: { metadata } }) => ({
      code: 'LEFT_OVER',
      message: `${resource.kind} ${metadata.namespace}/${metadata.name} is ours, and no workload needs it any more`,
      remedy: `kubectl -n ${metadata.namespace} delete ${kindName(resource)} ${metadata.name}`,
    })),
    ...[...traces, ...idle].map(({ resource, object: { metadata } }) => ({
      code: 'LEFT_OVER',
      message: `${resource.kind} ${metadata.namespace}/${metadata.name} was changed for scraping, and no workload needs that now`,
      remedy: whole,
    })),
  ]
}

/** Of the other method there may be objects: another Istio injects since, or another method was asked for. */
function namesFor({ method, candidate }: Secured): string[] {
  const { resource, object } = candidate
  const { name, namespace } = object.metadata
  const own = scrapingName({ kind: resource.kind, name })
  const serving = [own, `${own}-allow`, metricsGatewayName(name)].flatMap((one) =>
    SERVING.map((kind) => `${kind} ${namespace}/${one}`),
  )
  return method === 'native' ? [`NetworkPolicy ${namespace}/${own}`] : serving
}

const SERVING = [
  ...['Sidecar', 'PeerAuthentication', 'AuthorizationPolicy'],
  ...['Gateway', 'VirtualService', 'ServiceEntry'],
]

function placeOf({ resource, object: { metadata } }: Owned): string {
  return `${resource.kind} ${metadata.namespace}/${metadata.name}`
}

/** Workloads with a proxy whose metrics nobody gets over mutual TLS. Prometheus' own sidecar only writes its certificate. */
export function unsecured(candidates: Candidate[], { workloads }: ScrapingLeft, found?: FoundPrometheus): Candidate[] {
  const ours = new Set(workloads.map((one) => workloadPath(one as Candidate)))
  const isScraper = ({ resource, object }: Candidate) =>
    isForScraping(object) ||
    makerOf(object)?.startsWith('Prometheus ') ||
    (resource.kind === found?.resource.kind &&
      object.metadata.name === found.name &&
      object.metadata.namespace === found.namespace)
  return candidates.filter(
    (one) =>
      one.proxy !== undefined &&
      !ours.has(workloadPath(one)) &&
      !isScraper(one) &&
      !one.pods.some(({ metadata }) => metadata.annotations?.[SECURE_PORT] !== undefined),
  )
}

function titleOf(candidate: Candidate): string {
  return `${nameOf(candidate)} in namespace ${candidate.object.metadata.namespace}`
}

/** `deployment/web` */
function nameOf({ resource, object }: Candidate): string {
  return `${resource.kind.toLowerCase()}/${object.metadata.name}`
}
