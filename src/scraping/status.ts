/** How secure scraping is: which workloads serve their metrics how, whether Prometheus gets them, and what is wrong. Changes nothing. */
import type { Cluster } from '../cluster/cluster.ts'
import { isReady, type Pod } from '../cluster/objects.ts'
import { readable } from '../cluster/reading.ts'
import { rolloutOf } from '../workloads/rollout.ts'
import type { Dependencies, Warning } from '../world.ts'
import type { Candidate } from './find.ts'
import { type Fit, fitOf } from './fit.ts'
import { findScraping, type ScrapingLeft } from './inventory.ts'
import { isHardened } from './methods/hardening.ts'
import { PLAINTEXT_PORTS, type Plaintext, readPlaintext } from './proof.ts'
import { type Targets, workloadPath } from './result.ts'
import { secureOf } from './scraper/await-targets.ts'
import { readScraper, type ScraperReport } from './scraper/report.ts'
import type { PodTarget } from './scraper/targets.ts'
import { leftOver, uncheckedProblems, unreadable, unsecured, workloadProblems } from './status-problems.ts'
import { readCandidates, type ScrapeSurvey } from './survey.ts'
import { type Method, methodIn, SECURE_PORT } from './workload.ts'

export interface ScrapeStatusRequest {
  /** None: all. */
  namespaces: string[]
  /** `NAMESPACE/NAME`; `none`: it is not asked. Left out: the one that was changed, or the only one. */
  prometheus: string | undefined
}

export interface WorkloadStatus {
  kind: string
  namespace: string
  name: string
  method: Method
  /** How many pods it has, and how many of them are of a template with the secure port. */
  pods: number
  secured: number
  /** Left out when Prometheus does not say. */
  targets?: { up: number; total: number }
  /** Whether its pods are told to close the ports in clear. */
  hardened: boolean
  /** What a run of `scrape-secure` would make of it; left out when that could not be told. */
  action?: Fit['action']
  reason?: string
}

/** The contract of `scrape-secure status -o json`. */
export interface ScrapeStatusResult {
  /** Left out when nothing is scraped over mutual TLS. */
  method?: Method | 'mixed'
  workloads: WorkloadStatus[]
  prometheus?: { namespace: string; name: string; kind: string }
  /** Left out when Prometheus does not say. */
  targets?: Targets
  /** Pods that more than one job scrapes. */
  double: { namespace: string; pod: string; jobs: string[] }[]
  /** Where metrics are served in clear, and where that is not known: `shop/deployment/web:15020`. */
  plaintext: { open: string[]; unchecked: string[] }
  /** With a proxy, and not scraped over mutual TLS. */
  unsecured: { sidecars: number; gateways: number }
  warnings: Warning[]
}

/** A workload of ours, and what was found out about it. */
export interface Secured {
  candidate: Candidate
  method: Method
  fit: Fit | undefined
  /** None when Prometheus does not say. */
  targets: PodTarget[] | undefined
  plaintext: Plaintext | undefined
}

type Needs = Pick<Dependencies, 'cluster' | 'clock'>

/** @throws UserError CLUSTER_UNREACHABLE and the like; what may not be read is a warning */
export async function scrapeStatus(request: ScrapeStatusRequest, needs: Needs): Promise<ScrapeStatusResult> {
  const { cluster } = needs
  const choice = { ...request, allNamespaces: request.namespaces.length === 0, selector: undefined }
  const [left, survey] = await Promise.all([
    findScraping(cluster, request.namespaces),
    readable(readCandidates(choice, cluster)),
  ])
  if (survey === undefined) return { ...NOTHING, warnings: [unreadable(request.namespaces)] }
  const ours = survey.candidates.filter(({ resource, object }) =>
    left.workloads.some((one) => workloadPath(one as Candidate) === workloadPath({ resource, object })),
  )
  const [scraper, fits, plaintext] = await Promise.all([
    ours.length === 0 || request.prometheus === 'none'
      ? undefined
      : readScraper(request.prometheus, ours.flatMap(expectedOf), needs),
    fitOf(ours, survey, cluster),
    plaintextOf(ours, cluster),
  ])
  const secured = ours.flatMap((candidate): Secured[] => {
    const method = methodIn(candidate.object)
    if (method === undefined) return []
    const fit = fits.get(candidate)
    return [{ candidate, method, fit, targets: targetsOf(candidate, scraper), plaintext: plaintext.get(candidate) }]
  })
  return resultOf(request, secured, scraper, left, survey)
}

const NOTHING: Omit<ScrapeStatusResult, 'warnings'> = {
  workloads: [],
  double: [],
  plaintext: { open: [], unchecked: [] },
  unsecured: { sidecars: 0, gateways: 0 },
}

function resultOf(
  { namespaces }: ScrapeStatusRequest,
  secured: Secured[],
  scraper: ScraperReport | undefined,
  left: ScrapingLeft,
  survey: ScrapeSurvey,
): ScrapeStatusResult {
  const methods = [...new Set(secured.map(({ method }) => method))]
  const [method] = methods.length > 1 ? (['mixed'] as const) : methods
  const pods = scraper?.targets?.pods ?? []
  const others = unsecured(survey.candidates, left, scraper?.found)
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
    warnings: [
      ...survey.warnings,
      ...left.warnings,
      ...(scraper?.warnings ?? []),
      ...secured.flatMap(workloadProblems),
      ...uncheckedProblems(secured),
      ...leftOver(left, secured, namespaces),
    ],
  }
}

function shown({ up, total, jobs }: Targets): Targets {
  return { up, total, jobs }
}

function workloadStatus({ candidate, method, fit, targets }: Secured): WorkloadStatus {
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

/** One pod of each that is Ready and has the secure port: only such a pod may have closed the others. */
async function plaintextOf(ours: Candidate[], cluster: Cluster): Promise<Map<Candidate, Plaintext>> {
  const asked = ours.flatMap((candidate) => {
    const [pod] = expectedOf({ ...candidate, pods: candidate.pods.filter(isReady) })
    return pod === undefined ? [] : [{ candidate, pod }]
  })
  const answers = await readPlaintext(
    asked.map(({ pod }) => pod),
    cluster,
  )
  return new Map(asked.map(({ candidate }, index) => [candidate, answers[index] as Plaintext]))
}

const NOT_ASKED: Plaintext = { open: [], unchecked: PLAINTEXT_PORTS }

function portsOf(secured: Secured[], which: keyof Plaintext): string[] {
  return secured.flatMap(({ candidate, plaintext }) =>
    (plaintext ?? NOT_ASKED)[which].map((port) => `${workloadPath(candidate)}:${port}`),
  )
}

/** What could not be seen from here is no failure, as long as Prometheus itself says that every target is up. */
const SOUND = ['NOT_SEARCHED', 'FIT_UNCHECKED', 'PLAINTEXT_UNCHECKED']

/** Whether the exit code is 0. */
export function succeeded({ warnings }: ScrapeStatusResult): boolean {
  return warnings.every(({ code }) => SOUND.includes(code))
}
