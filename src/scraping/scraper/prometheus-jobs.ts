/** Reads the jobs of a prometheus.yml: which are ours, and which scrape Istio's pods. Anybody may have written the text. Pure. */
import { isDeepStrictEqual } from 'node:util'
import type { Document } from 'yaml'
import { valuesOf } from '../../changes/splices.ts'
import { UserError } from '../../errors.ts'
import { PLAINTEXT_PORTS } from '../workload.ts'
import { DROP_RULE, FORMER_DROP_RULE, type ScrapeJob, SECURE_JOB, SECURE_PORT_LABEL } from './secure-job.ts'

export const JOBS = 'scrape_configs'
export const RULES = 'relabel_configs'

/** Found in the rules of jobs that scrape Istio's pods as plaintext. */
const PLAINTEXT = new RegExp(
  `_pod_annotation(?:present)?_prometheus_io_scrape|envoy-prom|\\b(?:${PLAINTEXT_PORTS.join('|')})\\b`,
)

export type Json = Record<string, unknown>

/** @throws UserError PROMETHEUS_CONFIG_UNKNOWN if Prometheus would not accept the structure, YAML_INVALID */
export function contentOf(document: Document, what: string): Json {
  const content: unknown = valuesOf(document, what) ?? {}
  const isObject = typeof content === 'object' && content !== null && !Array.isArray(content)
  const jobs: unknown = isObject ? (content as Json)[JOBS] : undefined
  if (isObject && (jobs === undefined || jobs === null || Array.isArray(jobs))) return content as Json
  throw configUnknown(what, isObject ? `${JOBS} is not a list` : 'it is not a map')
}

export function jobsOf(content: Json): ScrapeJob[] {
  return ((content[JOBS] ?? []) as ScrapeJob[]).filter((job) => typeof job === 'object' && job !== null)
}

/** Whether rules are about Istio's plaintext ports. Our own rules name these ports too, so the caller leaves them out. */
export function areForPlaintext(rules: unknown[]): boolean {
  return PLAINTEXT.test(JSON.stringify(rules))
}

/** Whether a job scrapes pods as plaintext. Jobs for Services count too: their targets have the labels of the pods. */
export function isPlaintext({ job_name, kubernetes_sd_configs: found, [RULES]: rules }: ScrapeJob): boolean {
  const roles = (Array.isArray(found) ? (found as { role?: string }[]) : []).map((one) => one?.role ?? '')
  const pods = roles.some((role) => ['pod', 'endpoints', 'endpointslice'].includes(role))
  return job_name !== SECURE_JOB && pods && areForPlaintext(rulesOf(rules).filter((rule) => !isRule(rule)))
}

/** Whether it is a user's job for the same pods, like the one in Istio's secure sample. */
export function isSecure({ scheme, [RULES]: rules }: ScrapeJob): boolean {
  return (
    scheme === 'https' &&
    rulesOf(rules).some((rule) => rule.action === 'keep' && isDeepStrictEqual(rule.source_labels, [SECURE_PORT_LABEL]))
  )
}

/** Whether a job excludes the pods that our job scrapes. */
export function hasRule({ [RULES]: rules }: ScrapeJob): boolean {
  return rulesOf(rules).some(isRule)
}

/** Whether a rule is ours, as this version or an earlier one writes it. */
export function isRule(rule: Json): boolean {
  return isSame(rule, DROP_RULE) || isFormerRule(rule)
}

/** An earlier version excluded these pods whole, also the ports of their applications. */
export function isFormerRule(rule: Json): boolean {
  return isSame(rule, FORMER_DROP_RULE)
}

function isSame({ action, source_labels: labels, regex }: Json, ours: typeof DROP_RULE): boolean {
  return action === ours.action && isDeepStrictEqual(labels, ours.source_labels) && regex === ours.regex
}

function rulesOf(rules: unknown): Json[] {
  return (Array.isArray(rules) ? rules : []).filter((rule) => typeof rule === 'object' && rule !== null)
}

/** Files with more jobs, which are not read. */
export function filesOf({ scrape_config_files: files }: Json): string[] {
  return (Array.isArray(files) ? files : []).map((file) => (typeof file === 'string' ? file : JSON.stringify(file)))
}

/** The content without our job and our rules. An empty list is the same for Prometheus as no list. */
export function withoutOurs(content: Json): Json {
  const jobs = jobsOf(content)
    .filter(({ job_name }) => job_name !== SECURE_JOB)
    .map((job) =>
      withList(
        job,
        RULES,
        rulesOf(job[RULES]).filter((rule) => !isRule(rule)),
      ),
    )
  return withList(content, JOBS, jobs)
}

function withList<T extends Json>(map: T, name: string, list: unknown[]): Json {
  const { [name]: _, ...rest } = map
  return list.length === 0 ? rest : { ...rest, [name]: list }
}

export function configUnknown(what: string, why: string): UserError {
  return new UserError('PROMETHEUS_CONFIG_UNKNOWN', `${what} cannot be changed: ${why}`, {
    suggestions: [`add a job ${SECURE_JOB} by hand: see docs/decisions/0017-secure-scraping.md`],
  })
}
