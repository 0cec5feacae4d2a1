/** The forms of a workload's name. Pure. */
import type { ObjectName, Resource } from '../cluster/cluster.ts'

export interface WorkloadNames {
  /** `Deployment shop/web`: in lists of changes. Unique in a cluster. */
  title: string
  /** `shop/deployment/web`: in data. */
  path: string
  /** `deployment/web`: as kubectl takes it, in one namespace. */
  argument: string
  /** `deployment/web in namespace shop`: in sentences. */
  phrase: string
}

export function workloadNames(workload: {
  resource: Pick<Resource, 'kind'>
  object: { metadata: ObjectName }
}): WorkloadNames {
  const { kind } = workload.resource
  const { name, namespace = '' } = workload.object.metadata
  const argument = `${kind.toLowerCase()}/${name}`
  return {
    title: `${kind} ${namespace}/${name}`,
    path: `${namespace}/${argument}`,
    argument,
    phrase: `${argument} in namespace ${namespace}`,
  }
}
