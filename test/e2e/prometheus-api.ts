/** Reads the API of the mesh's sample Prometheus. */
import { setTimeout as sleep } from 'node:timers/promises'
import { SECURE_JOB } from '../../src/scraping/scraper/secure-job.ts'
import type { Workplace } from './mesh.ts'

export interface ActiveTarget {
  scrapePool: string
  scrapeUrl: string
  health: 'up' | 'down' | 'unknown'
  lastError: string
  /** When the scrape began. */
  lastScrape: string
  labels: Record<string, string>
}

const API = '/api/v1/namespaces/istio-system/services/http:prometheus:9090/proxy/api/v1'
/** Attempts, one second apart: four scrape intervals of the sample (15 s). */
const PATIENCE = 60

/** @returns undefined while Prometheus is not ready */
function ask<T>(workplace: Workplace, path: string): T | undefined {
  const { stdout, exitCode } = workplace.run('kubectl', ['get', '--raw', `${API}/${path}`])
  return exitCode === 0 ? (JSON.parse(stdout) as { data: T }).data : undefined
}

/** The present targets. @param job left out: of all jobs */
export function activeTargets(workplace: Workplace, job?: string): ActiveTarget[] {
  const pool = job === undefined ? '' : `&scrapePool=${job}`
  return ask<{ activeTargets: ActiveTarget[] }>(workplace, `targets?state=active${pool}`)?.activeTargets ?? []
}

/**
 * Waits until exactly these pods are UP over https, by scrapes that began after `since`. @returns the targets
 * @throws Error with the targets that Prometheus reports
 */
export async function awaitUpOverHttps(
  workplace: Workplace,
  pods: string[],
  since = Date.now(),
): Promise<ActiveTarget[]> {
  const isUp = ({ health, scrapeUrl, lastScrape }: ActiveTarget) =>
    health === 'up' && scrapeUrl.startsWith('https://') && Date.parse(lastScrape) > since
  let found: ActiveTarget[] = []
  for (let attempt = 0; attempt < PATIENCE; attempt++) {
    found = activeTargets(workplace, SECURE_JOB)
    const named = found.map(({ labels }) => labels.pod ?? '').sort()
    if (named.join() === [...pods].sort().join() && found.every(isUp)) return found
    await sleep(1_000)
  }
  const lines = found.map(
    ({ labels, scrapeUrl, health, lastError }) => `${labels.pod} ${scrapeUrl} ${health} ${lastError}`,
  )
  throw new Error(`wanted ${pods.join(', ')}; Prometheus has\n${lines.join('\n')}`)
}

/** Waits until a query has results. @param query PromQL. @returns false when it has none after the last attempt */
export async function awaitSamples(workplace: Workplace, query: string): Promise<boolean> {
  const path = `query?query=${encodeURIComponent(query)}`
  for (let attempt = 0; attempt < PATIENCE; attempt++) {
    if ((ask<{ result: unknown[] }>(workplace, path)?.result.length ?? 0) > 0) return true
    await sleep(1_000)
  }
  return false
}

/** The value of a query with one result. @returns 0 without any */
export function counted(workplace: Workplace, query: string): number {
  const found = ask<{ result: { value: [number, string] }[] }>(workplace, `query?query=${encodeURIComponent(query)}`)
  return Number(found?.result[0]?.value[1] ?? 0)
}
