/** A target as Prometheus reports it. Anything may answer in place of Prometheus, so every field is checked. Pure. */
import { cut } from '../text.ts'

/** https://prometheus.io/docs/prometheus/latest/querying/api/#targets */
export interface Target {
  discoveredLabels: Record<string, string>
  labels: Record<string, string>
  scrapePool: string
  scrapeUrl: string
  lastError: string
  /** The start of its last scrape: RFC 3339, Prometheus' clock; year 1 before the first scrape. */
  lastScrape: string
  health: 'up' | 'down' | 'unknown'
}

/** The most characters of an error that Prometheus reports: it repeats what a target answers. */
const LONGEST_ERROR = 1_000

/** @param answer what should be a target; a missing or wrong field is empty */
export function targetOf(answer: unknown): Target {
  const { discoveredLabels, labels, scrapePool, scrapeUrl, lastError, lastScrape, health } = fieldsOf(answer)
  return {
    discoveredLabels: textsOf(discoveredLabels),
    labels: textsOf(labels),
    scrapePool: textOf(scrapePool),
    scrapeUrl: textOf(scrapeUrl),
    lastError: cut(textOf(lastError), LONGEST_ERROR),
    lastScrape: textOf(lastScrape),
    health: health === 'up' || health === 'down' ? health : 'unknown',
  }
}

export function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** The fields that are texts. */
export function textsOf(value: unknown): Record<string, string> {
  const texts = Object.entries(fieldsOf(value)).filter((pair): pair is [string, string] => typeof pair[1] === 'string')
  return Object.fromEntries(texts)
}
