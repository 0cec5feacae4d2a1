/** Reports which requests are traced, where their spans go, and what keeps them from going there. Changes nothing. */
import type { Cluster, KubeObject } from '../cluster/cluster.ts'
import { istioNotFound, readable, readServices } from '../cluster/reading.ts'
import { asFinding, type Finding, noneFails } from '../findings.ts'
import { isRead } from '../workloads/control-plane.ts'
import type { Provider } from './configuration.ts'
import { effectiveTracing, forAllIn, isForAll, isTraced, type SamplingSource } from './effective.ts'
import type { NamespaceTracing, Revision } from './facts.ts'
import { problemsOf, unreadTelemetries } from './problems.ts'
import { readRevisions, readTelemetries } from './survey.ts'

/** The contract of `-o json`. */
export interface TracingStatus {
  context: string
  revisions: { revision: string; namespace: string; configMap: string; providers: Provider[] }[]
  namespaces: {
    revision: string
    namespace: string
    /** Whether spans are made for requests that are sent, and for those that are received. */
    sent: boolean
    received: boolean
    provider?: string
    /** Percent; left out where nothing is traced, and where the provider decides. */
    sampling?: number
    from?: SamplingSource
    telemetry?: string
  }[]
  problems: Finding[]
}

/** Whether the exit code is 0. */
export function succeeded({ problems }: TracingStatus): boolean {
  return noneFails(problems)
}

/** @throws UserError such as CLUSTER_UNREACHABLE, FORBIDDEN when Deployments may not be listed */
export async function tracingStatus(cluster: Cluster): Promise<TracingStatus> {
  const [revisions, objects, services] = await Promise.all([
    readRevisions(cluster),
    readTelemetries(cluster),
    readable(readServices(cluster)),
  ])
  const staying = objects ?? []
  const namespaces = revisions.flatMap((one) => namespacesOf(one, staying))
  return {
    context: cluster.context,
    revisions: revisions.map(({ revision, namespace, name, configuration }) => ({
      revision,
      namespace,
      configMap: name,
      providers: configuration.providers.filter(({ kind }) => kind !== undefined),
    })),
    namespaces: namespaces.map(shown),
    problems: [
      ...(revisions.length === 0 ? [asFinding(istioNotFound(cluster), 'warns')] : []),
      ...(objects === undefined ? [unreadTelemetries()] : []),
      ...problemsOf({ revisions, namespaces, telemetries: staying, services }),
    ],
  }
}

/** The whole mesh first, then each namespace with a Telemetry of its own. */
function namespacesOf(revision: Revision, all: readonly KubeObject[]): NamespaceTracing[] {
  const read = all.filter((one) => isRead(one, revision))
  const own = [...new Set(read.filter(isForAll).map(({ metadata }) => metadata.namespace ?? ''))]
  const others = own.filter((one) => one !== revision.root).sort()
  const [ofMesh] = forAllIn(revision.root, read)
  return ['', ...others].map((namespace) => {
    const [ofNamespace] = namespace === '' ? [] : forAllIn(namespace, read)
    const inForce = [ofMesh, ofNamespace].filter((one) => one !== undefined)
    const deciding = { telemetries: inForce, ofIstiod: revision.sampling }
    const last = inForce.at(-1)
    return {
      revision: revision.revision,
      namespace,
      sent: effectiveTracing(revision.configuration, deciding, 'CLIENT'),
      received: effectiveTracing(revision.configuration, deciding, 'SERVER'),
      ...(last === undefined ? {} : { telemetry: `${last.metadata.namespace}/${last.metadata.name}` }),
    }
  })
}

function shown({ revision, namespace, sent, received, telemetry }: NamespaceTracing): TracingStatus['namespaces'][0] {
  const traced = [sent, received].find(isTraced)
  return {
    revision,
    namespace,
    sent: isTraced(sent),
    received: isTraced(received),
    ...(traced?.provider === undefined ? {} : { provider: traced.provider.name }),
    ...(traced?.sampling === undefined ? {} : { sampling: traced.sampling }),
    ...(traced === undefined ? {} : { from: traced.from }),
    ...(telemetry === undefined ? {} : { telemetry }),
  }
}
