/** Takes secure scraping away: the pods as they were, one workload after the other, then what is ours, and Prometheus last. */
import { type Cluster, type KubeObject, kindName, type Resource } from '../cluster/cluster.ts'
import { appliedFields, isOwned, SCRAPING } from '../cluster/ownership.ts'
import {
  authorizationPolicies,
  DEPLOYMENTS,
  gateways,
  NETWORK_POLICIES,
  peerAuthentications,
  serviceEntries,
  sidecars,
  typeOf,
  virtualServices,
  WORKLOADS,
} from '../cluster/resources.ts'
