/** With which labels a pod would get a sidecar: evaluates the selectors of the injector's webhooks as the API server does. Pure. */
import type { KubeObject } from '../../cluster/cluster.ts'
import { isSelected, type LabelSelector } from '../../cluster/label-selector.ts'

export const INJECT = 'sidecar.istio.io/inject'
const REVISION = 'istio.io/rev'
const NAMESPACE_NAME = 'kubernetes.io/metadata.name'

export interface Webhooks extends KubeObject {
  webhooks?: { name: string; namespaceSelector?: LabelSelector; objectSelector?: LabelSelector }[]
}

type Labels = Record<string, string>

/**
 * Labels with which a pod in the namespace gets a sidecar: the label that requests one, and a revision if that is needed.
 * @returns undefined if no webhook would select it with any labels
 */
export function labelsForSidecar(
  configurations: Webhooks[],
  namespace: KubeObject,
  podLabels: Labels,
): Labels | undefined {
  const namespaceLabels = { [NAMESPACE_NAME]: namespace.metadata.name, ...namespace.metadata.labels }
  const revisions = configurations.map(
    ({ metadata }) => metadata.labels?.['istio.io/tag'] ?? metadata.labels?.[REVISION],
  )
  const wanted = [undefined, ...new Set(revisions.filter((one) => one !== undefined))]
  return wanted
    .map((revision): Labels => ({ [INJECT]: 'true', ...(revision === undefined ? {} : { [REVISION]: revision }) }))
    .find((labels) => isInjected(configurations, namespaceLabels, { ...podLabels, ...labels }))
}

function isInjected(configurations: Webhooks[], namespaceLabels: Labels, podLabels: Labels): boolean {
  return configurations.some(({ webhooks = [] }) =>
    webhooks.some(
      ({ name, namespaceSelector, objectSelector }) =>
        /sidecar-injector\.istio\.io$/.test(name) &&
        isSelected(namespaceLabels, namespaceSelector) &&
        isSelected(podLabels, objectSelector),
    ),
  )
}
