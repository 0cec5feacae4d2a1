/** `multicluster verify`: each exported service, called from a pod of the cluster that it is exported to. */
import { UserError } from '../../errors.ts'
import type { Finding } from '../../findings.ts'
import { sh } from '../../shell.ts'
import type { Dependencies } from '../../world.ts'
import type { ExportedService } from '../exported.ts'
import { requireNames } from '../members.ts'
import { type Caller, type CallerChoice, requireCaller } from './caller.ts'
import { type ProbeNeeds, withProbePod } from './probe-pod.ts'
import { succeeded, type Verified, type VerifyResult } from './result.ts'
import { type VerifyNeeds, verifyService } from './verify-service.ts'

export interface VerifyRequest {
  /** Only this service. */
  host: string | undefined
  from: CallerChoice | undefined
  /** `--in`: only calls from this cluster. */
  caller: string | undefined
  probeImage: string | undefined
  path: string
}

type Needs = VerifyNeeds &
  Pick<Dependencies, 'terminal' | 'random'> & {
    /** Ctrl-C, from now on. */
    ending(): AbortSignal
    /** What the members call of each other, and findings about the rest. */
    exported(): Promise<{ services: readonly ExportedService[]; warnings: readonly Finding[] }>
  }

/** @throws UserError NOTHING_TO_VERIFY, CLUSTER_UNKNOWN, and those of `requireCaller`, `verifyService` and `withProbePod` */
export async function verify(request: VerifyRequest, needs: Needs): Promise<VerifyResult> {
  requireNames(needs.members, { '--in': new Map(request.caller === undefined ? [] : [[request.caller, true]]) })
  const { services: all, warnings } = await needs.exported()
  const chosen = all.filter(({ host, to }) => (request.host ?? host) === host && (request.caller ?? to) === to)
  if (chosen.length === 0) throw nothing(request, all, warnings)
  const verified: Verified[] = []
  // One after the other: the calls of one pod would be in each other's counts, and a question follows the other.
  for (const exported of chosen) verified.push(await verifyFromOne(exported, request, needs))
  const problems = [...warnings, ...verified.flatMap((one) => one.problems)]
  const services = verified.map(({ service }) => service)
  return { outcome: succeeded({ problems }) ? 'verified' : 'failed', services, problems }
}

async function verifyFromOne(exported: ExportedService, request: VerifyRequest, needs: Needs): Promise<Verified> {
  const member = needs.members.find(({ name }) => name === exported.to)
  if (member === undefined) throw nothing(request, [], [])
  const caller = await requireCaller(member, { choice: request.from, into: exported.into }, needs.terminal)
  const work = (from: Caller) => verifyService(exported, { caller: from, path: request.path }, needs)
  if (request.probeImage === undefined) return work(caller)
  const probe: ProbeNeeds = { clock: needs.clock, random: needs.random, signal: needs.ending() }
  return withProbePod(caller, request.probeImage, probe, work)
}

function nothing(
  { host, caller }: VerifyRequest,
  all: readonly ExportedService[],
  warnings: readonly Finding[],
): UserError {
  const what = host === undefined ? 'nothing is exported' : `${host} is not exported`
  const where = caller === undefined ? '' : ` to cluster ${caller}`
  const [unbelieved] = warnings
  return new UserError(
    'NOTHING_TO_VERIFY',
    `${what}${where}${unbelieved === undefined ? '' : `; ${unbelieved.message}`}`,
    {
      suggestions: [
        ...all.slice(0, 5).map((one) => sh`kubectl telemetry multicluster verify ${one.host} --in ${one.to}`),
        'kubectl telemetry multicluster export SERVICE -n NAMESPACE --in CLUSTER',
      ],
    },
  )
}
