/** Chooses the method for a workload, or gives the reason to skip it. Pure. */

import { isEdited } from '../../changes/edits.ts'
import { isReady } from '../../cluster/objects.ts'
import { appliedFields, isChangedBy, SCRAPING } from '../../cluster/ownership.ts'
import { type AmbientPart, ambientPartOf, PROXY_CONTAINER } from '../../workloads/proxy.ts'
import { complaintOf, creationRefused, rolloutOf } from '../../workloads/rollout.ts'
import type { WorkloadObject } from '../../workloads/workload-object.ts'
import type { Candidate } from '../find.ts'
import { MERGED_PORT, type Method, methodIn, SIDECAR_PORT, type Skip, type Workload } from '../workload.ts'
import { podPortTaken } from './skips.ts'

export type MethodChoice = { workload: Workload; method: Method } | { skip: Skip }

/** The first Istio with native ports: https://istio.io/latest/news/releases/1.31.x/ */
const NATIVE_SINCE: [number, number] = [1, 31]

/** @param choice `--method`; `auto`: by the version of Istio */
export function chooseMethod(candidate: Candidate, choice: 'auto' | Method): MethodChoice {
  const { resource, object, proxy, istio, pods } = candidate
  if (proxy === undefined) return { skip: whyNoProxy(candidate) }
  const method = methodFor(istio, choice, isChangedBy(object, SCRAPING) ? methodIn(object) : undefined)
  if (typeof method !== 'string') return { skip: method }
  const skip = whyFixed(candidate) ?? whyPortTaken(candidate, method)
  if (skip !== undefined) return { skip }
  return { workload: { resource, object, proxy, istio, pods: pods.length }, method }
}

/** @param present the method by which it is scraped already: a change of the method would leave the objects of the first */
function methodFor(istio: string | undefined, choice: 'auto' | Method, present: Method | undefined): Method | Skip {
  if (choice !== 'auto' && present !== undefined && present !== choice) return otherMethod(present)
  if (choice === 'auto' && present === 'sidecar') return present
  if (choice === 'sidecar') return choice
  if (istio === undefined) return choice === 'native' ? choice : ISTIO_UNKNOWN
  if (hasNativePorts(istio)) return 'native'
  return choice === 'auto'
    ? 'sidecar'
    : { code: 'ISTIO_TOO_OLD', reason: `its Istio ${istio} has no native ports; they need 1.31 or newer` }
}

function otherMethod(present: Method): Skip {
  const reason = `it already uses the method ${present}; to change that, run kubectl telemetry cleanup --scraping first`
  return { code: 'OTHER_METHOD', reason }
}

const ISTIO_UNKNOWN: Skip = {
  code: 'ISTIO_UNKNOWN',
  reason:
    'its version of Istio could not be read; choose the method: --method native (1.31 and newer) or --method sidecar',
}

function hasNativePorts(istio: string): boolean {
  const [major = 0, minor = 0] = istio.split('.').map(Number)
  return major > NATIVE_SINCE[0] || (major === NATIVE_SINCE[0] && minor >= NATIVE_SINCE[1])
}

const AMBIENT_PARTS: Record<AmbientPart, Skip> = {
  ZTUNNEL: {
    code: 'ZTUNNEL',
    reason:
      'it is ztunnel, the proxy of its node in ambient mode, which is not a sidecar and has no secure port for its metrics',
  },
  WAYPOINT: {
    code: 'WAYPOINT',
    reason: 'it is a waypoint, a proxy of ambient mode that Istio makes from a Gateway, and not a sidecar',
  },
  ISTIO_CNI: {
    code: 'ISTIO_CNI',
    reason: 'it is the network plugin of Istio on each node, and has no sidecar',
  },
}

/** Whether a workload is skipped because it is a part of ambient mode, which nobody asks to secure. */
export function isAmbientPart({ skip }: { skip: Skip | undefined }): boolean {
  return skip !== undefined && skip.code in AMBIENT_PARTS
}

/** Why a part of ambient mode is skipped; `undefined` for other workloads. */
export function whyAmbient({ object, pods }: Candidate): Skip | undefined {
  const [part] = [object.spec.template, ...pods].flatMap((one) => ambientPartOf(one) ?? [])
  return part && AMBIENT_PARTS[part]
}

function whyNoProxy(candidate: Candidate): Skip {
  const { object, pods } = candidate
  const { metadata, spec } = object.spec.template
  const part = whyAmbient(candidate)
  if (part !== undefined) return part
  const ambient =
    metadata?.labels?.['istio.io/dataplane-mode'] === 'ambient' ||
    pods.some(({ metadata: { annotations } }) => annotations?.['ambient.istio.io/redirection'] === 'enabled')
  if (ambient)
    return { code: 'AMBIENT', reason: 'it is in ambient mode: its pods have no proxy that could serve their metrics' }
  if (spec.hostNetwork)
    return {
      code: 'HOST_NETWORK',
      reason: 'it uses the network of its node (hostNetwork), where Istio injects no sidecar',
    }
  if (pods.length === 0)
    return { code: 'NO_PODS', reason: 'it has no pods, so it is unknown whether Istio injects a sidecar' }
  return { code: 'NO_SIDECAR', reason: 'its pods have no sidecar' }
}

/** Why its template must not be changed, or a change would not replace its pods. */
function whyFixed({ object }: Candidate): Skip | undefined {
  const { metadata } = object
  // `controller` is not compared: not every operator sets it.
  const [owner] = (metadata.ownerReferences ?? []) as { kind: string; name: string }[]
  if (owner !== undefined)
    return { code: 'OPERATOR_OWNED', reason: `${owner.kind}/${owner.name} owns it and would revert the change` }
  return whyNotReplaced(object)
}

/** Why a change of its template would not replace its pods. */
export function whyNotReplaced({ spec }: Pick<WorkloadObject, 'spec'>): Skip | undefined {
  if (spec.paused) return { code: 'PAUSED', reason: 'its rollout is paused (kubectl rollout resume)' }
  if (spec.updateStrategy?.type === 'OnDelete')
    return {
      code: 'ON_DELETE',
      reason: 'its pods are replaced only when the user deletes them (updateStrategy OnDelete)',
    }
  const partition = spec.updateStrategy?.rollingUpdate?.partition ?? 0
  if (partition > 0)
    return {
      code: 'PARTITIONED',
      reason: `its pods with a number below ${partition} are not replaced (updateStrategy partition)`,
    }
  return undefined
}

/** If pods are not ready before the change, a failed rollout cannot be recognized. After an interrupted run, the next run continues. */
export function whyNotReady({ object, pods }: Candidate): Skip | undefined {
  const { done, ready, wanted } = rolloutOf(object)
  if (done || appliedFields(object, SCRAPING) !== undefined || isEdited(object, SCRAPING)) return undefined
  const why = creationRefused(object) ?? complaintOf(pods.filter((pod) => !isReady(pod)))
  return {
    code: 'PODS_NOT_READY',
    reason: `only ${ready} of its ${wanted} pods are ready, so a failed rollout could not be recognized${why === undefined ? '' : ` (${why})`}`,
  }
}

function whyPortTaken({ object }: Candidate, method: Method): Skip | undefined {
  const wanted = method === 'native' ? [SIDECAR_PORT, MERGED_PORT] : [SIDECAR_PORT]
  const { containers, initContainers = [] } = object.spec.template.spec
  for (const { name, ports = [] } of [...containers, ...initContainers].filter(
    ({ name }) => name !== PROXY_CONTAINER,
  )) {
    const port = ports.find(({ containerPort }) => wanted.includes(containerPort))
    if (port !== undefined) return podPortTaken(`its container ${name} already has port ${port.containerPort}`)
  }
  return undefined
}
