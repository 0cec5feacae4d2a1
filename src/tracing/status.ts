/** Reports which requests are traced, where their spans go, and what keeps them from going there. Changes nothing. */
import { findBackends, type TracingBackend } from '../backends/find.ts'
import { type RecentTraces, readRecent } from '../backends/recent.ts'
import type { Cluster, KubeObject } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
import { istioNotFound, readable, readServices } from '../cluster/reading.ts'
import { hasCode } from '../errors.ts'
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
  /** `recent` is left out for one that cannot be asked, or may not be. */
  backends: { title: string; namespace: string; service: string; recent?: RecentTraces }[]
  problems: Finding[]
}

/** Whether the exit code is 0. */
export function succeeded({ problems }: TracingStatus): boolean {
  return noneFails(problems)
}

/** @throws UserError such as CLUSTER_UNREACHABLE, FORBIDDEN when Deployments may not be listed */
export async function tracingStatus(cluster: Cluster, now: Date): Promise<TracingStatus> {
  const [revisions, objects, services] = await Promise.all([
    readRevisions(cluster),
    readTelemetries(cluster),
    readable(readServices(cluster)),
  ])
  const staying = objects ?? []
  const namespaces = revisions.flatMap((one) => namespacesOf(one, staying))
  const backends = await readBackends(services ?? [], now, cluster)
  return {
    context: cluster.context,
    revisions: revisions.map(({ revision, namespace, name, configuration }) => ({
      revision,
      namespace,
      configMap: name,
      providers: configuration.providers.filter(({ kind }) => kind !== undefined),
    })),
    namespaces: namespaces.map(shown),
    backends: backends.map(({ backend: { title, namespace, service }, recent }) => ({
      ...{ title, namespace, service },
      ...(recent === undefined ? {} : { recent }),
    })),
    problems: [
      ...(revisions.length === 0 ? [asFinding(istioNotFound(cluster), 'warns')] : []),
      ...(objects === undefined ? [unreadTelemetries()] : []),
      ...problemsOf({ revisions, namespaces, telemetries: staying, services }),
      ...backends.flatMap(({ problem }) => (problem === undefined ? [] : [problem])),
    ],
  }
}

interface AskedBackend {
  backend: TracingBackend
  recent?: RecentTraces | undefined
  problem?: Finding
}

async function readBackends(services: readonly Service[], now: Date, cluster: Cluster): Promise<AskedBackend[]> {
  const found = await findBackends(services, cluster)
  return Promise.all(
    found.map(async (backend): Promise<AskedBackend> => {
      try {
        return { backend, recent: await readable(readRecent(backend, now.getTime(), cluster)) }
      } catch (error) {
        if (!hasCode(error, 'BACKEND_UNREACHABLE')) throw error
        return { backend, problem: asFinding(error, 'warns') }
      }
    }),
  )
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
