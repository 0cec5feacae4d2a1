/** The changes at Prometheus: it gets a certificate and a job before the workloads are changed, and proves them afterwards. */

import type { Change } from '../../changes/changes.ts'
import type { Progress } from '../../changes/progress.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import type { Deployment, Pod } from '../../cluster/objects.ts'
import { isChangedBy, SCRAPING } from '../../cluster/ownership.ts'
import { PODS, PROMETHEUSES } from '../../cluster/resources.ts'
import { type Finding, fails } from '../../findings.ts'
import { awaitRollout } from '../../workloads/await-rollout.ts'
import { workloadNames } from '../../workloads/workload-names.ts'
import type { WorkloadObject } from '../../workloads/workload-object.ts'
import type { Dependencies } from '../../world.ts'
import { ownerOf } from '../find.ts'
import type { Scraper } from '../methods/planner.ts'
import { namingUndo } from '../naming-undo.ts'
import type { PlannedWorkload } from '../plan.ts'
import { type AskOverTls, type Proof, proveScraping } from '../proof.ts'
import type { ScrapeSecureResult } from '../result.ts'
import { awaitTargets, requireAnswers, secureOf, type TargetsReport } from './await-targets.ts'
import { applyPrometheus, type PrometheusPlan, planPrometheus } from './change.ts'
import { requireRollable } from './rolling.ts'
import { surveyPrometheus } from './survey.ts'
import { scrapedTwice, targetDown } from './target-findings.ts'

/** The targets of Prometheus, and the results of new connections. */
export type ScrapeProof = Required<Pick<ScrapeSecureResult, 'targets' | 'plaintext' | 'warnings'>>

/** How far the wait for targets has come, for the progress line. `elapsed`: milliseconds. */
export interface TargetsProgress {
  up: number
  total: number
  elapsed: number
}

export interface ScraperSetup {
  found: NonNullable<ScrapeSecureResult['prometheus']>
  /** Prometheus as policies identify it. */
  scraper: Scraper
  /** For the rehearsal and the page. */
  readonly changes: readonly Change[]
  readonly warnings: readonly Finding[]
  /** Makes the changes, and waits until its pods are ready. */
  apply(progress: Progress): Promise<void>
  /** Waits until Prometheus has scraped every pod of these workloads, and sends requests that the pods must refuse. */
  prove(workloads: readonly PlannedWorkload[], tell?: (state: TargetsProgress) => void): Promise<ScrapeProof>
}

type Needs = Pick<Dependencies, 'cluster' | 'clock' | 'random' | 'generateKey'> & { askOverTls: AskOverTls }

/**
 * @param named `NAMESPACE/NAME`
 * @param timeout milliseconds, for its pods and for its targets
 * @throws UserError with the codes of survey.ts and change.ts
 */
export async function prepareScraper(named: string | undefined, timeout: number, needs: Needs): Promise<ScraperSetup> {
  const plan = planPrometheus(await surveyPrometheus(named, needs.cluster))
  const { found } = plan.survey
  const blocked = plan.restarts ? await requireRollable(found, needs.cluster) : []
  await requireAnswers(found, needs).catch((error: unknown) => {
    throw namingUndo(error, isChangedBy(found.object, SCRAPING))
  })
  const { namespace, name, resource } = found
  return {
    found: { namespace, name, kind: resource.kind },
    scraper: { namespace, serviceAccount: serviceAccountOf(plan), labels: found.podLabels },
    changes: plan.changes,
    warnings: [...plan.warnings, ...blocked],
    apply: async (progress) => {
      await applyPrometheus(needs.cluster, plan, progress)
      // The operator changes its StatefulSet some time later. No wait for its pods: the wait for targets covers it.
      if (resource !== PROMETHEUSES) await awaitRollout(resource, found.object as WorkloadObject, { timeout }, needs)
    },
    prove: (workloads, tell) => prove(plan, workloads, { timeout, tell }, needs),
  }
}

function serviceAccountOf({ survey: { found } }: PrometheusPlan): string {
  const { spec } = found.object as Partial<Deployment> & { spec: { serviceAccountName?: string } }
  return spec.template?.spec.serviceAccountName ?? spec.serviceAccountName ?? 'default'
}

async function prove(
  { survey: { found } }: PrometheusPlan,
  workloads: readonly PlannedWorkload[],
  { timeout, tell }: { timeout: number; tell: ((state: TargetsProgress) => void) | undefined },
  needs: Needs,
): Promise<ScrapeProof> {
  const done = workloads.filter(({ skip }) => skip === undefined)
  if (done.length === 0) return { targets: { up: 0, total: 0, jobs: [] }, plaintext: { open: [] }, warnings: [] }
  const expected = async () => (await podsOf(done, needs.cluster)).flatMap(({ pod }) => secureOf(pod) ?? [])
  const progress =
    tell === undefined ? {} : { tell: ({ up, total }: TargetsReport, elapsed: number) => tell({ up, total, elapsed }) }
  const report = await awaitTargets({ found, expected, timeout, ...progress }, needs)
  const running = (await podsOf(done, needs.cluster)).flatMap(({ pod, of }) => {
    const secure = secureOf(pod)
    return secure === undefined ? [] : [{ pod: secure, of }]
  })
  const samples = done.flatMap((one) => running.find(({ of }) => of === one) ?? [])
  const proofs = await proveScraping(
    samples.map(({ pod, of }) => ({
      pod,
      servedBy: isCaptured(of) ? ('virtual' as const) : ('own listener' as const),
    })),
    needs,
  )
  return {
    targets: { up: report.up, total: report.total, jobs: report.jobs },
    plaintext: { open: proofs.flatMap((proof, index) => openPorts(proof, samples[index]?.of)) },
    warnings: [...report.pods.flatMap(notUp), ...proofs.flatMap(notRefused)],
  }
}

/** Whether Istio's inbound listener receives the port, and not a listener of the proxy's own. */
function isCaptured({ method, candidate }: PlannedWorkload): boolean {
  return method === 'sidecar' && candidate.proxy === 'sidecar'
}

/** The present pods of the workloads: one list for each of a few namespaces, or one list of all namespaces. */
async function podsOf(workloads: PlannedWorkload[], cluster: Cluster): Promise<{ pod: Pod; of: PlannedWorkload }[]> {
  const byName = new Map(workloads.map((one) => [workloadNames(one.candidate).title, one]))
  const namespaces = [...new Set(workloads.map(({ candidate }) => candidate.object.metadata.namespace ?? ''))]
  const places = namespaces.length > 3 ? [{}] : namespaces.map((namespace) => ({ namespace }))
  const lists = await Promise.all(places.map((place) => cluster.list<Pod>(PODS, place)))
  return lists.flat().flatMap((pod) => {
    const of = byName.get(ownerOf(pod) ?? '')
    return of === undefined ? [] : [{ pod, of }]
  })
}

function openPorts({ plaintextOpen }: Proof, of: PlannedWorkload | undefined): string[] {
  return of === undefined ? [] : plaintextOpen.map((port) => `${workloadNames(of.candidate).path}:${port}`)
}

function notUp({ pod, up, reason, plaintextJobs }: TargetsReport['pods'][number]): Finding[] {
  const what = `pod ${pod.namespace}/${pod.name}`
  const twice = scrapedTwice(
    'warns',
    `${what} is also scraped as plaintext, by ${plaintextJobs.join(', ')}`,
    'kubectl telemetry scrape-secure   # run it again after Prometheus has read its configuration',
  )
  const down = targetDown(`${what} is not up at port ${pod.port}: ${reason ?? 'Prometheus gives no reason'}`, pod)
  return [...(up ? [] : [down]), ...(plaintextJobs.length > 0 ? [twice] : [])]
}

function notRefused({ pod, plaintext, anonymous, foreign, why }: Proof): Finding[] {
  if (![plaintext, anonymous, foreign].includes('answered')) return []
  return [
    fails(
      'NOT_REFUSED',
      `port ${pod.port} of pod ${pod.namespace}/${pod.name} answers requests that it must refuse (${why.join('; ')})`,
      'kubectl telemetry cleanup --scraping   # to undo it',
    ),
  ]
}
