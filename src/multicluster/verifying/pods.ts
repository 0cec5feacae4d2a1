/** What is asked of pods. */
import type { ObjectName } from '../../cluster/cluster.ts'
import { hasCode } from '../../errors.ts'
import type { AskInside, ReadServedChain, RunProgram } from '../../world.ts'
import type { Member } from '../members.ts'
import { ADMIN } from '../proxy-secrets.ts'

/** The ways to ask a pod, beside the API server's own. */
export interface Pods {
  readonly askInside: AskInside
  readonly readServedChain: ReadServedChain
  readonly runProgram: RunProgram
}

/** Milliseconds for an answer of a pod. */
const TIMEOUT = 10_000

/** Asks the admin port of a proxy. @returns undefined if it cannot be asked, or does not answer 200 */
export async function askProxy(
  pod: Required<ObjectName>,
  path: string,
  { cluster }: Member,
  { askInside }: Pick<Pods, 'askInside'>,
): Promise<string | undefined> {
  const answer = await askInside({ pod, port: ADMIN, path, timeout: TIMEOUT }, cluster)
  return answer !== undefined && 'status' in answer && answer.status === 200 ? answer.body : undefined
}

/** For what only explains a fault: without it the explanation is shorter. @returns undefined if the cluster does not answer */
export async function ifReadable<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (hasCode(error, 'FORBIDDEN', 'NOT_FOUND', 'CLUSTER_UNREACHABLE', 'UNAUTHENTICATED', 'SERVER_FAILED'))
      return undefined
    throw error
  }
}
