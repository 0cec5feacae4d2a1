/** Whether a Service leads to one server. Pure. */
import { isReady, type Pod } from '../cluster/objects.ts'
import { UserError } from '../errors.ts'
import { sh } from '../shell.ts'
import { controllerOf } from '../workloads/controller.ts'
import { ADDON_ANNOTATION, type FoundAddon } from './find.ts'

/**
 * `prometheus-operated` leads to every Prometheus of its namespace, and to every shard: each has other metrics, so the answers would
 * alternate. Replicas of one server are alike.
 * @throws UserError SEVERAL_SERVERS with the servers
 */
export function requireOneServer({ found, pods = [] }: { found: FoundAddon; pods?: Pod[] }): void {
  const { addon, service, namespace } = found
  if (addon.name !== 'prometheus') return
  const ready = pods.filter(isReady)
  const servers = [...new Set(ready.map(serverOf))]
  if (servers.length < 2) return
  const message = `Service ${namespace}/${service.metadata.name} leads to ${servers.length} Prometheus servers, whose answers would alternate: ${servers.join(', ')}`
  throw new UserError('SEVERAL_SERVERS', message, {
    suggestions: [
      sh`kubectl -n ${namespace} annotate service NAME ${ADDON_ANNOTATION}=prometheus   # a Service that leads to only one of them`,
    ],
  })
}

function serverOf(pod: Pod): string {
  const { kind, name } = controllerOf(pod) ?? { kind: 'Pod', name: pod.metadata.name }
  return `${kind.toLowerCase()}/${name}`
}
