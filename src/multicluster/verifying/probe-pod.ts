/** A pod with the caller's service account that calls instead of it, and is removed whatever happens. */
import type { KubeObject } from '../../cluster/cluster.ts'
import { hasEnded, isReady, isStaying, type Pod } from '../../cluster/objects.ts'
import { isOwnedBy, MULTICLUSTER, ownedLabels } from '../../cluster/ownership.ts'
import { listOwned, readable } from '../../cluster/reading.ts'
import { PODS, typeOf } from '../../cluster/resources.ts'
import { interrupted, UserError } from '../../errors.ts'
import { sh } from '../../shell.ts'
import type { Clock } from '../../time/clock.ts'
import { serverTime } from '../../time/server-time.ts'
import { unlessAborted } from '../../time/unless-aborted.ts'
import { until } from '../../time/until.ts'
import { complaintOf, startRefused } from '../../workloads/rollout.ts'
import { inCluster, type Member } from '../members.ts'
import { type Caller, callerIn, callerName, requireUsable } from './caller.ts'

export interface ProbeNeeds {
  readonly clock: Clock
  random(bytes: number): Uint8Array
  /** Ctrl-C. */
  readonly signal: AbortSignal
}

const PREFIX = 'kubectl-telemetry-verify-'
/** Component in the labels. */
const COMPONENT = 'verify'
/** Seconds after which Kubernetes itself ends the pod. No run needs it longer. */
const LIFETIME = 120
/** Milliseconds until the image must be there and the sidecar Ready. */
const START = 60_000
const PAUSE = 500

/**
 * Works with a caller that runs the image. Pods that killed runs have left are removed, too.
 * @param caller the workload whose identity it has
 * @throws UserError PROBE_POD_FAILED, CALLER_UNUSABLE, INTERRUPTED, FORBIDDEN
 */
export async function withProbePod<T>(
  caller: Caller,
  image: string,
  needs: ProbeNeeds,
  work: (probe: Caller) => Promise<T>,
): Promise<T> {
  const { member, namespace } = caller
  const { signal } = needs
  await removeLeft(member, namespace, needs)
  const wanted = podFor(caller, image, needs)
  const made = inCluster(member, () => member.cluster.apply<Pod>(PODS, wanted, { manager: MULTICLUSTER.manager }))
  try {
    const result = await unlessAborted(
      made.then(() => ready(wanted, caller, needs)).then(async (probe) => ({ done: await work(probe) })),
      signal,
    )
    if (result === undefined) throw interrupted('interrupted; the pod that called was removed')
    return result.done
  } finally {
    // The answer may be lost, or still to come.
    await made.catch(() => undefined)
    await remove(member, wanted)
  }
}

function podFor({ namespace, pod }: Caller, image: string, { random }: ProbeNeeds): KubeObject {
  const { labels = {}, annotations = {} } = pod.metadata
  const copied = (from: Record<string, string>, ...names: string[]) =>
    Object.fromEntries(names.flatMap((name) => (from[name] === undefined ? [] : [[name, from[name]]])))
  const serviceAccountName = pod.spec.serviceAccountName
  return {
    ...typeOf(PODS),
    metadata: {
      name: `${PREFIX}${Buffer.from(random(5)).toString('hex')}`,
      namespace,
      labels: {
        ...ownedLabels(MULTICLUSTER, COMPONENT),
        'sidecar.istio.io/inject': 'true',
        ...copied(labels, 'istio.io/rev'),
      },
      // DNS as in the caller's sidecar.
      annotations: copied(annotations, 'proxy.istio.io/config'),
    },
    spec: {
      ...(serviceAccountName === undefined ? {} : { serviceAccountName }),
      automountServiceAccountToken: false,
      restartPolicy: 'Never',
      activeDeadlineSeconds: LIFETIME,
      // `sleep` as the first process ignores the signal to end.
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'probe',
          image,
          imagePullPolicy: 'IfNotPresent',
          command: ['sleep', String(LIFETIME)],
          // What the restricted Pod Security Standard asks for.
          securityContext: {
            allowPrivilegeEscalation: false,
            capabilities: { drop: ['ALL'] },
            runAsNonRoot: true,
            runAsUser: 65_534,
            seccompProfile: { type: 'RuntimeDefault' },
          },
        },
      ],
    },
  }
}

async function ready({ metadata }: KubeObject, caller: Caller, { clock, signal }: ProbeNeeds): Promise<Caller> {
  const { member, namespace } = caller
  const place = { namespace, name: metadata.name }
  const pod = await until<Pod | undefined>(
    {
      look: () => inCluster(member, () => member.cluster.get<Pod>(PODS, place)),
      isDone: (found) => found === undefined || isReady(found) || startRefused([found]) !== undefined,
      pause: PAUSE,
      timeout: START,
      signal,
    },
    clock,
  )
  if (pod === undefined || !isReady(pod)) throw probeFailed(place.name, pod, caller)
  return requireUsable(callerIn(pod, member))
}

function probeFailed(name: string, pod: Pod | undefined, caller: Caller): UserError {
  const why = pod === undefined ? 'somebody deleted it' : (complaintOf([pod]) ?? 'it was not Ready in time')
  const message = `cluster ${caller.member.name}: pod ${caller.namespace}/${name}, which calls as ${callerName(caller)}, does not run: ${why}`
  return new UserError('PROBE_POD_FAILED', message, {
    suggestions: [
      '--probe-image IMAGE:TAG   # another image, with sleep, and curl or wget',
      sh`kubectl --context ${caller.member.cluster.context} -n ${caller.namespace} get events --sort-by=.lastTimestamp`,
    ],
  })
}

async function remove(member: Member, { metadata: { name, namespace = '' } }: KubeObject): Promise<void> {
  const found = await inCluster(member, () => member.cluster.get<Pod>(PODS, { name, namespace }))
  if (found !== undefined && isOwnedBy(found, MULTICLUSTER))
    await inCluster(member, () => member.cluster.delete(PODS, found))
}

/** Pods of which no run can still make use. Others may belong to somebody who verifies now. */
async function removeLeft(member: Member, namespace: string, { clock }: ProbeNeeds): Promise<void> {
  const now = serverTime({ cluster: member.cluster, clock }).getTime()
  const left = (await findProbePods(member, namespace)).filter((pod) => {
    const age = now - Date.parse(String(pod.metadata.creationTimestamp))
    return hasEnded(pod) || age > LIFETIME * 1_000
  })
  await Promise.all(left.map((pod) => inCluster(member, () => member.cluster.delete(PODS, pod))))
}

/**
 * Our pods that call. A label is a hint: one that others have put on a pod of theirs does not make it ours.
 * @param namespace left out: all that may be read
 */
export async function findProbePods({ cluster }: Member, namespace?: string): Promise<Pod[]> {
  const owned = await readable(
    listOwned<Pod>(cluster, PODS, MULTICLUSTER, namespace === undefined ? {} : { namespace }),
  )
  return (owned ?? []).filter(isProbePod)
}

function isProbePod(pod: Pod): boolean {
  const { name, ownerReferences } = pod.metadata
  const [probe, ...others] = pod.spec.containers.filter((one) => one.name !== 'istio-proxy')
  const isOurs = probe?.name === 'probe' && others.length === 0 && probe.command?.join(' ') === `sleep ${LIFETIME}`
  return isStaying(pod) && name.startsWith(PREFIX) && ownerReferences === undefined && isOurs
}
