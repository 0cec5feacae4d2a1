/** `addons list`: each add-on that can be installed, where it runs, and which version fits the running Istio. Changes nothing. */
import type { Cluster } from '../cluster/cluster.ts'
import { hasCode } from '../errors.ts'
import { asFinding, type Finding } from '../findings.ts'
import { SAMPLES } from './catalog.ts'
import { otherSamples, type SampleFiles, versionIn } from './samples.ts'
import { fittingVersion, type Istiod, type RunningAddon, requireIstiod, type Survey, survey } from './survey.ts'

export interface ListRequest {
  /** Only add-ons in this namespace; all namespaces when left out. */
  namespace?: string | undefined
  /** The control plane whose version counts. */
  revision?: string | undefined
}

export interface ListedAddon {
  name: string
  title: string
  /** Each place where it runs. */
  running: {
    namespace: string
    /** `deployment/grafana`. */
    workload: string
    /** Left out for an image with only a digest. */
    version?: string
    ready: { ready: number; wanted: number }
    installedBy: 'kubectl-telemetry' | 'others'
  }[]
  /** Its version in the sample that fits the running Istio. */
  fits?: string
}

/** The contract of `addons list -o json`. */
export interface AddonList {
  context: string
  istio?: Istiod
  /** The minor version of Istio whose samples fit: `1.31`. */
  samples: string
  addons: ListedAddon[]
  warnings: Finding[]
}

/** @throws UserError FORBIDDEN without the permission to list Deployments */
export async function listAddons(
  { namespace, revision }: ListRequest,
  { cluster, samples }: { cluster: Cluster; samples: SampleFiles },
): Promise<AddonList> {
  const found = await survey(cluster)
  const { istiod, warnings } = istiodOf(found, { namespace, revision })
  const { version, exact } = fittingVersion(await samples.versions(), istiod ?? { namespace: '', revision: '' })
  const addons = SAMPLES.map(async (sample): Promise<ListedAddon> => {
    const fits = versionIn(await samples.read(version, sample.file), sample)
    const running = found.addons.filter((one) => one.name === sample.name).map(placeOf)
    return {
      name: sample.name,
      title: sample.title,
      running: running.filter((one) => namespace === undefined || one.namespace === namespace),
      ...(fits === undefined ? {} : { fits }),
    }
  })
  return {
    context: cluster.context,
    ...(istiod === undefined ? {} : { istio: istiod }),
    samples: version,
    addons: await Promise.all(addons),
    warnings: [...warnings, ...(istiod === undefined || exact ? [] : [otherSamples(istiod, version)])],
  }
}

/** A list is useful without Istio, too. */
function istiodOf({ istiods }: Survey, choice: ListRequest): { istiod?: Istiod; warnings: Finding[] } {
  try {
    return { istiod: requireIstiod(istiods, choice), warnings: [] }
  } catch (error) {
    if (hasCode(error, 'ISTIOD_AMBIGUOUS') || (hasCode(error, 'ISTIOD_NOT_FOUND') && choice.revision === undefined))
      return { warnings: [asFinding(error, 'warns')] }
    throw error
  }
}

function placeOf({ resource, workload, version, ready, wanted, ours }: RunningAddon): ListedAddon['running'][0] {
  const { name, namespace = '' } = workload.metadata
  return {
    namespace,
    workload: `${resource.kind.toLowerCase()}/${name}`,
    ...(version === undefined ? {} : { version }),
    ready: { ready, wanted },
    installedBy: ours ? 'kubectl-telemetry' : 'others',
  }
}
