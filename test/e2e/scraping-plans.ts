/** Plans a workload of the real mesh, and applies the plan like the command. */

import { applyChanges, planChanges, rehearse, type Wanted } from '../../src/changes/changes.ts'
import type { KubeObject, Resource } from '../../src/cluster/cluster.ts'
import { KubeCluster } from '../../src/cluster/kube-cluster.ts'
import { matchesSelector, type Pod, type Service } from '../../src/cluster/objects.ts'
import { SCRAPING } from '../../src/cluster/ownership.ts'
import * as resources from '../../src/cluster/resources.ts'
import type { Planner, PlanResult, ScrapeOptions } from '../../src/scraping/methods/planner.ts'
import type { Workload } from '../../src/scraping/workload.ts'
import type { WorkloadObject } from '../../src/workloads/workload-object.ts'
import { labEnvironment, labPaths } from '../lab/lab.ts'

const VERSION = 'v1'
const NEIGHBOUR_KINDS = [
  resources.sidecars(VERSION),
  resources.peerAuthentications(VERSION),
  resources.authorizationPolicies(VERSION),
  resources.gateways(VERSION),
  resources.serviceEntries(VERSION),
  resources.virtualServices(VERSION),
  resources.NETWORK_POLICIES,
]
const ROOT = 'istio-system'
const MESH = { rootNamespace: ROOT, injector: undefined }

export interface WorkloadName {
  kind: 'Deployment' | 'StatefulSet'
  namespace: string
  name: string
}

export class Plans {
  readonly cluster = new KubeCluster(
    { file: labPaths().kubeconfig, environment: labEnvironment() },
    { impersonate: { user: undefined, groups: [] }, timeout: 30_000, environment: labEnvironment() },
  )

  async plan(named: WorkloadName, planner: Planner, options: ScrapeOptions = { harden: false }): Promise<PlanResult> {
    const { kind, namespace, name } = named
    const resource: Resource = { group: 'apps', version: 'v1', plural: `${kind.toLowerCase()}s`, kind }
    const object = await this.cluster.get<WorkloadObject>(resource, { name, namespace })
    if (object === undefined) throw new Error(`there is no ${kind} ${namespace}/${name}`)
    const [pods, services, objects] = await Promise.all([
      this.cluster.list<Pod>(resources.PODS, { namespace }),
      this.cluster.list<Service>(resources.SERVICES, { namespace }),
      this.#neighbours(namespace),
    ])
    const own = pods.filter((pod) => matchesSelector(pod, object.spec.selector?.matchLabels))
    const workload: Workload = { resource, object, proxy: 'sidecar', istio: undefined, pods: own.length }
    const neighbours = pods.filter((pod) => !own.includes(pod))
    const scene = { options, istioVersion: VERSION, pods: own, neighbours, services, ...MESH, objects }
    return planner(workload, scene)
  }

  /** @returns the written manifests */
  async applyPlan(named: WorkloadName, planner: Planner, options?: ScrapeOptions): Promise<Wanted[]> {
    const planned = await this.plan(named, planner, options)
    if ('skip' in planned) throw new Error(planned.skip.reason)
    const { writings } = planned
    const found = await Promise.all(
      writings.map(({ resource, manifest: { metadata } }) => this.cluster.get(resource, metadata)),
    )
    const present = found.filter((object) => object !== undefined)
    const changes = await rehearse(this.cluster, planChanges(writings, present, SCRAPING))
    await applyChanges(this.cluster, changes, { changed() {}, deleted() {} } as never)
    return writings
  }

  async #neighbours(namespace: string): Promise<KubeObject[]> {
    const lists = NEIGHBOUR_KINDS.map(async (resource) => {
      const namespaces = [...new Set([namespace, ROOT])]
      const items = await Promise.all(namespaces.map((one) => this.cluster.list(resource, { namespace: one })))
      return items.flat().map((item) => ({ ...item, ...resources.typeOf(resource) }))
    })
    return (await Promise.all(lists)).flat()
  }
}
