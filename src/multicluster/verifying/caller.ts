/** Chooses the pod that calls, and the container in it. */
import type { Pod } from '../../cluster/objects.ts'
import { hasEnded, isReady, isStaying } from '../../cluster/objects.ts'
import { PODS } from '../../cluster/resources.ts'
import { UserError } from '../../errors.ts'
import { isGatewayPod } from '../../gateways/find.ts'
import { sh } from '../../shell.ts'
import type { Terminal } from '../../terminal/terminal.ts'
import { controllerOf } from '../../workloads/controller.ts'
import { ambientPartOf, PROXY_CONTAINER, proxyImage } from '../../workloads/proxy.ts'
import { inCluster, type Member } from '../members.ts'

/** A pod with a sidecar, from which a host is called. */
export interface Caller {
  readonly member: Member
  readonly namespace: string
  /** Name of its Deployment, StatefulSet, …; of the pod itself without any. */
  readonly workload: string
  readonly pod: Pod
  readonly container: string
}

/** `--from`. */
export interface CallerChoice {
  namespace: string
  workload: string
}

/** How many workloads an error lists. */
const LISTED = 5

/**
 * @param choice the user's
 * @param into the only namespace whose pods may call
 * @throws UserError CALLER_NOT_FOUND, CALLER_UNCLEAR, CALLER_WITHOUT_SIDECAR, FORBIDDEN
 */
export async function requireCaller(
  member: Member,
  { choice, into }: { choice: CallerChoice | undefined; into: string | undefined },
  terminal: Pick<Terminal, 'interactive' | 'select'>,
): Promise<Caller> {
  const namespace = choice?.namespace ?? into
  const listed = await listPods(member, namespace)
  const running = listed.filter((pod) => isStaying(pod) && !hasEnded(pod))
  if (choice !== undefined) return chosenCaller(running, choice, member)
  const callers = eachWorkload(
    running.filter((pod) => whyNoCaller(pod) === undefined).map((pod) => callerIn(pod, member)),
  )
  const [first, ...more] = callers
  if (first === undefined) throw noCaller(member, into)
  if (more.length === 0) return first
  if (!terminal.interactive) throw unclear(callers, member)
  const choices = callers.map((value) => ({ name: callerName(value), value }))
  return terminal.select(`From which workload of cluster ${member.name} is it called?`, choices)
}

/** The workloads that could call, in the order of their names. @param into the only namespace whose pods may call */
export async function anyCallers(member: Member, into: string | undefined): Promise<Caller[]> {
  const listed = await listPods(member, into)
  const usable = listed.filter((pod) => isStaying(pod) && !hasEnded(pod) && whyNoCaller(pod) === undefined)
  return eachWorkload(usable.map((pod) => callerIn(pod, member)))
}

function listPods(member: Member, namespace: string | undefined): Promise<Pod[]> {
  return inCluster(member, () => member.cluster.list<Pod>(PODS, namespace === undefined ? {} : { namespace }))
}

/** `foo/sleep` */
export function callerName({ namespace, workload }: Pick<Caller, 'namespace' | 'workload'>): string {
  return `${namespace}/${workload}`
}

function chosenCaller(running: readonly Pod[], choice: CallerChoice, member: Member): Caller {
  const named = running.filter((pod) => [workloadOf(pod), pod.metadata.name].includes(choice.workload))
  const usable = named.find((pod) => whyNoCaller(pod) === undefined)
  if (usable !== undefined) return callerIn(usable, member)
  const [pod] = named
  if (pod === undefined) throw notFound(choice, running, member)
  throw unusable(callerIn(pod, member))
}

/** @throws UserError CALLER_UNUSABLE */
export function requireUsable(caller: Caller): Caller {
  if (whyNoCaller(caller.pod) === undefined) return caller
  throw unusable(caller)
}

/** The first pod of each workload, in the order of their names. */
function eachWorkload(callers: readonly Caller[]): Caller[] {
  const sorted = callers.toSorted((a, b) => compare(callerName(a), callerName(b)) || compare(nameOf(a), nameOf(b)))
  return [...new Map(sorted.toReversed().map((one) => [callerName(one), one])).values()].toReversed()
}

function nameOf({ pod }: Caller): string {
  return pod.metadata.name
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other)
}

function workloadOf(pod: Pod): string {
  return controllerOf(pod)?.name ?? pod.metadata.name
}

export function callerIn(pod: Pod, member: Member): Caller {
  const { namespace = '' } = pod.metadata
  return { member, namespace, workload: workloadOf(pod), pod, container: containerOf(pod) ?? '' }
}

/** As kubectl chooses: the annotation, else the first one; never the sidecar. */
function containerOf({ metadata, spec }: Pod): string | undefined {
  const names = spec.containers.map(({ name }) => name).filter((name) => name !== PROXY_CONTAINER)
  const wanted = metadata.annotations?.['kubectl.kubernetes.io/default-container']
  return names.find((name) => name === wanted) ?? names[0]
}

function whyNoCaller(pod: Pod): 'no sidecar' | 'not Ready' | undefined {
  const hasSidecar = proxyImage(pod) !== undefined && ambientPartOf(pod) === undefined && !isGatewayPod(pod)
  if (!hasSidecar || containerOf(pod) === undefined) return 'no sidecar'
  return isReady(pod) ? undefined : 'not Ready'
}

function notFound(choice: CallerChoice, running: readonly Pod[], { name, cluster }: Member): UserError {
  const others = eachWorkloadName(running.filter((pod) => whyNoCaller(pod) === undefined))
  const message = `namespace ${choice.namespace} of cluster ${name} has no running pod of ${choice.workload}`
  return callerNotFound(message, [
    ...others.map((other) => sh`--from ${`${choice.namespace}/${other}`}`),
    sh`kubectl --context ${cluster.context} -n ${choice.namespace} get pods`,
  ])
}

function eachWorkloadName(pods: readonly Pod[]): string[] {
  return [...new Set(pods.map(workloadOf))].toSorted().slice(0, LISTED)
}

function noCaller({ name, cluster }: Member, into: string | undefined): UserError {
  const where = into === undefined ? `cluster ${name}` : `namespace ${into} of cluster ${name}`
  const message = `${where} has no pod with a sidecar that is Ready, so nothing can call`
  return callerNotFound(message, [
    sh`kubectl --context ${cluster.context} get pods -A`,
    '--from NAMESPACE/WORKLOAD   # a workload with a sidecar',
  ])
}

function callerNotFound(message: string, suggestions: string[]): UserError {
  return new UserError('CALLER_NOT_FOUND', message, { suggestions })
}

function unusable({ pod, namespace, member: { name, cluster } }: Caller): UserError {
  const own = pod.metadata.name
  const why = whyNoCaller(pod) === 'not Ready' ? 'is not Ready' : 'has no sidecar'
  const message = `pod ${namespace}/${own} of cluster ${name} ${why}, so it cannot call services of other clusters`
  return new UserError('CALLER_UNUSABLE', message, {
    suggestions: [
      sh`kubectl --context ${cluster.context} -n ${namespace} get pod ${own} -o yaml`,
      '--from NAMESPACE/WORKLOAD   # another workload',
    ],
  })
}

function unclear(callers: readonly Caller[], { name }: Member): UserError {
  const message = `cluster ${name} has ${callers.length} workloads that could call, and --from names none`
  return new UserError('CALLER_UNCLEAR', message, {
    suggestions: callers.slice(0, LISTED).map((one) => sh`--from ${callerName(one)}`),
  })
}
