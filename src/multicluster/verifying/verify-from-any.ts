/** Calls an exported service from the first workload that has a client, when the user has not said from which. */
import { hasCode } from '../../errors.ts'
import type { ExportedService } from '../exported.ts'
import { anyCallers, type Caller } from './caller.ts'
import type { Verified } from './result.ts'
import { type VerifyNeeds, verifyService } from './verify-service.ts'

/** How many workloads are tried, until one has a program that can call. */
const MOST = 5

/**
 * From the first workload that has a client, in the order of their names.
 * @returns undefined where no workload with a sidecar runs, or the calling cluster is not among the members
 * @throws UserError CLIENT_MISSING if none of the first five has a client, and those of `verifyService`
 */
export async function verifyFromAny(exported: ExportedService, needs: VerifyNeeds): Promise<Verified | undefined> {
  const member = needs.members.find(({ name }) => name === exported.to)
  const callers = member === undefined ? [] : await anyCallers(member, exported.into)
  return verifyFrom(callers.slice(0, MOST), exported, needs)
}

async function verifyFrom(
  [caller, ...others]: readonly Caller[],
  exported: ExportedService,
  needs: VerifyNeeds,
): Promise<Verified | undefined> {
  if (caller === undefined) return undefined
  try {
    return await verifyService(exported, { caller }, needs)
  } catch (error) {
    if (others.length === 0 || !hasCode(error, 'CLIENT_MISSING')) throw error
    return verifyFrom(others, exported, needs)
  }
}
