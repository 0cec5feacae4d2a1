/** Targets of Prometheus, for people who wait for them. Pure. */

import type { TargetsReport } from '../operations/await-targets.ts'
import type { Proof } from '../operations/prove-scraping.ts'

/** Longer lists are cut: the line is for watching, not for reading all of it. */
const NAMED = 3

/** One line while it is waited. @param elapsed milliseconds */
export function renderProgress({ up, total, pods }: TargetsReport, elapsed: number): string {
  const waiting = pods.filter((pod) => !pod.up)
  const named = waiting.slice(0, NAMED).map(({ pod }) => `${pod.namespace}/${pod.name}`)
  const more = waiting.length > NAMED ? ` and ${waiting.length - NAMED} more` : ''
  const rest = waiting.length === 0 ? '' : `; waiting for ${named.join(', ')}${more}`
  return `${up}/${total} targets UP over mutual TLS, ${Math.round(elapsed / 1000)} s${rest}`
}

/** Which pods are not UP and why, and which are scraped twice: a line each. */
export function renderTroubles({ pods }: TargetsReport): string[] {
  return pods.flatMap(({ pod, up, reason, plaintextJobs }) => {
    const name = `${pod.namespace}/${pod.name}`
    return [
      ...(up ? [] : [`${name} is not UP: ${reason}`]),
      ...(up && plaintextJobs.length > 0 ? [`${name} is scraped twice, in clear by ${plaintextJobs.join(', ')}`] : []),
    ]
  })
}

/** What was not refused: a line for each pod. */
export function renderProofs(proofs: Proof[]): string[] {
  return proofs.flatMap(({ pod, why }) => (why.length === 0 ? [] : [`${pod.namespace}/${pod.name}: ${why.join('; ')}`]))
}
