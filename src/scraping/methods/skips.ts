/** Reasons to skip a workload that several methods share. Pure. */
import type { Skip } from '../workload.ts'

/** @param reason what uses the port that the method needs */
export function podPortTaken(reason: string): Skip {
  return { code: 'POD_PORT_TAKEN', reason }
}

/** @param what the object that would select the pods: `a Sidecar` */
export function selectorShared(what: string): Skip {
  return {
    code: 'SELECTOR_SHARED',
    reason: `its pods have no labels that only they have, so ${what} would also select other pods`,
  }
}
