/**
 * Adds our job to prometheus.yml, and removes it. Edits the text: comments, order and every other byte stay. Each text is parsed again
 * after the edit; it is refused if anything but our job and our rules differs. Pure.
 */
import { isDeepStrictEqual } from 'node:util'
import { type Document, isMap, isSeq, stringify, type YAMLMap } from 'yaml'
import {
  atEndOfList,
  endOfFirst,
  fieldOf,
  type ItemText,
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
  valuesOf,
} from '../../changes/splices.ts'
import {
  configUnknown,
  contentOf,
  filesOf,
  hasRule,
  isFormerRule,
  isPlaintext,
  isRule,
  isSecure,
  JOBS,
  type Json,
  jobsOf,
  RULES,
  withoutOurs,
} from './prometheus-jobs.ts'
import { DROP_RULE, type ScrapeJob, SECURE_JOB, secureJob } from './secure-job.ts'

/** The beginning of each comment that we write. */
const MARK = '# kubectl-telemetry:'
const MARKED = /^\s*# kubectl-telemetry:/

export interface SecuredConfiguration {
  text: string
  /** The job that scrapes over mutual TLS: ours, or one that the user already has. */
  job: string
  /** Files with more jobs, which are not read. */
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
  const usersJob = own === undefined ? jobs.find(isSecure) : undefined
  const honors = jobs.some((job) => isPlaintext(job) && job.honor_labels === true)
  const job = secureJob(certificates, honors)
  const isOutdated = own !== undefined && !isDeepStrictEqual(own, job)
  // A user may have written the rule of the earlier version, but not its comment.
  let after = without(text, what, { job: isOutdated, rule: (rule, { marked }) => marked && isFormerRule(rule) })
  if (usersJob === undefined && (own === undefined || isOutdated)) after = withJob(after, job, what)
  after = withRules(after, what)
  const content = contentOf(parsed(after, what), what)
  const done = usersJob !== undefined || jobsOf(content).some((one) => isDeepStrictEqual(one, job))
  const isSafe = isDeepStrictEqual(withoutOurs(before), withoutOurs(content)) && keepsOtherDocuments(text, after, what)
  if (!isSafe || !done || jobsOf(content).some((one) => isPlaintext(one) && !hasRule(one)))
    throw configUnknown(what, 'the job cannot be added without changing other parts of the text')
  return { text: after, job: usersJob?.job_name ?? SECURE_JOB, files: filesOf(before) }
}

/**
 * Removes our job and our rules from a text that the user has edited after we did.
 * @param before the text before our first edit
 * @throws UserError YAML_INVALID, PROMETHEUS_CONFIG_UNKNOWN if that would change other parts of the text
 */
export function withoutSecureJob(present: string, before: string | undefined): string {
  const what = 'the scrape configuration'
  const earlier = jobsOf(contentOf(parsed(before ?? '', what), what))
  const hadBefore = new Set(earlier.filter(hasRule).map(({ job_name }) => job_name))
  const after = unmarked(
    without(present, what, { job: true, rule: (rule, { job }) => isRule(rule) && !hadBefore.has(job) }),
    what,
  )
  const [was, is] = [present, after].map((text) => contentOf(parsed(text, what), what))
  const left = jobsOf(is ?? {}).some(
    (job) => job.job_name === SECURE_JOB || (hasRule(job) && !hadBefore.has(job.job_name)),
  )
  if (
    !left &&
    isDeepStrictEqual(withoutOurs(was ?? {}), withoutOurs(is ?? {})) &&
    keepsOtherDocuments(present, after, what)
  )
    return after
  throw configUnknown(what, `its job ${SECURE_JOB} cannot be removed without changing other parts of the text`)
}

/** Removes comments of ours that the user has moved away from what they explain. A line in a text block is no comment. */
function unmarked(text: string, what: string): string {
  const end = endOfFirst(text, what)
  const lines = text.slice(0, end).split(/(?<=\n)/)
  const cut = lines.filter((line) => !MARKED.test(line)).join('') + text.slice(end)
  const [was, is] = [text, cut].map((one) => valuesOf(parsed(one, what), what))
  return isDeepStrictEqual(was, is) ? cut : text
}

/** Programs in Go read only the first document. The others stay, whatever is in them. */
function keepsOtherDocuments(before: string, after: string, what: string): boolean {
  return before.slice(endOfFirst(before, what)) === after.slice(endOfFirst(after, what))
}

function withJob(text: string, job: ScrapeJob, what: string): string {
  const document = parsed(text, what)
  const comment = `${MARK} pods with mutual TLS; kubectl telemetry cleanup --scraping removes this job`
  const item = itemText(job, comment)
  const root = document.contents
  if (isMap(root)) return spliced(text, [intoField(text, { document, map: root, name: JOBS }, item, intoList)])
  return `${ended(text)}${[`${JOBS}:`, ...item.lines].join(lineEndOf(text))}${lineEndOf(text)}`
}

/** Our rule is the last one: only after the others is it known which port of a pod a target is. */
function withRules(text: string, what: string): string {
  const document = parsed(text, what)
  const jobs = jobNodes(document).filter((node) => {
    const job = valuesIn(document, node) as ScrapeJob
    return isPlaintext(job) && !hasRule(job)
  })
  const item = itemText(DROP_RULE, `${MARK} these are scraped by job ${SECURE_JOB}`)
  const splices = jobs.map((map) => intoField(text, { document, map, name: RULES }, item, atEndOfList))
  // Jobs may share one list.
  return spliced(
    text,
    splices.filter((one, index) => splices.findIndex(({ at }) => at === one.at) === index),
  )
}

/** Inserts an item into the list of a field, or creates the list. */
function intoField(
  text: string,
  { document, map, name }: { document: Document; map: YAMLMap; name: string },
  item: ItemText,
  insert: typeof intoList,
): Splice {
  const pair = fieldOf(document, map, name)
  const list = pair && resolved(document, pair.value)
  if (isSeq(list)) return insert(text, list, item)
  if (pair !== undefined) return inPlaceOfNull(pair, item.flow)
  return intoMap(text, map, [`${name}:`, ...item.lines], `${name}: [${item.flow}]`)
}

/** What is removed. @param rule is asked about each rule: the name of its job, and whether our comment is above it */
interface Removing {
  job: boolean
  rule(rule: Json, of: { job: string; marked: boolean }): boolean
}

/** Cuts our items out of their lists; a list that has no other item goes with its field. */
function without(text: string, what: string, removing: Removing): string {
  const document = parsed(text, what)
  const root = isMap(document.contents) ? document.contents : undefined
  const jobs = root && removing.job ? cuts(text, { document, map: root, name: JOBS }, isOurJob) : []
  const rules = jobNodes(document).flatMap((map) =>
    isOurJob(map)
      ? []
      : cuts(text, { document, map, name: RULES }, (rule, marked) => {
          const value = valuesIn(document, rule)
          const isRuleMap = isMap(rule) && typeof value === 'object' && value !== null
          return isRuleMap && removing.rule(value as Json, { job: String(map.get('job_name')), marked })
        }),
  )
  const splices = [...jobs, ...rules]
  return spliced(
    text,
    splices.filter((one, index) => splices.findIndex(({ at }) => at === one.at) === index),
  )
}

function cuts(
  text: string,
  { document, map, name }: { document: Document; map: YAMLMap; name: string },
  isOurs: (item: unknown, marked: boolean) => boolean,
): Splice[] {
  const pair = fieldOf(document, map, name)
  const list = pair && resolved(document, pair.value)
  if (pair === undefined || !isSeq(list)) return []
  const items = list.items.flatMap((item, index) => {
    const cut = outOfList(text, list, index, MARKED)
    return cut !== undefined && isOurs(resolved(document, item), MARKED.test(text.slice(cut.at))) ? [cut] : []
  })
  const isWhole =
    items.length === list.items.length && items.length > 0 && list === pair.value && map.items.includes(pair)
  const field = isWhole ? outOfMap(text, map, pair, MARKED) : undefined
  return (field === undefined ? items : [field]).map((cut) => keepingComments(text, cut))
}

/** The user's comments in what is removed stay, each in a line of its own. */
function keepingComments(text: string, { at, remove }: Splice): Splice {
  if (at > 0 && text[at - 1] !== '\n') return { at, remove, insert: '' }
  const lines = text.slice(at, at + remove).split(/(?<=\n)/)
  const kept = lines.flatMap((line) => (MARKED.test(line) ? [] : (/(?:^|\s)(#[^\n]*\n?)$/.exec(line)?.[1] ?? [])))
  return { at, remove, insert: kept.join('') }
}

function isOurJob(job: unknown): boolean {
  return isMap(job) && job.get('job_name') === SECURE_JOB
}

function jobNodes(document: Document): YAMLMap[] {
  const pair = isMap(document.contents) ? fieldOf(document, document.contents, JOBS) : undefined
  const list = pair && resolved(document, pair.value)
  return isSeq(list) ? list.items.map((job) => resolved(document, job)).filter((job) => isMap(job)) : []
}

function valuesIn(document: Document, node: unknown): unknown {
  return isMap(node) ? (node.toJS(document) as unknown) : undefined
}

function itemText(value: object, comment: string): ItemText {
  const lines = stringify([value], { lineWidth: 0, indentSeq: false }).trimEnd().split('\n')
  // JSON is valid YAML.
  return { lines: [comment, ...lines], flow: JSON.stringify(value) }
}

function ended(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}${lineEndOf(text)}`
}
