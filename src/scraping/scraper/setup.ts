/** What is done at the Prometheus that scrapes: before the workloads it gets a certificate and a job, after them it proves them. */
import type { Change } from '../../changes/changes.ts'
import type { Progress } from '../../changes/progress.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import type { Deployment, Pod } from '../../cluster/objects.ts'
import { PODS, PROMETHEUSES } from '../../cluster/resources.ts'
import type { Timers } from '../../time/timers.ts'
import { awaitRollout } from '../../workloads/await-rollout.ts'
import type { Dependencies, Warning } from '../../world.ts'
import { ownerOf } from '../find.ts'
import type { Scraper } from '../methods/planner.ts'
import type { PlannedWorkload } from '../plan.ts'
import { type Proof, proveScraping } from '../proof.ts'
import { type ScrapeSecureResult, workloadPath } from '../result.ts'
import type { WorkloadObject } from '../workload.ts'
import { awaitTargets, secureOf, type TargetsReport } from './await-targets.ts'
import { applyPrometheus, type PrometheusPlan, planPrometheus } from './change.ts'
import { surveyPrometheus } from './survey.ts'

/** What Prometheus says, and what fresh connections show. */
export interface ScrapeProof extends Required<Pick<ScrapeSecureResult, 'targets' | 'plaintext' | 'warnings'>> {
  /** Somebody who is to be refused was answered. */
  breached: boolean
}

/** How far it is, for people who watch. @param elapsed milliseconds */
export interface TargetsProgress {
  up: number
  total: number
  elapsed: number
}

export interface AtPrometheus {
  found: NonNullable<ScrapeSecureResult['prometheus']>
  /** As policies name it. */
  scraper: Scraper
  /** To be rehearsed and shown. */
  changes: Change[]
  warnings: Warning[]
  /** Makes the changes, and waits until its pods are back. */
  apply(progress: Progress): Promise<void>
  /** Waits until it has scraped every pod of these workloads, and asks each for what it has to refuse. */
  prove(workloads: PlannedWorkload[], tell?: (state: TargetsProgress) => void): Promise<ScrapeProof>
}

type Needs = Pick<Dependencies, 'cluster' | 'clock' | 'random' | 'generateKey'> & { timers: Timers }

/**
 * @param named `NAMESPACE/NAME`
 * @param timeout milliseconds, for its pods and for its targets
 * @throws UserError; see survey.ts and change.ts
 */
export async function atPrometheus(named: string | undefined, timeout: number, needs: Needs): Promise<AtPrometheus> {
  const plan = planPrometheus(await surveyPrometheus(named, needs.cluster))
  const { found } = plan.survey
  const { namespace, name, resource } = found
  return {
    found: { namespace, name, kind: resource.kind },
    scraper: { namespace, serviceAccount: serviceAccountOf(plan), labels: found.podLabels },
    changes: plan.changes,
    warnings: plan.warnings,
    apply: async (progress) => {
      await applyPrometheus(needs.cluster, plan, progress)
      // The operator's own StatefulSet follows when the operator has seen it; its targets are waited for in any case.
      if (resource !== PROMETHEUSES) await awaitRollout(resource, found.object as WorkloadObject, timeout, needs)
    },
    prove: (workloads, tell) => prove(plan, workloads, timeout, needs, tell),
  }
}

function serviceAccountOf({ survey: { found } }: PrometheusPlan): string {
  const { spec } = found.object as Partial<Deployment> & { spec: { serviceAccountName?: string } }
  return spec.template?.spec.serviceAccountName ?? spec.serviceAccountName ?? 'default'
}

async function prove(
  { survey: { found } }: PrometheusPlan,
  workloads: PlannedWorkload[],
  timeout: number,
  needs: Needs,
  tell?: (state: TargetsProgress) => void,
): Promise<ScrapeProof> {
  const done = workloads.filter(({ skip }) => skip === undefined)
  if (done.length === 0)
    return { targets: { up: 0, total: 0, jobs: [] }, plaintext: { open: [] }, warnings: [], breached: false }
  const expected = async () => (await podsOf(done, needs.cluster)).flatMap(({ pod }) => secureOf(pod) ?? [])
  const told =
    tell === undefined ? {} : { tell: ({ up, total }: TargetsReport, elapsed: number) => tell({ up, total, elapsed }) }
  const report = await awaitTargets({ found, expected, timeout, ...told }, needs)
  const asked = (await podsOf(done, needs.cluster)).flatMap(({ pod, of }) => {
    const secure = secureOf(pod)
    return secure === undefined ? [] : [{ pod: secure, of }]
  })
  const first = done.flatMap((one) => asked.find(({ of }) => of === one) ?? [])
  const proofs = await proveScraping(
    first.map(({ pod, of }) => ({ pod, servedBy: isCaptured(of) ? ('virtual' as const) : ('own listener' as const) })),
    needs,
  )
  return {
    targets: { up: report.up, total: report.total, jobs: report.jobs },
    plaintext: { open: proofs.flatMap((proof, index) => openPorts(proof, first[index]?.of)) },
    warnings: [...report.pods.flatMap(notUp), ...proofs.flatMap(notRefused)],
    breached: proofs.some(({ clear, anonymous, stranger }) => [clear, anonymous, stranger].includes('answered')),
  }
}

/** Where Istio's inbound listener takes the port, rather than the proxy's own. */
function isCaptured({ method, candidate }: PlannedWorkload): boolean {
  return method === 'sidecar' && candidate.proxy === 'sidecar'
}

/** Their pods by now, read in one list for each namespace, or in one for all. */
async function podsOf(workloads: PlannedWorkload[], cluster: Cluster): Promise<{ pod: Pod; of: PlannedWorkload }[]> {
  const byName = new Map(workloads.map((one) => [titleOf(one), one]))
  const namespaces = [...new Set(workloads.map(({ candidate }) => candidate.object.metadata.namespace ?? ''))]
  const places = namespaces.length > 3 ? [{}] : namespaces.map((namespace) => ({ namespace }))
  const lists = await Promise.all(places.map((place) => cluster.list<Pod>(PODS, place)))
  return lists.flat().flatMap((pod) => {
    const of = byName.get(ownerOf(pod) ?? '')
    return of === undefined ? [] : [{ pod, of }]
  })
}

function titleOf({ candidate: { resource, object } }: PlannedWorkload): string {
  return `${resource.kind} ${object.metadata.namespace}/${object.metadata.name}`
}

function openPorts({ plaintextOpen }: Proof, of: PlannedWorkload | undefined): string[] {
  return of === undefined ? [] : plaintextOpen.map((port) => `${workloadPath(of.candidate)}:${port}`)
}

function notUp({ pod, up, reason, plaintextJobs }: TargetsReport['pods'][number]): Warning[] {
  const what = `pod ${pod.namespace}/${pod.name}`
  const twice = {
    code: 'SCRAPED_TWICE',
    message: `${what} is scraped in clear as well, by ${plaintextJobs.join(', ')}`,
    remedy: 'kubectl telemetry scrape-secure   # again, when Prometheus has read its configuration',
  }
  const down = {
    code: 'TARGET_DOWN',
    message: `${what} is not up at port ${pod.port}: ${reason ?? 'Prometheus says no more'}`,
    remedy: `kubectl -n ${pod.namespace} logs ${pod.name} -c istio-proxy`,
  }
  return [...(up ? [] : [down]), ...(plaintextJobs.length > 0 ? [twice] : [])]
}

function notRefused({ pod, clear, anonymous, stranger, why }: Proof): Warning[] {
  if (![clear, anonymous, stranger].includes('answered')) return []
  return [
    {
      code: 'NOT_REFUSED',
      message: `port ${pod.port} of pod ${pod.namespace}/${pod.name} answers whom it has to refuse (${why.join('; ')})`,
      remedy: 'kubectl telemetry cleanup --scraping   # to undo it',
    },
  ]
}
