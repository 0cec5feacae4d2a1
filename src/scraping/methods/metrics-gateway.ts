/** A gateway's metrics over mutual TLS if Istio has no native ports: a Gateway object for one more port of its pods. Pure. */
import type { Wanted } from '../../changes/changes.ts'
import type { KubeObject } from '../../cluster/cluster.ts'
import { isOwnedBy, SCRAPING } from '../../cluster/ownership.ts'
import { gateways, serviceEntries, virtualServices } from '../../cluster/resources.ts'
import { metricsGateway } from '../../manifests/metrics-gateway.ts'
import { metricsRoute } from '../../manifests/metrics-route.ts'
import { metricsGatewayName } from '../../manifests/names.ts'
import { agentEntry } from '../../manifests/service-entry.ts'
import { AGENT_PORT, METRICS_PATH, SECURE_PORT, SIDECAR_PORT, type Skip, type Workload } from '../workload.ts'
import { planAccess } from './access.ts'
import { gatewayVariables } from './hardening.ts'
import type { Planner, Scene } from './planner.ts'
import { ownLabels, takes } from './selection.ts'
import { podPortTaken, selectorShared } from './skips.ts'
import { planTemplate } from './template.ts'

interface GatewaySpec {
  selector?: Record<string, string>
  servers?: { port?: { number?: number } }[]
}

/** The Gateway comes last of the three: before it, nothing answers at the port. The port is only for Prometheus, so no Service gets it. */
export const planMetricsGateway: Planner = (workload, scene) => {
  const { name: workloadName, namespace = '' } = workload.object.metadata
  const selector = ownLabels(workload.object, scene)
  if (selector === undefined)
    return {
      skip: selectorShared('a Gateway'),
    }
  const taken = whyPortTaken(workload, scene)
  if (taken !== undefined) return { skip: taken }
  const request = { name: metricsGatewayName(workloadName), namespace, selector, port: SIDECAR_PORT }
  const version = scene.istioVersion
  const objects: Wanted[] = [
    {
      resource: serviceEntries(version),
      manifest: agentEntry(serviceEntries(version), { ...request, port: AGENT_PORT }),
      by: 'owning',
    },
    {
      resource: virtualServices(version),
      manifest: metricsRoute(virtualServices(version), { ...request, path: METRICS_PATH }),
      by: 'owning',
    },
    { resource: gateways(version), manifest: metricsGateway(gateways(version), request), by: 'owning' },
  ]
  const access = planAccess(workload, selector, 'metrics', scene)
  if ('skip' in access) return access
  const template = planTemplate(workload, {
    annotations: { [SECURE_PORT]: String(SIDECAR_PORT) },
    ...gatewayVariables(workload, scene, {}),
  })
  return 'skip' in template ? template : { writings: [...access.writings, ...objects, template] }
}

function whyPortTaken({ object }: Workload, scene: Scene): Skip | undefined {
  const existing = scene.objects.find(
    (one) => one.kind === 'Gateway' && !isOwnedBy(one, SCRAPING) && opensPort(one) && selects(one, object, scene),
  )
  if (existing === undefined) return undefined
  const { name, namespace } = existing.metadata
  return podPortTaken(`Gateway ${namespace}/${name} uses port ${SIDECAR_PORT} of its pods`)
}

function opensPort({ spec }: KubeObject): boolean {
  return (((spec ?? {}) as GatewaySpec).servers ?? []).some(({ port }) => port?.number === SIDECAR_PORT)
}

/** A Gateway without a selector applies to the pods of every gateway. */
function selects({ spec }: KubeObject, object: Workload['object'], { pods }: Scene): boolean {
  const { selector = {} } = (spec ?? {}) as GatewaySpec
  return Object.keys(selector).length === 0 || takes(selector, object, pods)
}
