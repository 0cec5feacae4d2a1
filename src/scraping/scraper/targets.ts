/** What Prometheus says of its targets, and why some are not scraped, in words. Pure. */

/** https://prometheus.io/docs/prometheus/latest/querying/api/#targets */
export interface Target {
  discoveredLabels: Record<string, string>
  labels: Record<string, string>
  scrapePool: string
  scrapeUrl: string
  lastError: string
  /** When its last scrape began, RFC 3339 by Prometheus' clock; year 1 before the first one. */
  lastScrape: string
  health: 'up' | 'down' | 'unknown'
}

/** A pod that has to be scraped over mutual TLS. */
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
  /** Why it is not UP, in words, and what to do. */
  reason?: string
  /** As Prometheus has it. */
  lastError?: string
  /** Jobs that scrape it in clear as well. */
  plaintextJobs: string[]
}

/**
 * Why Prometheus does not know a pod, as far as its configuration tells. One that starts without its certificate leaves the job out
 * (seen, Prometheus 3.10: "error creating new scrape pool … no such file"), and tries again when pods come or go.
 * @param configuration prometheus.yml as Prometheus has it
 */
export function whyUnknown(configuration: string, job: string): string {
  if (!configuration.includes(`job_name: ${job}`))
    return 'Prometheus has not read its new configuration yet (the kubelet takes up to two minutes)'
  return 'Prometheus has the job, and no target in it: its certificate may be missing (its log says so), or it may not list pods there'
}

/**
 * @param since seconds by Prometheus' clock: older scrapes say nothing
 * @param unknown why a pod is not known, if so
 */
export function judge(
  pods: ExpectedPod[],
  targets: Target[],
  since: number,
  unknown = 'Prometheus does not know it yet',
): PodTarget[] {
  const addressed = Map.groupBy(targets, hostOf)
  return pods.map((pod) => {
    const own = addressed.get(pod.ip) ?? []
    const secure = own.filter((target) => isSecure(target, pod.port))
    const plaintextJobs = unique(own.filter(isScrapedInClear))
    const base = { pod, jobs: unique(secure), plaintextJobs }
    const fresh = secure.filter((target) => Date.parse(target.lastScrape) / 1000 > since)
    if (fresh.some(({ health }) => health === 'up')) return { ...base, up: true }
    const failed = fresh.find(({ health }) => health === 'down')
    if (failed !== undefined)
      return { ...base, up: false, reason: inWords(failed.lastError), lastError: failed.lastError }
    const reason = secure.length === 0 ? unknown : 'it has not been scraped since the change'
    return { ...base, up: false, reason }
  })
}

/** By job: how many targets it has among these pods' metrics of Istio, in clear or not, and how many are UP. */
export function byJob(targets: Target[], pods: ExpectedPod[]): { name: string; up: number; total: number }[] {
  const ports = new Map(pods.map(({ ip, port }) => [ip, port]))
  const theirs = targets.filter((target) => {
    const port = ports.get(hostOf(target))
    return port !== undefined && (isSecure(target, port) || isScrapedInClear(target))
  })
  return [...Map.groupBy(theirs, ({ scrapePool }) => scrapePool)].map(([name, all]) => ({
    name,
    up: all.filter(({ health }) => health === 'up').length,
    total: all.length,
  }))
}

const WORDS: [RegExp, string][] = [
  [
    /unable to (?:load|read|use) specified (?:CA|client) cert|no such file or directory|open .*\.pem/,
    'Prometheus has no certificate yet: its sidecar has not written the files',
  ],
  [/connection refused/, 'nothing listens at its port: the proxy does not serve secure metrics'],
  [
    /connection reset|unexpected EOF|: EOF|bad record MAC/,
    'the connection is reset: the port is captured and mutual TLS is spoken twice (it has to be excluded from capture), or refused',
  ],
  [
    /context deadline exceeded|i\/o timeout|Client\.Timeout/,
    'no answer in time: a NetworkPolicy or a firewall may keep Prometheus out',
  ],
  [/no route to host|network is unreachable/, 'there is no way to its address'],
  [
    /unknown (?:certificate )?authority|signed by unknown|certificate unknown|bad certificate/,
    'one of the two does not trust the authority of the other: Prometheus is of another mesh or trust domain',
  ],
  [
    /certificate required|certificate has expired|expired certificate/,
    'the certificate that Prometheus shows is missing or has expired',
  ],
  [/first record does not look like a TLS handshake|server gave HTTP response to HTTPS/, 'its port answers in clear'],
  [/HTTP status 503/, 'the proxy answers 503: what it asks for the metrics does not answer'],
  [/HTTP status 403/, 'a policy refuses Prometheus (403)'],
  [/HTTP status 404/, 'there are no metrics at this path (404)'],
]

/** @param lastError as Prometheus has it */
export function inWords(lastError: string): string {
  const [, words] = WORDS.find(([pattern]) => pattern.test(lastError)) ?? []
  return words ?? lastError
}

function isSecure({ scrapeUrl }: Target, port: number): boolean {
  return scrapeUrl.startsWith('https:') && portOf(scrapeUrl) === port
}

function isScrapedInClear(target: Target): boolean {
  return isClear(target) && target.health !== 'unknown'
}

/** Istio's own ports, or what a pod says of itself; an application's own port is another matter. */
function isClear({ scrapeUrl }: Target): boolean {
  return scrapeUrl.startsWith('http:') && [15090, 15020].includes(portOf(scrapeUrl))
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
