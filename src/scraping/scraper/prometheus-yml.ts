/** prometheus.yml with a job of ours, and without it again. Pure, over its text: comments, order and every other byte stay. */
import { isDeepStrictEqual } from 'node:util'
import {
  type Document,
  isMap,
  isScalar,
  isSeq,
  type Pair,
  parseDocument,
  stringify,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'
import {
  fieldOf,
  inPlaceOfNull,
  intoList,
  intoMap,
  lineEndOf,
  outOfList,
  outOfMap,
  parsed,
  resolved,
  type Splice,
  spliced,
} from '../../changes/splices.ts'
import { UserError } from '../../errors.ts'
import { DROP_RULE, type ScrapeJob, SECURE_JOB, SECURE_PORT_LABEL, secureJob } from './secure-job.ts'

const JOBS = 'scrape_configs'
const RULES = 'relabel_configs'
/** Begins each comment of ours. */
const MARK = '# kubectl-telemetry:'
const MARKED = /^\s*# kubectl-telemetry:/
/** What jobs ask for that scrape Istio's pods in clear. */
export const PLAINTEXT = /_pod_annotation(?:present)?_prometheus_io_scrape|envoy-prom|\b(?:15090|15020)\b/

const UNSAFE = 'it is written in a way that could not be changed without harm'

type Json = Record<string, unknown>

export interface SecuredConfiguration {
  text: string
  /** The job that scrapes over mutual TLS: ours, or one that was there. */
  job: string
  /** Jobs that leave those pods alone from now on. */
  excluding: string[]
  /** Files with more jobs, which are not looked at. */
  files: string[]
}

/**
 * @param what the file and where it is, for errors
 * @param certificates the directory with the certificate
 * @throws UserError YAML_INVALID (line and column), PROMETHEUS_CONFIG_UNKNOWN
 */
export function withSecureJob(text: string, what: string, certificates: string): SecuredConfiguration {
  const before = contentOf(parsed(text, what), what)
  const jobs = jobsOf(before)
  const own = jobs.find(({ job_name }) => job_name === SECURE_JOB)
  const theirs = own === undefined ? jobs.find(isSecure) : undefined
  const plain = jobs.filter((job) => isPlaintext(job) && !hasRule(job))
  const honors = jobs.some((job) => isPlaintext(job) && job.honor_labels === true)
  const job = secureJob(certificates, honors)
  let after = text
  if (theirs === undefined && !isDeepStrictEqual(own, job))
    after = withJob(own ? withoutJob(after, what) : after, job, what)
  for (const { job_name } of plain) after = withRule(after, job_name, what)
  const content = contentOf(parsed(after, what), what)
  requireOnlyOurs(before, content, what)
  const excluding = jobsOf(content).filter(hasRule)
  const done = theirs !== undefined || jobsOf(content).some((one) => isDeepStrictEqual(one, job))
  if (!done || jobsOf(content).some((one) => isPlaintext(one) && !hasRule(one))) throw unknown(what, UNSAFE)
  return {
    text: after,
    job: theirs?.job_name ?? SECURE_JOB,
    excluding: excluding.map(({ job_name }) => job_name),
    files: ((before.scrape_config_files ?? []) as unknown[]).map(String),
  }
}

/** The text less our job and our rules, where somebody has edited the rest of it since. @param before as it was before us */
export function withoutSecureJob(present: string, before: string | undefined): string {
  const what = 'the scrape configuration'
  const ruled = jobsOf(contentOf(parsed(before ?? '', what), what)).filter(hasRule)
  const hadBefore = new Set(ruled.map(({ job_name }) => job_name))
  let after = withoutJob(present, what)
  for (const job of jobsOf(contentOf(parsed(after, what), what))) {
    if (hasRule(job) && !hadBefore.has(job.job_name)) after = withoutRule(after, job.job_name, what)
  }
  return after
}

function withJob(text: string, job: ScrapeJob, what: string): string {
  const document = parsed(text, what)
  const lines = [`${MARK} pods with mutual TLS; kubectl telemetry cleanup --scraping takes it away`, ...item(job)]
  const flow = inline(job)
  const root = document.contents
  if (!isMap(root)) return `${ended(text)}${[`${JOBS}:`, ...lines].join(lineEndOf(text))}${lineEndOf(text)}`
  return spliced(text, [intoField(text, document, root, JOBS, lines, flow)])
}

function withRule(text: string, jobName: string, what: string): string {
  const document = parsed(text, what)
  const job = jobNodes(document).find((one) => one.get('job_name') === jobName)
  if (job === undefined || hasRule(job.toJS(document) as ScrapeJob)) return text
  const lines = [`${MARK} these are scraped by job ${SECURE_JOB}`, ...item(DROP_RULE)]
  return spliced(text, [intoField(text, document, job, RULES, lines, inline(DROP_RULE))])
}

/** Into the list that a field of a map has, or is to have. */
function intoField(
  text: string,
  document: Document,
  map: YAMLMap,
  name: string,
  lines: string[],
  flow: string,
): Splice {
  const pair = fieldOf(document, map, name)
  const list = pair && resolved(document, pair.value)
  if (isSeq(list)) return intoList(text, list, lines, flow)
  if (pair !== undefined) return inPlaceOfNull(pair, flow)
  return intoMap(text, map, [`${name}:`, ...lines], `${name}: [${flow}]`)
}

function withoutJob(text: string, what: string): string {
  return without(text, what, (document) => {
    const pair = isMap(document.contents) ? fieldOf(document, document.contents, JOBS) : undefined
    const index = (job: unknown) => isMap(job) && job.get('job_name') === SECURE_JOB
    return { map: document.contents as YAMLMap, pair, index }
  })
}

function withoutRule(text: string, jobName: string, what: string): string {
  return without(text, what, (document) => {
    const map = jobNodes(document).find((one) => one.get('job_name') === jobName)
    const pair = map && fieldOf(document, map, RULES)
    return { map, pair, index: (rule) => isMap(rule) && isRule(rule.toJS(document)) }
  })
}

type Place = { map: YAMLMap | undefined; pair: Pair | undefined; index: (item: unknown) => boolean }

/** Takes an item out of the list of a field, and the field when nothing is left; printed anew where that cannot be cut out. */
function without(text: string, what: string, find: (document: Document) => Place): string {
  const document = parsed(text, what)
  const { map, pair, index } = find(document)
  const list = pair && resolved(document, pair.value)
  const position = isSeq(list) ? list.items.findIndex(index) : -1
  if (map === undefined || pair === undefined || !isSeq(list) || position < 0) return text
  const wanted = withoutItem(document, map, pair, list, position)
  const lone = list.items.length === 1 && list === pair.value && map.items.includes(pair)
  const splice = lone ? outOfMap(text, map, pair, MARKED) : outOfList(text, list, position, MARKED)
  const cut = splice && spliced(text, [splice])
  return cut !== undefined && isDeepStrictEqual(contentOrNothing(cut), wanted.content) ? cut : wanted.text
}

function withoutItem(document: Document, map: YAMLMap, pair: Pair, list: YAMLSeq, position: number) {
  const copy = parseDocument(document.toString({ lineWidth: 0 }), { merge: true })
  const path = pathTo(document, map)
  const name = isScalar(pair.key) ? String(pair.key.value) : ''
  if (path === undefined || list !== pair.value) return { text: document.toString(), content: undefined }
  if (list.items.length === 1) copy.deleteIn([...path, name])
  else copy.deleteIn([...path, name, position])
  return { text: copy.toString({ lineWidth: 0 }), content: copy.toJS() as unknown }
}

/** Where a map is: the root, or one of the jobs. */
function pathTo(document: Document, map: YAMLMap): (string | number)[] | undefined {
  if (document.contents === map) return []
  const index = jobNodes(document).indexOf(map)
  return index < 0 ? undefined : [JOBS, index]
}

function jobNodes(document: Document): YAMLMap[] {
  const pair = isMap(document.contents) ? fieldOf(document, document.contents, JOBS) : undefined
  const list = pair && resolved(document, pair.value)
  return isSeq(list) ? list.items.map((job) => resolved(document, job)).filter((job) => isMap(job)) : []
}

/** @throws UserError PROMETHEUS_CONFIG_UNKNOWN when it is not what Prometheus takes */
function contentOf(document: Document, what: string): Json {
  const content: unknown = document.toJS() ?? {}
  const isObject = typeof content === 'object' && content !== null && !Array.isArray(content)
  const jobs: unknown = isObject ? (content as Json)[JOBS] : undefined
  if (isObject && (jobs === undefined || jobs === null || Array.isArray(jobs))) return content as Json
  throw unknown(what, isObject ? `${JOBS} is no list` : 'it is no map')
}

function contentOrNothing(text: string): unknown {
  const document = parseDocument(text, { merge: true })
  return document.errors.length > 0 ? undefined : (document.toJS() as unknown)
}

function jobsOf(content: Json): ScrapeJob[] {
  return ((content[JOBS] ?? []) as ScrapeJob[]).filter((job) => typeof job === 'object' && job !== null)
}

/** In clear, and pods: those of Services too, since what is known of the pod behind is known there. */
function isPlaintext({ job_name, kubernetes_sd_configs: found, [RULES]: rules }: ScrapeJob): boolean {
  const roles = (Array.isArray(found) ? (found as { role?: string }[]) : []).map((one) => one?.role ?? '')
  const pods = roles.some((role) => ['pod', 'endpoints', 'endpointslice'].includes(role))
  return job_name !== SECURE_JOB && pods && PLAINTEXT.test(JSON.stringify(rules ?? []))
}

/** Somebody's own job for such pods, as Istio's secure sample has it. */
function isSecure({ scheme, [RULES]: rules }: ScrapeJob): boolean {
  return scheme === 'https' && rulesOf(rules).some((rule) => rule.action === 'keep' && readsPort(rule))
}

function readsPort({ source_labels: labels }: Json): boolean {
  return isDeepStrictEqual(labels, [SECURE_PORT_LABEL])
}

function hasRule({ [RULES]: rules }: ScrapeJob): boolean {
  return rulesOf(rules).some(isRule)
}

function isRule(rule: Json): boolean {
  return rule.action === 'drop' && readsPort(rule) && rule.regex === DROP_RULE.regex
}

function rulesOf(rules: unknown): Json[] {
  return (Array.isArray(rules) ? rules : []).filter((rule) => typeof rule === 'object' && rule !== null)
}

/** Nothing but our job and our rules may be different. */
function requireOnlyOurs(before: Json, after: Json, what: string): void {
  const rest = (content: Json) => ({
    ...content,
    [JOBS]: jobsOf(content)
      .filter(({ job_name }) => job_name !== SECURE_JOB)
      .map((job) => ({ ...job, [RULES]: rulesOf(job[RULES]).filter((rule) => !isRule(rule)) })),
  })
  if (isDeepStrictEqual(rest(before), rest(after))) return
  throw unknown(what, UNSAFE)
}

function item(value: object): string[] {
  return stringify([value], { lineWidth: 0, indentSeq: false }).trimEnd().split('\n')
}

/** JSON is YAML. */
function inline(value: object): string {
  return JSON.stringify(value)
}

function ended(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}${lineEndOf(text)}`
}

function unknown(what: string, why: string): UserError {
  return new UserError('PROMETHEUS_CONFIG_UNKNOWN', `${what} cannot be changed: ${why}`, {
    suggestions: [`put a job ${SECURE_JOB} in by hand: docs/decisions/0017-secure-scraping.md`],
  })
}
