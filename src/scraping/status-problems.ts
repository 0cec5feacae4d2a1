/** Findings about secure scraping, each with the next command. Pure. */

import type { FoundObject } from '../changes/undo.ts'
import { kindName } from '../cluster/cluster.ts'
import { isChangedBy, isOwnedBy, SCRAPING } from '../cluster/ownership.ts'
import { WORKLOADS } from '../cluster/resources.ts'
import { type Finding, fails, warns } from '../findings.ts'
import { metricsGatewayName, scrapingName } from '../manifests/names.ts'
import { type FoundPrometheus, makerOf } from '../prometheus/find.ts'
import { sh } from '../shell.ts'
import { complaintOf, creationRefused, rolloutOf } from '../workloads/rollout.ts'
import { workloadNames } from '../workloads/workload-names.ts'
import type { Candidate } from './find.ts'
import type { ScrapingInventory } from './inventory.ts'
import { isHardened } from './methods/hardening.ts'
import { scrapedTwice, targetDown } from './scraper/target-findings.ts'
import type { PodTarget } from './scraper/targets.ts'
import type { SecuredWorkload } from './status-result.ts'
import { SECURE_PORT } from './workload.ts'

const RIGHTS = 'kubectl auth can-i --list   # docs/rbac.md lists the permissions that are needed'

/** @param namespaces the searched namespaces; empty: all */
export function workloadsUnread(namespaces: string[]): Finding {
  const where = namespaces.length === 0 ? 'all namespaces' : namespaces.join(', ')
  return fails(
    'WORKLOADS_UNREAD',
    `cannot read workloads and pods of ${where}: missing permission`,
    namespaces.length === 0 ? '-n NAMESPACE   # a namespace that you may read' : RIGHTS,
  )
}

export function workloadProblems(secured: SecuredWorkload): Finding[] {
  return [
    ...rolloutProblems(secured),
    ...fitProblems(secured),
    ...targetProblems(secured),
    ...plaintextProblems(secured),
  ]
}

function rolloutProblems({ candidate }: SecuredWorkload): Finding[] {
  const { object, pods } = candidate
  const { done, updated, ready, wanted } = rolloutOf(object)
  if (done) return []
  const why = creationRefused(object) ?? complaintOf(pods)
  const message = `${workloadNames(candidate).phrase}: ${updated} of ${wanted} pods are replaced, ${ready} ready${why === undefined ? '' : `; ${why}`}`
  const { namespace } = object.metadata
  return [
    fails(
      'ROLLOUT_UNFINISHED',
      message,
      sh`kubectl -n ${namespace} rollout status ${workloadNames(candidate).argument}`,
    ),
  ]
}

function fitProblems({ candidate, method, fit }: SecuredWorkload): Finding[] {
  if (fit === undefined || fit.action === 'unchanged') return []
  const message = `${workloadNames(candidate).phrase}: ${fit.reason}${fit.action === 'skipped' ? ', so another run would skip it' : ''}`
  const remedy = rerunCommand({ candidate, method })
  return [fails(fit.action === 'skipped' ? 'NO_LONGER_FITS' : 'OUTDATED', message, remedy)]
}

/** The command that runs again with the present method, even if `--method auto` would choose another. */
function rerunCommand({ candidate, method }: Pick<SecuredWorkload, 'candidate' | 'method'>): string {
  const command = sh`kubectl telemetry scrape-secure ${workloadNames(candidate).argument} -n ${candidate.object.metadata.namespace}`
  return method === 'sidecar' ? `${command} --method sidecar` : command
}

/** One finding for each reason, for all pods that have it. */
function targetProblems({ candidate, method, targets = [] }: SecuredWorkload): Finding[] {
  const { namespace = '' } = candidate.object.metadata
  const down = Map.groupBy(
    targets.filter(({ up }) => !up),
    ({ reason = 'Prometheus gives no reason' }) => reason,
  )
  const twice = Map.groupBy(
    targets.filter(({ jobs, plaintextJobs }) => jobs.length + plaintextJobs.length > 1),
    ({ jobs, plaintextJobs }) => [...jobs, ...plaintextJobs].join(', '),
  )
  return [
    ...[...down].map(([reason, pods]) =>
      targetDown(`${workloadNames(candidate).phrase}: ${countOf(pods, targets)} not up: ${reason}`, {
        namespace,
        name: pods[0]?.pod.name ?? '',
      }),
    ),
    ...[...twice].map(([jobs, pods]) =>
      scrapedTwice(
        'fails',
        `${workloadNames(candidate).phrase}: ${countOf(pods, targets)} scraped more than once, by the jobs ${jobs}`,
        pods.some(({ plaintextJobs }) => plaintextJobs.length > 0)
          ? `${rerunCommand({ candidate, method })}   # excludes these pods from jobs that scrape them as plaintext`
          : `exclude pods with the annotation ${SECURE_PORT} from all jobs except one`,
      ),
    ),
  ]
}

function countOf(pods: PodTarget[], of: PodTarget[]): string {
  const [first] = pods
  const others = pods.length > 1 ? ` and ${pods.length - 1} more` : ''
  return `${pods.length} of ${of.length} pods (${first?.pod.name}${others}) ${pods.length > 1 ? 'are' : 'is'}`
}

function plaintextProblems({ candidate, method, plaintext }: SecuredWorkload): Finding[] {
  const { open = [] } = plaintext ?? {}
  if (open.length === 0 || !isHardened(candidate.object)) return []
  const message = `${workloadNames(candidate).phrase} is hardened but still serves plaintext at port ${open.join(' and ')}`
  return [fails('NOT_CLOSED', message, `${rerunCommand({ candidate, method })} --harden`)]
}

/** One finding for all workloads with the same gap. A workload without pods cannot be checked and is no finding. */
export function uncheckedProblems(secured: SecuredWorkload[]): Finding[] {
  const withoutFit = secured.filter(({ candidate, fit }) => fit === undefined && candidate.pods.length > 0)
  const withoutAnswer = secured.filter(({ plaintext }) => (plaintext?.unchecked.length ?? 0) > 0)
  const fits = warns(
    'FIT_UNCHECKED',
    `cannot tell whether the configuration of ${someOf(withoutFit)} is still current: missing read permission`,
    RIGHTS,
  )
  const plaintext = warns(
    'PLAINTEXT_UNCHECKED',
    `cannot tell whether ${someOf(withoutAnswer)} serves metrics without TLS: no permission to reach its pods, or no answer`,
    sh`kubectl auth can-i get pods --subresource=proxy -n ${withoutAnswer[0]?.candidate.object.metadata.namespace}`,
  )
  return [...(withoutFit.length > 0 ? [fits] : []), ...(withoutAnswer.length > 0 ? [plaintext] : [])]
}

function someOf([first, ...others]: SecuredWorkload[]): string {
  const more = others.length === 0 ? '' : ` and ${others.length} more`
  return first === undefined ? '' : `${workloadNames(first.candidate).phrase}${more}`
}

/**
 * Objects that no workload needs: the workload was deleted, or a run was interrupted.
 * @param namespaces the searched namespaces; empty: all
 */
export function leftovers(
  { companions, prometheus }: ScrapingInventory,
  secured: SecuredWorkload[],
  namespaces: string[],
): Finding[] {
  const needed = new Set(secured.flatMap(namesFor))
  const inUse = new Set(secured.map(({ candidate }) => candidate.object.metadata.namespace))
  const orphans = companions.filter(
    (one) => isOwnedBy(one.object, SCRAPING) && one.resource.kind !== 'PodMonitor' && !needed.has(placeOf(one)),
  )
  const traces = companions.filter(
    ({ resource, object }) =>
      !isOwnedBy(object, SCRAPING) &&
      (WORKLOADS.includes(resource) || !inUse.has(object.metadata.namespace)) &&
      // A policy of the root namespace is for workloads of all namespaces.
      (object.kind !== 'AuthorizationPolicy' || secured.every(({ method }) => method !== 'sidecar')),
  )
  const idle = secured.length === 0 && namespaces.length === 0 ? prometheus : []
  const whole = 'kubectl telemetry cleanup --scraping   # undoes all of it'
  return [
    ...orphans.map(({ resource, object: { metadata } }) =>
      fails(
        'SCRAPING_LEFTOVERS',
        `${resource.kind} ${metadata.namespace}/${metadata.name} was created by kubectl telemetry, and no workload needs it any more`,
        sh`kubectl -n ${metadata.namespace} delete ${kindName(resource)} ${metadata.name}`,
      ),
    ),
    ...[...traces, ...idle].map(({ resource, object: { metadata } }) =>
      fails(
        'SCRAPING_LEFTOVERS',
        `${resource.kind} ${metadata.namespace}/${metadata.name} was changed for scraping, and no workload needs the change any more`,
        whole,
      ),
    ),
  ]
}

/** Names of the objects that a workload needs. Objects of the other method are leftovers: Istio was upgraded, or the method was changed. */
function namesFor({ method, candidate }: SecuredWorkload): string[] {
  const { resource, object } = candidate
  const { name, namespace } = object.metadata
  const own = scrapingName({ kind: resource.kind, name })
  const serving = [own, metricsGatewayName(name)].flatMap((one) => SERVING.map((kind) => `${kind} ${namespace}/${one}`))
  return method === 'native' ? [`NetworkPolicy ${namespace}/${own}`] : serving
}

const SERVING = [
  ...['Sidecar', 'PeerAuthentication', 'AuthorizationPolicy'],
  ...['Gateway', 'VirtualService', 'ServiceEntry'],
]

function placeOf({ resource, object: { metadata } }: FoundObject): string {
  return `${resource.kind} ${metadata.namespace}/${metadata.name}`
}

/** Workloads with a proxy that are not scraped over mutual TLS. Prometheus is left out: its own sidecar only writes its certificate. */
export function unsecured(
  candidates: Candidate[],
  { workloads }: ScrapingInventory,
  found?: FoundPrometheus,
): Candidate[] {
  const securedPaths = new Set(workloads.map((one) => workloadNames(one).path))
  const isScraper = ({ resource, object }: Candidate) =>
    isChangedBy(object, SCRAPING) ||
    makerOf(object)?.startsWith('Prometheus ') ||
    (resource.kind === found?.resource.kind &&
      object.metadata.name === found.name &&
      object.metadata.namespace === found.namespace)
  return candidates.filter(
    (one) =>
      one.proxy !== undefined &&
      !securedPaths.has(workloadNames(one).path) &&
      !isScraper(one) &&
      !one.pods.some(({ metadata }) => metadata.annotations?.[SECURE_PORT] !== undefined),
  )
}
