/** Codes of `multicluster`; `codes.ts` has them all. */
export const MULTICLUSTER_CODES = {
  // contexts and names of clusters
  CLUSTER_NAME_DIFFERS: 'error: A cluster is recorded under another name than --context gives it.',
  CLUSTER_NAME_INVALID: 'usage: A name of a cluster in --context, or in another flag, cannot be a label.',
  CLUSTER_NAME_TWICE: 'usage, error: Two clusters have the same name.',
  CLUSTER_TWICE: 'usage, error: Two contexts lead to the same cluster.',
  CLUSTER_VALUE_INVALID: 'usage: The value of a flag that is given for each cluster is wrong.',
  CLUSTER_UNKNOWN: 'usage: A flag names a cluster that is not among those of --context.',
  CONTEXTS_NEEDED: 'usage: The command works in two or more clusters, and --context names fewer.',

  // trust
  CACERTS_GENERATED: 'error: istiod keeps a CA of its own in the Secret cacerts.',
  CACERTS_INVALID: 'usage: Files for the CA of a cluster are incomplete, or istiod could not sign with them.',
  CACERTS_NOT_OURS: 'error: Somebody else plugged a CA into istiod, and it leads to another root.',
  CACERTS_ROOTS_DIFFER: 'error: The directories of --cacerts lead to different roots.',
  CA_EXTERNAL: 'error: Another program than istiod signs the certificates of a cluster.',
  ENTRY_WITHOUT_ADDRESS: 'warns: The gateway of a cluster has no address by which other clusters reach it.',
  EXPORTED_ELSEWHERE: 'error: Services are exported at another gateway or port than the one that is asked for.',
  FINISH_TOO_EARLY: 'error: An istiod does not yet sign under the new root, so the former ones are still needed.',
  MESH_ROOTS_DIFFER: 'error: Two clusters were given the roots of different meshes.',
  MESH_ROOT_ELSEWHERE: "error: The key of the mesh's root is on another machine.",
  MULTICLUSTER_PORT_MISSING: 'error: The Service of the gateway lacks the port of --port.',
  NEW_CA_UNUSABLE: 'error: The CA that was made for a cluster could not sign.',
  ROOTS_ALIKE: 'error: Two roots have the same name and no key identifiers, so proxies cannot tell them apart.',
  SIGNER_NOT_SERVED: 'error: istiod does not sign with the CA that it was given.',
  SIGNER_UNREADABLE: 'error: The CA with which an istiod signs cannot be read.',
  TRUST_DOMAINS_DIFFER: 'error: Clusters have different trust domains, and no aliases for each other.',
  TRUST_INCOMPLETE: 'error: Proxies do not have the roots or the certificate that the next phase needs.',
  TRUST_NOT_PUBLISHED: 'error: istiod has not given the roots to every namespace.',
  TRUST_RENEWS: 'warns: Proxies have not renewed their certificates yet, and the next phase waits for them.',
  TRUST_UNKNOWN: 'error: Which roots some pods trust cannot be found out.',
} as const satisfies Record<string, `${string}: ${string}.`>
