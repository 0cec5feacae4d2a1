/** Waits until Prometheus itself reports every pod UP over mutual TLS, by scrapes that began after the change. */
import type { Cluster } from '../../cluster/cluster.ts'
import type { Pod } from '../../cluster/objects.ts'
import { PODS } from '../../cluster/resources.ts'
import { UserError } from '../../errors.ts'
import { PrometheusApi } from '../../prometheus/api.ts'
import type { FoundPrometheus } from '../../prometheus/find.ts'
import type { Dependencies } from '../../world.ts'
import { SECURE_PORT } from '../workload.ts'
import { byJob, type ExpectedPod, judge, type PodTarget, type Target, whyUnknown } from './targets.ts'

type Needs = Pick<Dependencies, 'cluster' | 'clock'>

export interface TargetsReport {
  pods: PodTarget[]
  up: number
  total: number
  /** Those that scrape these pods, over mutual TLS or in clear. */
  jobs: { name: string; up: number; total: number }[]
}

export interface TargetsWait {
  found: FoundPrometheus
  /** Read again at each look: pods come and go. */
  expected(): Promise<ExpectedPod[]>
  /** Milliseconds; at least one look is taken. */
  timeout: number
  /** The job that scrapes over mutual TLS: to say why a pod is not known. */
  job?: string | undefined
  /** By Prometheus' clock, in seconds; from the first look on when left out. */
  since?: number | undefined
  /** Told after each look. @param elapsed milliseconds */
  tell?(report: TargetsReport, elapsed: number): void
}

/** Milliseconds. Prometheus scrapes every few seconds at best. */
const PAUSE = 1_000

/** @returns the last look: `up` is less than `total` when the time was over */
export async function awaitTargets(wait: TargetsWait, { cluster, clock }: Needs): Promise<TargetsReport> {
  const api = new PrometheusApi(cluster, wait.found)
  const started = clock.now().getTime()
  const since = new Map<string, number>()
  let last: TargetsReport | undefined
  for (;;) {
    let failure: unknown
    try {
      last = await look(api, wait, since)
      wait.tell?.(last, clock.now().getTime() - started)
      if (last.total > 0 && last.up === last.total) return last
    } catch (error) {
      // It may be starting; only what lasts is told.
      if ((error as { code?: string }).code !== 'PROMETHEUS_UNREACHABLE') throw error
      failure = error
    }
    if (clock.now().getTime() - started >= wait.timeout) {
      if (failure !== undefined || last === undefined) throw failure
      return last
    }
    await clock.sleep(PAUSE)
  }
}

/** One look: every Prometheus pod has to have every target UP. */
async function look(api: PrometheusApi, wait: TargetsWait, since: Map<string, number>): Promise<TargetsReport> {
  const [servers, expected] = await Promise.all([api.pods(), wait.expected()])
  if (servers.length === 0) throw notReady(wait.found)
  const views = await Promise.all(
    servers.map(async (server) => {
      const uid = server.metadata.uid ?? server.metadata.name
      const begun = wait.since ?? since.get(uid) ?? (await api.time(server))
      since.set(uid, begun)
      const targets = await api.targets(server)
      return { begun, targets, unknown: await explained(api, server, targets, wait.job) }
    }),
  )
  return reportOf(expected, views)
}

/** Asked only while the job has no target at all. */
async function explained(api: PrometheusApi, server: Pod, targets: Target[], job: string | undefined) {
  if (job === undefined || targets.some(({ scrapePool }) => scrapePool === job)) return undefined
  return whyUnknown(await api.configuration(server), job)
}

type View = { targets: Target[]; begun: number; unknown: string | undefined }

function reportOf(expected: ExpectedPod[], views: View[]): TargetsReport {
  const judged = views.map(({ targets, begun, unknown }) => judge(expected, targets, begun, unknown))
  const pods = expected.map((_, index) => {
    const each = judged.flatMap((one) => one[index] ?? [])
    return each.find(({ up }) => !up) ?? (each[0] as PodTarget)
  })
  const jobs = byJob(views[0]?.targets ?? [], expected)
  return { pods, up: pods.filter(({ up }) => up).length, total: pods.length, jobs }
}

/** What Prometheus scrapes at this moment, whenever it was scraped last. @param job see TargetsWait */
export function readTargets(
  found: FoundPrometheus,
  expected: ExpectedPod[],
  needs: Needs,
  job?: string,
): Promise<TargetsReport> {
  return awaitTargets({ found, expected: async () => expected, timeout: 0, since: 0, job }, needs)
}

/** Pods that say at which port they are scraped over mutual TLS, and have an address. @param namespace every one when left out */
export async function securePods(cluster: Cluster, namespace?: string): Promise<ExpectedPod[]> {
  return (await cluster.list<Pod>(PODS, namespace === undefined ? {} : { namespace })).flatMap(
    (pod) => secureOf(pod) ?? [],
  )
}

/** `undefined` when it is not to be scraped: it goes, has ended, or says no port. */
export function secureOf({ metadata, status }: Pod): ExpectedPod | undefined {
  const port = Number(metadata.annotations?.[SECURE_PORT])
  const ip = (status as { podIP?: string } | undefined)?.podIP
  const runs = status?.phase === 'Running' && metadata.deletionTimestamp === undefined
  if (!runs || ip === undefined || !Number.isInteger(port) || port === 0) return undefined
  return { namespace: metadata.namespace ?? '', name: metadata.name, ip, port }
}

function notReady({ namespace, name }: FoundPrometheus): UserError {
  return new UserError('PROMETHEUS_UNREACHABLE', `no pod of Prometheus ${namespace}/${name} is Ready`, {
    suggestions: [`kubectl -n ${namespace} get pods`],
  })
}
