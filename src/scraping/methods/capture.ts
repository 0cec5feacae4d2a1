/** Which ports of a workload its sidecar captures, and how ours stay out without a change for other ports. Pure. */
import { isAdded, isEdited } from '../../changes/edits.ts'
import { SCRAPING } from '../../cluster/ownership.ts'
import type { WorkloadObject } from '../../workloads/workload-object.ts'
import { EXCLUDED_PORTS, excludedBy, INCLUDED_PORTS, portsOf } from '../injector.ts'
import { SIDECAR_PORT, type Skip, skipped, type Workload } from '../workload.ts'
import { NATIVE_PORTS } from './native-ports.ts'
import type { Scene } from './planner.ts'
import { isOthers } from './template.ts'

/**
 * The ports that our annotation has to contain beside ours: those of the injector, which the annotation replaces. If the user has such an
 * annotation, the injector's ports do not apply, and ours go into the user's.
 */
export function keptPorts({ object }: Workload, { pods, injector }: Scene): { ports: string[] } | { skip: Skip } {
  if (isUsers(object)) return { ports: [] }
  const native = Object.values(NATIVE_PORTS)
  const present = portsOf(object.spec.template.metadata?.annotations?.[EXCLUDED_PORTS])
  const ports = (injector?.excluded ?? present).filter((port) => !native.includes(port))
  const known = [...ports, ...present, ...native]
  const unknown = new Set(pods.flatMap(excludedBy).filter((port) => !known.includes(port)))
  return unknown.size === 0 ? { ports } : whyUnknown([...unknown].join(','))
}

function isUsers(object: WorkloadObject): boolean {
  if (object.spec.template.metadata?.annotations?.[EXCLUDED_PORTS] === undefined) return false
  const path = ['spec', 'template', 'metadata', 'annotations', EXCLUDED_PORTS]
  return isEdited(object, SCRAPING) ? !isAdded(object, SCRAPING, path) : isOthers(object, EXCLUDED_PORTS)
}

/** Another webhook or another template may ask for it, or a setting of the injector that has changed since. */
function whyUnknown(ports: string): { skip: Skip } {
  return skipped(
    'EXCLUDED_PORTS_UNKNOWN',
    `its sidecar does not capture port ${ports}, and it cannot be read what asks for that, so a change could end it: add the annotation ${EXCLUDED_PORTS}: "${ports}" to its pod template, or restart its pods if the setting is an old one`,
  )
}

/** The listeners of a Sidecar receive only captured traffic. */
export function whyNotCaptured({ object }: Workload, { injector }: Scene): Skip | undefined {
  const { annotations = {} } = object.spec.template.metadata
  const of = (name: string) => (annotations[name] === undefined ? undefined : portsOf(annotations[name]))
  const included = of(INCLUDED_PORTS) ?? injector?.included
  const excluded = of(EXCLUDED_PORTS) ?? injector?.excluded ?? []
  const port = String(SIDECAR_PORT)
  if (annotations['sidecar.istio.io/interceptionMode'] === 'NONE')
    return { code: 'NOT_CAPTURED', reason: 'its sidecar captures no traffic (sidecar.istio.io/interceptionMode: NONE)' }
  if (excluded.includes(port) || (included !== undefined && !included.includes('*') && !included.includes(port)))
    return {
      code: 'NOT_CAPTURED',
      reason: `its sidecar does not capture port ${port} (traffic.sidecar.istio.io/includeInboundPorts, excludeInboundPorts)`,
    }
  return undefined
}
