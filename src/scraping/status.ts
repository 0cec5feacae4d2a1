/** The state of secure scraping: the workloads and their methods, their targets in Prometheus, and the problems. Changes nothing. */
import type { Cluster } from '../cluster/cluster.ts'
import { isReady, type Pod } from '../cluster/objects.ts'
import { readable } from '../cluster/reading.ts'
import { asFinding, noneFails } from '../findings.ts'
import { rolloutOf } from '../workloads/rollout.ts'
import { workloadNames } from '../workloads/workload-names.ts'
import type { Dependencies } from '../world.ts'
import type { Candidate } from './find.ts'
import { readFits } from './fit.ts'
import { findScraping, type ScrapingInventory } from './inventory.ts'
import { isHardened } from './methods/hardening.ts'
import { type Plaintext, readPlaintext } from './proof.ts'
import { leftOutOutcome, type Targets } from './result.ts'
import { secureOf } from './scraper/await-targets.ts'
import { readScraper, type ScraperReport } from './scraper/report.ts'
import type { PodTarget } from './scraper/targets.ts'
import { leftovers, uncheckedProblems, unsecured, workloadProblems, workloadsUnread } from './status-problems.ts'
import type { ScrapeStatusResult, SecuredWorkload, WorkloadStatus } from './status-result.ts'
import { readCandidates, type ScrapeSurvey } from './survey.ts'
import { methodIn, PLAINTEXT_PORTS, SECURE_PORT } from './workload.ts'

export interface ScrapeStatusRequest {
  /** Empty: all. */
  namespaces: string[]
  /** `NAMESPACE/NAME`; `none`: Prometheus is not asked. Left out: the only Prometheus that may scrape over mutual TLS, or the only one. */
  prometheus: string | undefined
}

type Needs = Pick<Dependencies, 'cluster' | 'clock'>

/** @throws UserError CLUSTER_UNREACHABLE and the like; a missing read permission is a finding */
export async function scrapeStatus(request: ScrapeStatusRequest, needs: Needs): Promise<ScrapeStatusResult> {
  const { cluster } = needs
  const choice = { ...request, allNamespaces: request.namespaces.length === 0, selector: undefined }
  const [inventory, survey] = await Promise.all([
    findScraping(cluster, request.namespaces),
    readable(readCandidates(choice, cluster)),
  ])
  if (survey === undefined) return { ...NOTHING, unread: true, warnings: [workloadsUnread(request.namespaces)] }
  const configured = survey.candidates.filter(({ resource, object }) =>
    inventory.workloads.some((one) => workloadNames(one).path === workloadNames({ resource, object }).path),
  )
  const [scraper, fits, plaintext] = await Promise.all([
    configured.length === 0 || request.prometheus === 'none'
      ? undefined
      : readScraper(request.prometheus, configured.flatMap(expectedOf), needs),
    readFits(configured, survey, cluster),
    plaintextOf(configured, cluster),
  ])
  const secured = configured.flatMap((candidate): SecuredWorkload[] => {
    const method = methodIn(candidate.object)
    if (method === undefined) return []
    const fit = fits.get(candidate)
    return [{ candidate, method, fit, targets: targetsOf(candidate, scraper), plaintext: plaintext.get(candidate) }]
  })
  return resultOf(request, secured, { scraper, inventory, survey })
}

const NOTHING: Omit<ScrapeStatusResult, 'warnings'> = {
  workloads: [],
  double: [],
  plaintext: { open: [], unchecked: [] },
  unsecured: { sidecars: 0, gateways: 0 },
}

function resultOf(
  { namespaces }: ScrapeStatusRequest,
  secured: SecuredWorkload[],
  {
    scraper,
    inventory,
    survey,
  }: { scraper: ScraperReport | undefined; inventory: ScrapingInventory; survey: ScrapeSurvey },
): ScrapeStatusResult {
  const methods = [...new Set(secured.map(({ method }) => method))]
  const [method] = methods.length > 1 ? (['mixed'] as const) : methods
  const pods = scraper?.targets?.pods ?? []
  const others = unsecured(survey.candidates, inventory, scraper?.found)
  const count = (proxy: Candidate['proxy']) => others.filter((one) => one.proxy === proxy).length
  return {
    ...(method === undefined ? {} : { method }),
    workloads: secured.map(workloadStatus),
    ...(scraper?.prometheus === undefined ? {} : { prometheus: scraper.prometheus }),
    ...(scraper?.targets === undefined ? {} : { targets: shown(scraper.targets) }),
    double: pods.flatMap(({ pod: { namespace, name }, jobs, plaintextJobs }) => {
      const all = [...jobs, ...plaintextJobs]
      return all.length > 1 ? [{ namespace, pod: name, jobs: all }] : []
    }),
    plaintext: { open: portsOf(secured, 'open'), unchecked: portsOf(secured, 'unchecked') },
    unsecured: { sidecars: count('sidecar'), gateways: count('gateway') },
    ...(survey.leftOut.length === 0 ? {} : { leftOut: survey.leftOut.map(leftOutOutcome) }),
    warnings: [
      ...survey.unread.map((error) => asFinding(error, 'fails')),
      ...inventory.warnings,
      ...(scraper?.warnings ?? []),
      ...secured.flatMap(workloadProblems),
      ...uncheckedProblems(secured),
      ...leftovers(inventory, secured, namespaces),
    ],
  }
}

function shown({ up, total, jobs }: Targets): Targets {
  return { up, total, jobs }
}

function workloadStatus({ candidate, method, fit, targets }: SecuredWorkload): WorkloadStatus {
  const { resource, object, pods } = candidate
  const { name, namespace = '' } = object.metadata
  const up = targets?.filter((one) => one.up).length ?? 0
  return {
    ...{ kind: resource.kind, namespace, name, method },
    ...{ pods: rolloutOf(object).wanted, secured: pods.filter(hasPort).length },
    ...(targets === undefined ? {} : { targets: { up, total: targets.length } }),
    hardened: isHardened(object),
    ...fit,
  }
}

function hasPort({ metadata: { annotations } }: Pod): boolean {
  return annotations?.[SECURE_PORT] !== undefined
}

function expectedOf({ pods }: Candidate) {
  return pods.flatMap((pod) => secureOf(pod) ?? [])
}

function targetsOf({ object, pods }: Candidate, scraper: ScraperReport | undefined): PodTarget[] | undefined {
  const names = new Set(pods.map(({ metadata }) => metadata.name))
  return scraper?.targets?.pods.filter(({ pod }) => pod.namespace === object.metadata.namespace && names.has(pod.name))
}

/** Asks one Ready pod with the secure port of each workload: only such a pod may have closed its plaintext ports. */
async function plaintextOf(configured: Candidate[], cluster: Cluster): Promise<Map<Candidate, Plaintext>> {
  const running = configured.flatMap((candidate) => {
    const [pod] = expectedOf({ ...candidate, pods: candidate.pods.filter(isReady) })
    return pod === undefined ? [] : [{ candidate, pod }]
  })
  const answers = await readPlaintext(
    running.map(({ pod }) => pod),
    cluster,
  )
  return new Map(running.map(({ candidate }, index) => [candidate, answers[index] as Plaintext]))
}

const NOT_ASKED: Plaintext = { open: [], unchecked: PLAINTEXT_PORTS }

function portsOf(secured: SecuredWorkload[], which: keyof Plaintext): string[] {
  return secured.flatMap(({ candidate, plaintext }) =>
    (plaintext ?? NOT_ASKED)[which].map((port) => `${workloadNames(candidate).path}:${port}`),
  )
}

/** Whether the exit code is 0. */
export function succeeded({ warnings }: ScrapeStatusResult): boolean {
  return noneFails(warnings)
}
