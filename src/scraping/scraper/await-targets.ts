import type { Pod } from '../../cluster/objects.ts'
import { isChangedBy, SCRAPING } from '../../cluster/ownership.ts'
import { hasCode, UserError } from '../../errors.ts'
import { PrometheusApi, prometheusUnreachable } from '../../prometheus/api.ts'
import type { FoundPrometheus } from '../../prometheus/find.ts'
import type { Target } from '../../prometheus/target.ts'
import { sh } from '../../shell.ts'
import { until } from '../../time/until.ts'
import type { Dependencies } from '../../world.ts'
import { proxyIn } from '../find.ts'
import { SECURE_PORT } from '../workload.ts'
import { byJob, type ExpectedPod, judge, type PodTarget, whyUnknown } from './targets.ts'

type Needs = Pick<Dependencies, 'cluster' | 'clock'>

export interface TargetsReport {
  pods: PodTarget[]
  up: number
  total: number
  /** The jobs that scrape these pods, over mutual TLS or as plaintext. */
  jobs: { name: string; up: number; total: number }[]
}

export interface TargetsWait {
  found: FoundPrometheus
  /** Called for each look, because pods come and go. */
  expected(): Promise<ExpectedPod[]>
  /** Milliseconds; at least one look is taken. */
  timeout: number
  /** The job that scrapes over mutual TLS, for the reason why a pod is not discovered. */
  job?: string | undefined
  /** Seconds of Prometheus' clock; older scrapes do not count. Left out: the time of the first look. */
  since?: number | undefined
  /** Called after each look. @param elapsed milliseconds */
  tell?(report: TargetsReport, elapsed: number): void
}

/** Milliseconds. With the strategy Recreate, a restart leaves no Ready pod for some seconds. */
const STARTING = 20_000
/** Milliseconds. Prometheus scrapes at most every few seconds. */
const PAUSE = 1_000

/** @returns the last look: `up` is less than `total` if the time was over */
export async function awaitTargets(wait: TargetsWait, { cluster, clock }: Needs): Promise<TargetsReport> {
  const api = new PrometheusApi(cluster, wait.found)
  const since = new Map<string, number>()
  const last = await until<TargetsReport | UserError>(
    {
      look: () => look(api, wait, since).catch(unreachable),
      isDone: (report) => !(report instanceof UserError) && report.total > 0 && report.up === report.total,
      pause: PAUSE,
      timeout: wait.timeout,
      progress: (report, elapsed) => report instanceof UserError || wait.tell?.(report, elapsed),
    },
    clock,
  )
  if (last instanceof UserError) throw last
  return last
}

/** Prometheus may be starting, so an error is thrown only after the timeout. */
function unreachable(error: unknown): UserError {
  if (hasCode(error, 'PROMETHEUS_UNREACHABLE')) return error
  throw error
}

/** One look: a target is UP if one shard has it, and each replica of that shard reports it as UP. */
async function look(api: PrometheusApi, wait: TargetsWait, since: Map<string, number>): Promise<TargetsReport> {
  const [servers, expected] = await Promise.all([api.pods(), wait.expected()])
  if (servers.length === 0) throw noReadyPod(wait.found)
  const views = await Promise.all(
    servers.map(async (server) => {
      const uid = server.metadata.uid ?? server.metadata.name
      const started = wait.since ?? since.get(uid) ?? (await api.time(server))
      since.set(uid, started)
      const targets = await api.targets(server)
      const shard = server.metadata.labels?.[SHARD] ?? ''
      return { shard, started, targets, unknown: await whyJobIsUnknown(api, server, targets, wait.job) }
    }),
  )
  return reportOf(expected, views)
}

/** Reads the configuration only while the job has no target at all. */
async function whyJobIsUnknown(api: PrometheusApi, server: Pod, targets: Target[], job: string | undefined) {
  if (job === undefined || targets.some(({ scrapePool }) => scrapePool === job)) return undefined
  return whyUnknown(await api.configuration(server), job)
}

type View = { shard: string; targets: Target[]; started: number; unknown: string | undefined }

/** Label of Prometheus Operator on pods: each shard scrapes a part of the targets. https://prometheus-operator.dev/docs/platform/high-availability/#sharding */
const SHARD = 'operator.prometheus.io/shard'

function reportOf(expected: ExpectedPod[], views: View[]): TargetsReport {
  const shards = [...Map.groupBy(views, ({ shard }) => shard).values()]
  const judged = shards.map((replicas) => {
    const each = replicas.map(({ targets, started, unknown }) => judge(expected, targets, started, unknown))
    return expected.map((_, index) => worstOf(each.flatMap((one) => one[index] ?? [])))
  })
  const pods = expected.map((_, index) => bestOf(judged.flatMap((one) => one[index] ?? [])))
  const jobs = byJob(
    shards.flatMap(([first]) => first?.targets ?? []),
    expected,
  )
  return { pods, up: pods.filter(({ up }) => up).length, total: pods.length, jobs }
}

/** Of the replicas of one shard: each has to scrape the pod. */
function worstOf(each: PodTarget[]): PodTarget {
  return each.find(({ up }) => !up) ?? (each[0] as PodTarget)
}

/** Of all shards: one has to scrape the pod, and none of them as plaintext. */
function bestOf(shards: PodTarget[]): PodTarget {
  const best = shards.find(({ up }) => up) ?? shards.find(({ jobs }) => jobs.length > 0) ?? (shards[0] as PodTarget)
  return { ...best, plaintextJobs: [...new Set(shards.flatMap(({ plaintextJobs }) => plaintextJobs))] }
}

/** The present targets of Prometheus; the time of the last scrape does not matter. @param job see TargetsWait */
export function readTargets(
  found: FoundPrometheus,
  expected: ExpectedPod[],
  needs: Needs,
  job?: string,
): Promise<TargetsReport> {
  return awaitTargets({ found, expected: async () => expected, timeout: 0, since: 0, job }, needs)
}

/** `undefined` if the pod is not scraped: it is being deleted, has ended, or has no secure port. */
export function secureOf({ metadata, status }: Pod): ExpectedPod | undefined {
  const port = portIn(metadata.annotations?.[SECURE_PORT])
  const ip = (status as { podIP?: string } | undefined)?.podIP
  const runs = status?.phase === 'Running' && metadata.deletionTimestamp === undefined
  if (!runs || ip === undefined || port === undefined) return undefined
  return { namespace: metadata.namespace ?? '', name: metadata.name, ip, port }
}

/** Anybody may have written the annotation. */
function portIn(text = ''): number | undefined {
  return /^\d{1,5}$/.test(text) && Number(text) > 0 && Number(text) < 65_536 ? Number(text) : undefined
}

/**
 * Asks Prometheus before anything is changed: what it does not answer now would be missing after every pod was restarted.
 * @throws UserError PROMETHEUS_UNREACHABLE, PROMETHEUS_PROTECTED, FORBIDDEN
 */
export async function requireAnswers(found: FoundPrometheus, { cluster, clock }: Needs): Promise<void> {
  const api = new PrometheusApi(cluster, found)
  const isDone = (pods: Pod[]) => pods.length > 0
  const pods = await until({ look: () => api.pods(), isDone, pause: PAUSE, timeout: STARTING }, clock)
  // After an interrupted run it may be restarting.
  if (pods.length === 0 && !isChangedBy(found.object, SCRAPING)) throw noReadyPod(found)
  await Promise.all(
    pods.map((pod) =>
      api.time(pod).catch((error: unknown) => {
        // Its own sidecar may refuse plaintext (STRICT); after the change it captures nothing.
        if (!hasCode(error, 'PROMETHEUS_UNREACHABLE') || proxyIn(pod) === undefined) throw error
      }),
    ),
  )
}

function noReadyPod({ namespace, name }: FoundPrometheus): UserError {
  return prometheusUnreachable(
    `no pod of Prometheus ${namespace}/${name} is Ready`,
    sh`kubectl -n ${namespace} get pods`,
  )
}
