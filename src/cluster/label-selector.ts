/** A label selector as Kubernetes objects have it. Pure. */

/** https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/label-selector/ */
export interface LabelSelector {
  matchLabels?: Record<string, string>
  matchExpressions?: { key: string; operator: string; values?: string[] }[]
}

/** An empty selector selects everything, and so does none. */
export function isSelected(
  labels: Record<string, string>,
  { matchLabels = {}, matchExpressions = [] }: LabelSelector = {},
): boolean {
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
