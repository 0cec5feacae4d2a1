/** Whether a pod would get a sidecar, and with which labels: the injector's webhooks, read as the API server reads them. Pure. */
import type { KubeObject } from '../../cluster/cluster.ts'
import type { LabelSelector } from '../../prometheus/find.ts'

export const INJECT = 'sidecar.istio.io/inject'
export const REVISION = 'istio.io/rev'
const NAMESPACE_NAME = 'kubernetes.io/metadata.name'

export interface Webhooks extends KubeObject {
  webhooks?: { name: string; namespaceSelector?: LabelSelector; objectSelector?: LabelSelector }[]
}

type Labels = Record<string, string>

/**
 * Labels with which a pod in the namespace gets a sidecar: the label that asks for one, and a revision where that is needed.
 * @returns undefined when no webhook would take it, whatever its labels
 */
export function labelsForSidecar(
  configurations: Webhooks[],
  namespace: KubeObject,
  podLabels: Labels,
): Labels | undefined {
  const around = { [NAMESPACE_NAME]: namespace.metadata.name, ...namespace.metadata.labels }
  const revisions = configurations.map(
    ({ metadata }) => metadata.labels?.['istio.io/tag'] ?? metadata.labels?.[REVISION],
  )
  const wanted = [undefined, ...new Set(revisions.filter((one) => one !== undefined))]
  return wanted
    .map((revision): Labels => ({ [INJECT]: 'true', ...(revision === undefined ? {} : { [REVISION]: revision }) }))
    .find((labels) => isInjected(configurations, around, { ...podLabels, ...labels }))
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

/** https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/label-selector/: an empty one selects everything. */
export function isSelected(labels: Labels, { matchLabels = {}, matchExpressions = [] }: LabelSelector = {}): boolean {
  const equal = Object.entries(matchLabels).every(([name, value]) => labels[name] === value)
  return (
    equal &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key]
      if (operator === 'Exists') return value !== undefined
      if (operator === 'DoesNotExist') return value === undefined
      const isIn = value !== undefined && values.includes(value)
      return operator === 'In' ? isIn : !isIn
    })
  )
}
