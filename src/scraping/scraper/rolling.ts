/** Whether a rolling update can replace the pod of Prometheus: the new pod starts before the old one has ended. */
import { managementOf } from '../../changes/management.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import type { Deployment, Node } from '../../cluster/objects.ts'
import { unlessRefused } from '../../cluster/reading.ts'
import { DEPLOYMENTS, NODES, PROMETHEUSES } from '../../cluster/resources.ts'
import { UserError } from '../../errors.ts'
import { asFinding, type Finding } from '../../findings.ts'
import { type FoundPrometheus, prometheusName } from '../../prometheus/find.ts'
import { sh } from '../../shell.ts'
import type { WorkloadObject } from '../../workloads/workload-object.ts'
import { whyNotReplaced } from '../methods/choose.ts'

interface RollingDeployment extends Deployment {
  spec: Deployment['spec'] & {
    replicas?: number
    strategy?: { type?: string; rollingUpdate?: { maxSurge?: number | string } }
  }
}

/**
 * @returns what may block the restart: a port of the node, which another node may have
 * @throws UserError PROMETHEUS_ROLLOUT_BLOCKED if it is certain
 */
export async function requireRollable(found: FoundPrometheus, cluster: Cluster): Promise<Finding[]> {
  requireReplaced(found)
  if (found.resource !== DEPLOYMENTS || !isSurging(found.object as RollingDeployment)) return []
  if (found.holdsData)
    throw blocked(found, 'its data is in a volume that both pods use, and Prometheus locks its data while it runs')
  const port = hostPortOf(found)
  if (port === undefined) return []
  const error = blocked(found, `both pods need port ${port} of a node (hostPort)`)
  const { replicas = 1 } = (found.object as RollingDeployment).spec
  const nodes = await unlessRefused(cluster.list<Node>(NODES))
  if (nodes !== undefined && nodes.filter(({ spec }) => !spec?.unschedulable).length <= replicas) throw error
  return [asFinding(error, 'warns')]
}

/** The operator stops while its object is paused. */
function requireReplaced({ resource, object, namespace, name }: FoundPrometheus): void {
  const { spec } = object as WorkloadObject
  const why =
    resource === PROMETHEUSES
      ? spec.paused
        ? 'it is paused (spec.paused)'
        : undefined
      : whyNotReplaced({ spec })?.reason
  if (why === undefined) return
  const what = `${resource.kind.toLowerCase()}/${name}`
  throw new UserError(
    'PROMETHEUS_ROLLOUT_BLOCKED',
    `Prometheus ${prometheusName({ namespace, name })} has to restart, but a change does not replace its pods: ${why}`,
    { suggestions: [sh`kubectl -n ${namespace} edit ${what}   # change that, then run the command again`] },
  )
}

/** https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#strategy: by default 25 %, rounded up. */
function isSurging({ spec: { strategy = {}, replicas = 1 } }: RollingDeployment): boolean {
  const { type = 'RollingUpdate', rollingUpdate: { maxSurge = '25%' } = {} } = strategy
  return type === 'RollingUpdate' && replicas > 0 && !/^0+%?$/.test(String(maxSurge))
}

function hostPortOf({ object }: FoundPrometheus): number | undefined {
  const { containers } = (object as Deployment).spec.template.spec
  const ports = containers.flatMap(({ ports = [] }) => ports)
  return ports.map(({ hostPort }) => hostPort).find((port) => port !== undefined && port > 0)
}

function blocked(found: FoundPrometheus, why: string): UserError {
  const { namespace, name, object } = found
  const management = managementOf(object)
  const patch = '{"spec":{"strategy":{"type":"Recreate","rollingUpdate":null}}}'
  return new UserError(
    'PROMETHEUS_ROLLOUT_BLOCKED',
    `Prometheus ${prometheusName(found)} has to restart, but its strategy RollingUpdate starts the new pod before the old one ends: ${why}`,
    {
      suggestions: [
        sh`kubectl -n ${namespace} patch deployment ${name} -p ${patch}   # then run the command again`,
        ...(management === undefined ? [] : [`${management.by} manages it: ${management.instead}`]),
      ],
    },
  )
}
