/** What the sample Prometheus of the mesh says, by its own API. */
import { setTimeout as sleep } from 'node:timers/promises'
import { SECURE_JOB } from '../../src/scraping/scraper/secure-job.ts'
import type { Workplace } from './mesh.ts'

export interface ActiveTarget {
  scrapePool: string
  scrapeUrl: string
  health: 'up' | 'down' | 'unknown'
  lastError: string
  /** When it began. */
  lastScrape: string
  labels: Record<string, string>
}

const API = '/api/v1/namespaces/istio-system/services/http:prometheus:9090/proxy/api/v1'
/** Tries, a second apart: four scrapes of the sample's 15 seconds. */
const PATIENCE = 60

/** Nothing while Prometheus is on its way. */
function ask<T>(workplace: Workplace, path: string): T | undefined {
  const { stdout, exitCode } = workplace.run('kubectl', ['get', '--raw', `${API}/${path}`])
  return exitCode === 0 ? (JSON.parse(stdout) as { data: T }).data : undefined
}

/** All targets of our job. */
function secureTargets(workplace: Workplace): ActiveTarget[] {
  const { activeTargets = [] } =
    ask<{ activeTargets: ActiveTarget[] }>(workplace, `targets?state=active&scrapePool=${SECURE_JOB}`) ?? {}
  return activeTargets
}

/**
 * Waits until exactly these pods are UP over https, by scrapes that began after that time. @returns the targets
 * @throws Error with what Prometheus says otherwise
 */
export async function upOverHttps(workplace: Workplace, pods: string[], since = Date.now()): Promise<ActiveTarget[]> {
  const isUp = ({ health, scrapeUrl, lastScrape }: ActiveTarget) =>
    health === 'up' && scrapeUrl.startsWith('https://') && Date.parse(lastScrape) > since
  let found: ActiveTarget[] = []
  for (let attempt = 0; attempt < PATIENCE; attempt++) {
    found = secureTargets(workplace)
    const named = found.map(({ labels }) => labels.pod ?? '').sort()
    if (named.join() === [...pods].sort().join() && found.every(isUp)) return found
    await sleep(1_000)
  }
  const lines = found.map(
    ({ labels, scrapeUrl, health, lastError }) => `${labels.pod} ${scrapeUrl} ${health} ${lastError}`,
  )
  throw new Error(`wanted ${pods.join(', ')}; Prometheus has\n${lines.join('\n')}`)
}

/** Waits for the sum of a query to be there. @param query PromQL */
export async function sampled(workplace: Workplace, query: string): Promise<boolean> {
  const path = `query?query=${encodeURIComponent(query)}`
  for (let attempt = 0; attempt < PATIENCE; attempt++) {
    if ((ask<{ result: unknown[] }>(workplace, path)?.result.length ?? 0) > 0) return true
    await sleep(1_000)
  }
  return false
}
