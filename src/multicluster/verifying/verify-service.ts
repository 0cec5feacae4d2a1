/** Calls an exported service from a pod, and finds the hop that fails. `verify`, `export` and `status` ask it. */
import { UserError } from '../../errors.ts'
import { sh } from '../../shell.ts'
import { cut, oneLine } from '../../text.ts'
import type { Clock } from '../../time/clock.ts'
import { serverTime } from '../../time/server-time.ts'
import type { ExportedPort, ExportedService } from '../exported.ts'
import { inCluster, type Member } from '../members.ts'
import { SECRETS_PATH } from '../proxy-secrets.ts'
import { type Caller, callerName } from './caller.ts'
import { type CallEnd, clientsFor, isUsable, LIMIT } from './client.ts'
import { judge } from './diagnosis.ts'
import { type Evidence, isHttp, needsServing, type SidecarEvidence } from './evidence.ts'
import { askProxy, type Pods } from './pods.ts'
import { clusterDumpPath, clusterName, clusterTls, ENDPOINTS_PATH, endpointsOf, growth, trustOf } from './proxy-view.ts'
import type { Verdict, Verified } from './result.ts'
import { lookAtServing, type Serving } from './serving.ts'

export interface VerifyNeeds {
  /** The clusters of the run. One that serves and is not among them cannot be looked into. */
  readonly members: readonly Member[]
  readonly pods: Pods
  readonly clock: Clock
}

export interface CallChoice {
  readonly caller: Caller
  /** What is requested of HTTP ports; `/` if left out. */
  readonly path?: string
}

/** Each port is called at the same time. @throws UserError CLIENT_MISSING, CLIENT_FAILED, SIDECAR_SILENT, FORBIDDEN, CLUSTER_UNREACHABLE */
export async function verifyService(
  exported: ExportedService,
  { caller, path = '/' }: CallChoice,
  needs: VerifyNeeds,
): Promise<Verified> {
  const verify = (port: ExportedPort) => verifyPort(exported, port, { caller, path }, needs)
  const verdicts = await Promise.all(exported.ports.map(verify))
  const service = {
    host: exported.host,
    service: exported.service.name,
    namespace: exported.service.namespace,
    in: exported.from.map(({ cluster }) => cluster),
    to: exported.to,
    from: callerName(caller),
    ports: exported.ports.map(({ number }) => number),
    hops: verdicts.flatMap(({ hops }) => hops),
  }
  return { service, problems: verdicts.flatMap(({ problem }) => problem ?? []) }
}

async function verifyPort(
  exported: ExportedService,
  port: ExportedPort,
  { caller, path }: Required<CallChoice>,
  needs: VerifyNeeds,
): Promise<Verdict> {
  const { members, clock } = needs
  const name = clusterName(port.number, exported.host)
  const [before, read] = await timed(endpointsIn(caller, needs), clock)
  const target = { host: exported.host, port: port.number, path, http: isHttp(port) }
  const [[call, called], [tls, dumped]] = await Promise.all([
    timed(callFrom(caller, target, needs), clock),
    timed(configurationIn(caller, name, needs), clock),
  ])
  const after = await endpointsIn(caller, needs)
  const endpoints = endpointsOf(before, name) ?? []
  const sidecar: SidecarEvidence = {
    tls,
    endpoints,
    grown: growth(endpoints, endpointsOf(after, name) ?? []),
    trust: undefined,
  }
  const evidence: Evidence = {
    exported,
    port,
    caller: {
      name: callerName(caller),
      namespace: caller.namespace,
      pod: caller.pod.metadata.name,
      context: caller.member.cluster.context,
    },
    url: isHttp(port) ? `http://${target.host}:${target.port}${path}` : `${target.host}:${target.port}`,
    call,
    sidecar,
    serving: [],
    contexts: new Map(members.map(({ name: member, cluster }) => [member, cluster.context])),
    now: serverTime({ cluster: caller.member.cluster, clock }),
    took: { sidecar: read + dumped, call: called, serving: 0 },
  }
  if (!needsServing(evidence)) return judge(evidence)
  const [[trust, serving], looked] = await timed(
    Promise.all([trustIn(caller, needs), lookAtAll(exported, port, needs)]),
    clock,
  )
  return judge({ ...evidence, sidecar: { ...sidecar, trust }, serving, took: { ...evidence.took, serving: looked } })
}

/** @returns also how many milliseconds it took */
async function timed<T>(work: Promise<T>, clock: Clock): Promise<[T, number]> {
  const began = clock.now().getTime()
  const result = await work
  return [result, clock.now().getTime() - began]
}

function nameOf({ namespace, pod }: Caller): { namespace: string; name: string } {
  return { namespace, name: pod.metadata.name }
}

/** @throws UserError FORBIDDEN, NOT_FOUND, CLUSTER_UNREACHABLE, SIDECAR_SILENT */
async function endpointsIn(caller: Caller, { pods }: VerifyNeeds): Promise<string> {
  const { member } = caller
  const answer = await inCluster(member, () => askProxy(nameOf(caller), ENDPOINTS_PATH, member, pods))
  if (answer !== undefined) return answer
  // Without the permission, this says which one is missing.
  const { socket } = await inCluster(member, () => member.cluster.portForward(nameOf(caller)))
  socket.destroy()
  const { namespace, name } = nameOf(caller)
  const message = `cluster ${member.name}: the sidecar of pod ${namespace}/${name} does not answer at its admin port`
  throw new UserError('SIDECAR_SILENT', message, {
    suggestions: [
      sh`kubectl --context ${member.cluster.context} -n ${namespace} logs ${name} -c istio-proxy --tail=20`,
    ],
  })
}

async function configurationIn(caller: Caller, name: string, { pods }: VerifyNeeds) {
  const dump = await inCluster(caller.member, () =>
    askProxy(nameOf(caller), clusterDumpPath(name), caller.member, pods),
  )
  return dump === undefined ? undefined : clusterTls(dump, name)
}

async function trustIn(caller: Caller, { pods }: VerifyNeeds) {
  const secrets = await inCluster(caller.member, () => askProxy(nameOf(caller), SECRETS_PATH, caller.member, pods))
  return secrets === undefined ? undefined : trustOf(secrets)
}

async function lookAtAll(
  exported: ExportedService,
  port: ExportedPort,
  { members, pods }: VerifyNeeds,
): Promise<Serving[]> {
  const looks = exported.from.map(async ({ cluster }) => {
    const member = members.find(({ name }) => name === cluster)
    if (member === undefined) return { cluster, gateway: undefined, hasPods: undefined, trust: undefined }
    return lookAtServing(member, exported, port, pods)
  })
  return Promise.all(looks)
}

/** Tries one client after the other until the container has it. @throws UserError CLIENT_MISSING, CLIENT_FAILED, FORBIDDEN */
async function callFrom(
  caller: Caller,
  target: Parameters<typeof clientsFor>[0],
  { pods }: VerifyNeeds,
): Promise<CallEnd> {
  const { member, container } = caller
  const clients = clientsFor(target)
  for (const client of clients) {
    const program = { pod: nameOf(caller), container, argv: client.argv, timeout: LIMIT }
    const end = await inCluster(member, () => pods.runProgram(program, member.cluster))
    if ('exitCode' in end) {
      if (isUsable(end)) return client.read(end)
    } else if (!end.absent) throw clientFailed(caller, client.argv[0] ?? '', end.failed)
  }
  throw clientMissing(
    caller,
    clients.map(({ argv }) => argv[0] ?? ''),
  )
}

/** How much of a runtime's complaint is shown. */
const LONGEST = 300

function clientFailed(caller: Caller, program: string, why: string): UserError {
  const message = `cluster ${caller.member.name}: ${program} did not run to its end in container ${caller.container} of pod ${caller.namespace}/${caller.pod.metadata.name}: ${cut(oneLine(why), LONGEST)}`
  return new UserError('CLIENT_FAILED', message, {
    suggestions: [
      sh`kubectl --context ${caller.member.cluster.context} -n ${caller.namespace} describe pod ${caller.pod.metadata.name}`,
      PROBE_IMAGE,
    ],
  })
}

const PROBE_IMAGE = '--probe-image IMAGE:TAG   # a pod of this image, which has curl or wget, calls instead'

function clientMissing(caller: Caller, programs: readonly string[]): UserError {
  const last = programs.at(-1) ?? ''
  const list = `${programs.slice(0, -1).join(', ')} nor ${last}`
  const message = `cluster ${caller.member.name}: container ${caller.container} of ${callerName(caller)} has neither ${list}, so nothing can call from it`
  return new UserError('CLIENT_MISSING', message, {
    suggestions: [PROBE_IMAGE, '--from NAMESPACE/WORKLOAD   # another workload'],
  })
}
