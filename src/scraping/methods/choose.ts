/** Which method serves a workload's metrics securely, or why none can: pure. */
import { isEdited } from '../../changes/edits.ts'
import { appliedFields, isForScraping } from '../../cluster/ownership.ts'
import { rolloutOf } from '../../workloads/rollout.ts'
import type { Candidate } from '../find.ts'
import { PROXY } from '../find.ts'
import { MERGED_PORT, type Method, methodIn, SIDECAR_PORT, type Skip, type Workload } from '../workload.ts'

export type Chosen = { workload: Workload; method: Method } | { skip: Skip }

/** The first Istio with native ports: https://istio.io/latest/news/releases/1.31.x/ */
const NATIVE_SINCE: [number, number] = [1, 31]

/** @param asked what the user wants; `auto`: by the version of Istio */
export function chooseMethod(candidate: Candidate, asked: 'auto' | Method): Chosen {
  const { resource, object, proxy, istio, pods } = candidate
  if (proxy === undefined) return { skip: unproxied(candidate) }
  const method = methodFor(istio, asked, isForScraping(object) ? methodIn(object) : undefined)
  if (typeof method !== 'string') return { skip: method }
  const skip = fixed(candidate) ?? taken(candidate, method)
  if (skip !== undefined) return { skip }
  return { workload: { resource, object, proxy, istio, pods: pods.length }, method }
}

/** @param present by which it is scraped already: another one would leave the objects of the first behind */
function methodFor(istio: string | undefined, asked: 'auto' | Method, present: Method | undefined): Method | Skip {
  if (asked !== 'auto' && present !== undefined && present !== asked) return otherMethod(present)
  if (asked === 'auto' && present === 'sidecar') return present
  if (asked === 'sidecar') return asked
  if (istio === undefined) return asked === 'native' ? asked : ISTIO_UNKNOWN
  if (hasNativePorts(istio)) return 'native'
  return asked === 'auto'
    ? 'sidecar'
    : { code: 'ISTIO_TOO_OLD', reason: `its Istio ${istio} has no native ports (1.31 and newer do)` }
}

function otherMethod(present: Method): Skip {
  const reason = `it is scraped by the method ${present} already; kubectl telemetry cleanup --scraping takes that away`
  return { code: 'OTHER_METHOD', reason }
}

const ISTIO_UNKNOWN: Skip = {
  code: 'ISTIO_UNKNOWN',
  reason:
    'it could not be read which version of Istio it has; name the way: --method native (1.31 and newer) or sidecar',
}

function hasNativePorts(istio: string): boolean {
  const [major = 0, minor = 0] = istio.split('.').map(Number)
  return major > NATIVE_SINCE[0] || (major === NATIVE_SINCE[0] && minor >= NATIVE_SINCE[1])
}

function unproxied({ object, pods }: Candidate): Skip {
  const { metadata, spec } = object.spec.template
  const ambient =
    metadata?.labels?.['istio.io/dataplane-mode'] === 'ambient' ||
    pods.some(({ metadata: { annotations } }) => annotations?.['ambient.istio.io/redirection'] === 'enabled')
  if (ambient) return { code: 'AMBIENT', reason: 'it is in ambient mode: no proxy of its own serves its metrics' }
  if (spec.hostNetwork)
    return { code: 'HOST_NETWORK', reason: 'it uses the network of its node, where Istio injects no sidecar' }
  if (pods.length === 0)
    return { code: 'NO_PODS', reason: 'it has no pods, so it cannot be told what Istio puts into them' }
  return { code: 'NO_SIDECAR', reason: 'its pods have no sidecar' }
}

/** What stands against a change of its template, or keeps its pods as they are when it changes. */
function fixed({ object }: Candidate): Skip | undefined {
  const { metadata, spec } = object
  // Not every operator sets `controller`.
  const [owner] = (metadata.ownerReferences ?? []) as { kind: string; name: string }[]
  if (owner !== undefined)
    return { code: 'OPERATOR_OWNED', reason: `${owner.kind}/${owner.name} owns it and would undo the change` }
  if (spec.paused) return { code: 'PAUSED', reason: 'its rollout is paused (kubectl rollout resume)' }
  if (spec.updateStrategy?.type === 'OnDelete')
    return {
      code: 'ON_DELETE',
      reason: 'its pods are replaced only when somebody deletes them (updateStrategy OnDelete)',
    }
  const partition = spec.updateStrategy?.rollingUpdate?.partition ?? 0
  if (partition > 0)
    return {
      code: 'PARTITIONED',
      reason: `its pods below number ${partition} are not replaced (updateStrategy partition)`,
    }
  return undefined
}

/** A workload that is not well could not be told from one that does not come back. Where a run of ours was cut off, the next one goes on. */
export function unready({ object }: Candidate): Skip | undefined {
  const { done, ready, wanted } = rolloutOf(object)
  if (done || appliedFields(object) !== undefined || isEdited(object)) return undefined
  return {
    code: 'NOT_READY',
    reason: `${ready} of its ${wanted} pods are ready now, so it could not be told whether it came back`,
  }
}

function taken({ object }: Candidate, method: Method): Skip | undefined {
  const wanted = method === 'native' ? [SIDECAR_PORT, MERGED_PORT] : [SIDECAR_PORT]
  const { containers, initContainers = [] } = object.spec.template.spec
  for (const { name, ports = [] } of [...containers, ...initContainers].filter(({ name }) => name !== PROXY)) {
    const port = ports.find(({ containerPort }) => wanted.includes(containerPort))
    if (port !== undefined)
      return { code: 'PORT_TAKEN', reason: `its container ${name} has port ${port.containerPort} already` }
  }
  return undefined
}
