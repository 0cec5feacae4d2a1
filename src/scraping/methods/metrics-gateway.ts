/** A gateway's metrics over mutual TLS with an Istio that has no ports of its own for it: a Gateway for one more port of its pods. Pure. */
import type { KubeObject } from '../../cluster/cluster.ts'
import { isOwned } from '../../cluster/ownership.ts'
import { gateways, serviceEntries, virtualServices } from '../../cluster/resources.ts'
import { metricsGateway } from '../../manifests/metrics-gateway.ts'
import { metricsRoute } from '../../manifests/metrics-route.ts'
import { metricsGatewayName } from '../../manifests/names.ts'
import { agentEntry } from '../../manifests/service-entry.ts'
import { METRICS_PATH, SECURE_PORT, SIDECAR_PORT, type Skip, type Workload } from '../workload.ts'
import { planAccess } from './access.ts'
import { gatewayVariables } from './hardening.ts'
import type { Planner, Scene, Writing } from './planner.ts'
import { ownLabels, takes } from './selection.ts'
import { planTemplate } from './template.ts'

const AGENT_PORT = 15020

interface GatewaySpec {
  selector?: Record<string, string>
  servers?: { port?: { number?: number } }[]
}

/** The Gateway comes last of the three: until then nothing answers at the port. Never added to a Service: for Prometheus alone. */
export const planMetricsGateway: Planner = (workload, scene) => {
  const { name: workloadName, namespace = '' } = workload.object.metadata
  const selector = ownLabels(workload.object, scene)
  if (selector === undefined)
    return {
      skip: {
        code: 'SELECTOR_SHARED',
        reason: 'no labels of its pods are theirs alone, so a Gateway would be for other pods as well',
      },
    }
  const taken = portTaken(workload, scene)
  if (taken !== undefined) return { skip: taken }
  const request = { name: metricsGatewayName(workloadName), namespace, selector, port: SIDECAR_PORT }
  const version = scene.istioVersion
  const objects: Writing[] = [
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
  const template = planTemplate(workload, {
    annotations: { [SECURE_PORT]: String(SIDECAR_PORT) },
    ...gatewayVariables(workload, scene, {}),
  })
  return 'skip' in template ? template : { writings: [...access, ...objects, template] }
}

function portTaken({ object }: Workload, scene: Scene): Skip | undefined {
  const theirs = scene.others.find(
    (one) => one.kind === 'Gateway' && !isOwned(one) && opensPort(one) && selects(one, object, scene),
  )
  if (theirs === undefined) return undefined
  const { name, namespace } = theirs.metadata
  return { code: 'PORT_TAKEN', reason: `Gateway ${namespace}/${name} uses port ${SIDECAR_PORT} of its pods` }
}

function opensPort({ spec }: KubeObject): boolean {
  return ((spec as GatewaySpec).servers ?? []).some(({ port }) => port?.number === SIDECAR_PORT)
}

/** A Gateway without a selector is for every gateway's pods. */
function selects({ spec }: KubeObject, object: Workload['object'], { pods }: Scene): boolean {
  const { selector = {} } = spec as GatewaySpec
  return Object.keys(selector).length === 0 || takes(selector, object, pods)
}
