/** `multicluster export`, which ends with calls of the service: knows how services are exported, and how they are called. */
import { UserError } from '../errors.ts'
import { notes } from '../findings.ts'
import { sh } from '../shell.ts'
import type { AskDns, Dependencies } from '../world.ts'
import type { ExportedService } from './exported.ts'
import { exportService } from './exporting/export.ts'
import type { ExportRequest } from './exporting/request.ts'
import type { ExportProof, ExportReport } from './exporting/result.ts'
import { type Caller, type CallerChoice, requireCaller } from './verifying/caller.ts'
import { type VerifyNeeds, verifyService } from './verifying/verify-service.ts'

type Needs = VerifyNeeds & Pick<Dependencies, 'terminal'> & { askDns: AskDns }

/** @param from the workload that calls; the only one with a sidecar, or a question, when left out */
export function exportAndCall(
  request: ExportRequest,
  from: CallerChoice | undefined,
  needs: Needs,
): Promise<ExportReport> {
  const callers = new Map<string, Promise<Caller>>()
  const callerOf = (service: ExportedService) => {
    const known = callers.get(service.to) ?? chooseCaller(service, from, needs)
    callers.set(service.to, known)
    return known
  }
  const callOnce = (service: ExportedService) => call(service, () => callerOf(service), needs)
  return exportService(request, needs.members, { ...needs, callOnce })
}

function chooseCaller({ to, into }: ExportedService, choice: CallerChoice | undefined, needs: Needs): Promise<Caller> {
  const member = needs.members.find(({ name }) => name === to)
  if (member === undefined) throw new Error(`${to} is no cluster of the run`)
  return requireCaller(member, { choice, into }, needs.terminal)
}

/** The service is exported, whether a pod can call it or not: then a note says so. */
async function call(service: ExportedService, callerOf: () => Promise<Caller>, needs: Needs): Promise<ExportProof> {
  const { to, host, dns } = service
  const unverified = (why: string, ...remedies: string[]): ExportProof => {
    const message = `whether calls of ${host} from cluster ${to} arrive was not tried: ${why}`
    return { to, problems: [notes('EXPORT_UNVERIFIED', message, ...remedies)] }
  }
  const again = sh`kubectl telemetry multicluster verify ${host} --from NAMESPACE/WORKLOAD   # beside the contexts`
  try {
    const { service: called, problems } = await verifyService(service, { caller: await callerOf() }, needs)
    // The user arranges the name, perhaps later.
    if (dns === 'none' && problems.some(({ code }) => code === 'NAME_UNRESOLVED'))
      return unverified(`no name leads to ${service.address} yet`, again)
    return { to, from: called.from, hops: called.hops, problems }
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    return unverified(error.message, ...error.suggestions, again)
  }
}
