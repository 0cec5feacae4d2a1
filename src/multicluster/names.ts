/** Names of clusters and of our objects. Pure. */

/** Of the record, of the Gateway with the exported hosts. */
export const MULTICLUSTER_NAME = 'kubectl-telemetry-multicluster'

/** It is a part of names and a value of labels. */
const LONGEST_NAME = 40

/** Whether a text is a short name of a cluster. */
export function isClusterName(text: string): boolean {
  return text.length <= LONGEST_NAME && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(text)
}
