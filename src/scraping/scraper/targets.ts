/** The state of targets in Prometheus, and plain reasons why some are not scraped. Pure. */
import type { Target } from '../../prometheus/target.ts'
import { PLAINTEXT_PORTS } from '../workload.ts'

/** A pod that Prometheus should scrape over mutual TLS. */
export interface ExpectedPod {
  namespace: string
  name: string
  ip: string
  /** Its secure port. */
  port: number
}

export interface PodTarget {
  pod: ExpectedPod
  up: boolean
  /** The jobs that scrape it over https at its port. */
  jobs: string[]
  /** Why it is not UP, and what to do. */
  reason?: string
  /** Prometheus' own message. */
  lastError?: string
  /** Jobs that also scrape it as plaintext. */
  plaintextJobs: string[]
}

/**
 * Why Prometheus has not discovered a pod, as far as its configuration shows. A Prometheus that starts without its certificate omits the
 * job (seen, Prometheus 3.10: "error creating new scrape pool … no such file"), and tries again when pods come or go.
 * @param configuration prometheus.yml as Prometheus reports it
 */
export function whyUnknown(configuration: string, job: string): string {
  if (!configuration.includes(`job_name: ${job}`))
    return 'Prometheus has not read its new configuration yet (the kubelet takes up to two minutes)'
  return 'Prometheus has the job, but no target in it: its certificate may be missing (see its log), or it has no permission to list pods there'
}

/**
 * @param since seconds of Prometheus' clock; older scrapes do not count
 * @param unknown why Prometheus has not discovered a pod
 */
export function judge(
  pods: ExpectedPod[],
  targets: Target[],
  since: number,
  unknown = 'Prometheus has not discovered it yet',
): PodTarget[] {
  const addressed = Map.groupBy(targets, hostOf)
  return pods.map((pod) => {
    const own = addressed.get(pod.ip) ?? []
    const secure = own.filter((target) => isSecure(target, pod.port))
    const plaintextJobs = unique(own.filter(isScrapedAsPlaintext))
    const base = { pod, jobs: unique(secure), plaintextJobs }
    const fresh = secure.filter((target) => Date.parse(target.lastScrape) / 1000 > since)
    if (fresh.some(({ health }) => health === 'up')) return { ...base, up: true }
    const failed = fresh.find(({ health }) => health === 'down')
    if (failed !== undefined)
      return { ...base, up: false, reason: explain(failed.lastError), lastError: failed.lastError }
    const reason = secure.length === 0 ? unknown : 'it has not been scraped since the change'
    return { ...base, up: false, reason }
  })
}

/** For each job: how many targets of Istio's metrics it has among these pods, with TLS or without, and how many are UP. */
export function byJob(targets: Target[], pods: ExpectedPod[]): { name: string; up: number; total: number }[] {
  const ports = new Map(pods.map(({ ip, port }) => [ip, port]))
  const own = targets.filter((target) => {
    const port = ports.get(hostOf(target))
    return port !== undefined && (isSecure(target, port) || isScrapedAsPlaintext(target))
  })
  return [...Map.groupBy(own, ({ scrapePool }) => scrapePool)].map(([name, all]) => ({
    name,
    up: all.filter(({ health }) => health === 'up').length,
    total: all.length,
  }))
}

const EXPLANATIONS: [RegExp, string][] = [
  [
    /unable to (?:load|read|use) specified (?:CA|client) cert|no such file or directory|open .*\.pem/,
    'Prometheus has no certificate yet: its sidecar has not written the files',
  ],
  [/connection refused/, 'nothing listens at its port: the proxy does not serve secure metrics'],
  [
    /connection reset|unexpected EOF|: EOF|bad record MAC/,
    'the connection is reset: the pod refuses it, or the sidecar captures the port and adds a second mutual TLS (exclude the port from capture)',
  ],
  [
    /context deadline exceeded|i\/o timeout|Client\.Timeout/,
    'no answer in time: a NetworkPolicy or a firewall may block Prometheus',
  ],
  [/no route to host|network is unreachable/, 'there is no network route to its address'],
  [
    /unknown (?:certificate )?authority|signed by unknown|certificate unknown|bad certificate/,
    'Prometheus and the pod do not trust the same CA: Prometheus belongs to another mesh or trust domain',
  ],
  [
    /certificate required|certificate has expired|expired certificate/,
    'the client certificate of Prometheus is missing or has expired',
  ],
  [/first record does not look like a TLS handshake|server gave HTTP response to HTTPS/, 'its port serves plaintext'],
  [/HTTP status 503/, 'the proxy answers 503: the source of its metrics does not answer'],
  [/HTTP status 403/, 'a policy refuses Prometheus (403)'],
  [/HTTP status 404/, 'there are no metrics at this path (404)'],
]

/** @param lastError Prometheus' own message */
export function explain(lastError: string): string {
  const [, explanation] = EXPLANATIONS.find(([pattern]) => pattern.test(lastError)) ?? []
  return explanation ?? lastError
}

function isSecure({ scrapeUrl }: Target, port: number): boolean {
  return scrapeUrl.startsWith('https:') && portOf(scrapeUrl) === port
}

function isScrapedAsPlaintext(target: Target): boolean {
  return isPlaintext(target) && target.health !== 'unknown'
}

/** Only Istio's plaintext ports count; a port of the application is not our concern. */
function isPlaintext({ scrapeUrl }: Target): boolean {
  return scrapeUrl.startsWith('http:') && PLAINTEXT_PORTS.includes(portOf(scrapeUrl))
}

function unique(targets: Target[]): string[] {
  return [...new Set(targets.map(({ scrapePool }) => scrapePool))]
}

function hostOf({ scrapeUrl }: Target): string {
  return URL.canParse(scrapeUrl) ? new URL(scrapeUrl).hostname.replace(/^\[(.*)\]$/, '$1') : ''
}

function portOf(scrapeUrl: string): number {
  if (!URL.canParse(scrapeUrl)) return 0
  const { port, protocol } = new URL(scrapeUrl)
  return Number(port || (protocol === 'https:' ? 443 : 80))
}
