/** Codes of `multicluster`; `codes.ts` has them all. */
export const MULTICLUSTER_CODES = {
  // contexts and names of clusters
  CLUSTER_NAME_DIFFERS: 'error: A cluster is recorded under another name than --context gives it.',
  CLUSTER_NAME_INVALID: 'usage: A name of a cluster in --context, or in another flag, cannot be a label.',
  CLUSTER_NAME_TWICE: 'usage, error: Two clusters have the same name.',
  CLUSTER_TWICE: 'usage, error: Two contexts lead to the same cluster.',
  CONTEXTS_NEEDED: 'usage: The command works in two or more clusters, and --context names fewer.',
} as const satisfies Record<string, `${string}: ${string}.`>
