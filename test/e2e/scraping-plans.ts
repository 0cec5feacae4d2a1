/** A planner's plan for a workload of the real mesh, carried out as the command does it. */
import { applyChanges, planChanges, rehearse } from '../../src/changes/changes.ts'
import type { KubeObject, Resource } from '../../src/cluster/cluster.ts'
import { KubeCluster } from '../../src/cluster/kube-cluster.ts'
import { matchesSelector, type Pod, type Service } from '../../src/cluster/objects.ts'
import * as resources from '../../src/cluster/resources.ts'
import type { Planned, Planner, Wishes, Writing } from '../../src/scraping/methods/planner.ts'
import type { Workload, WorkloadObject } from '../../src/scraping/workload.ts'
import { labEnvironment, labPaths } from '../lab/lab.ts'

const VERSION = 'v1'
const AROUND = [
  resources.sidecars(VERSION),
  resources.peerAuthentications(VERSION),
  resources.authorizationPolicies(VERSION),
  resources.gateways(VERSION),
  resources.serviceEntries(VERSION),
  resources.virtualServices(VERSION),
  resources.NETWORK_POLICIES,
]
const ROOT = 'istio-system'

export interface Named {
  kind: 'Deployment' | 'StatefulSet'
  namespace: string
  name: string
}

export class Plans {
  readonly cluster = new KubeCluster(
    { file: labPaths().kubeconfig, environment: labEnvironment() },
    { impersonate: { user: undefined, groups: [] }, timeout: 30_000, environment: labEnvironment() },
  )

  async plan(named: Named, planner: Planner, wishes: Wishes = { harden: false }): Promise<Planned> {
    const { kind, namespace, name } = named
    const resource: Resource = { group: 'apps', version: 'v1', plural: `${kind.toLowerCase()}s`, kind }
    const object = await this.cluster.get<WorkloadObject>(resource, { name, namespace })
    if (object === undefined) throw new Error(`there is no ${kind} ${namespace}/${name}`)
    const [pods, services, others] = await Promise.all([
      this.cluster.list<Pod>(resources.PODS, { namespace }),
      this.cluster.list<Service>(resources.SERVICES, { namespace }),
      this.#around(namespace),
    ])
    const own = pods.filter((pod) => matchesSelector(pod, object.spec.selector?.matchLabels))
    const workload: Workload = { resource, object, proxy: 'sidecar', istio: undefined, pods: own.length }
    const neighbours = pods.filter((pod) => !own.includes(pod))
    const scene = { wishes, istioVersion: VERSION, pods: own, neighbours, services, rootNamespace: ROOT, others }
    return planner(workload, scene)
  }

  /** @returns what was written */
  async carryOut(named: Named, planner: Planner, wishes?: Wishes): Promise<Writing[]> {
    const planned = await this.plan(named, planner, wishes)
    if ('skip' in planned) throw new Error(planned.skip.reason)
    const { writings } = planned
    const found = await Promise.all(
      writings.map(({ resource, manifest: { metadata } }) => this.cluster.get(resource, metadata)),
    )
    const present = found.filter((object) => object !== undefined)
    const changes = await rehearse(this.cluster, planChanges(writings, present))
    await applyChanges(this.cluster, changes, { changed() {}, deleted() {} } as never)
    return writings
  }

  async #around(namespace: string): Promise<KubeObject[]> {
    const lists = AROUND.map(async (resource) => {
      const namespaces = [...new Set([namespace, ROOT])]
      const items = await Promise.all(namespaces.map((one) => this.cluster.list(resource, { namespace: one })))
      return items.flat().map((item) => ({ ...item, ...resources.typeOf(resource) }))
    })
    return (await Promise.all(lists)).flat()
  }
}
