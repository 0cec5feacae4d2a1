/** The last phase of a change of the root: only the new one is trusted, when nothing has a certificate of a former CA any more. */
import { UserError } from '../../errors.ts'
import { inCluster } from '../members.ts'
import { isSignedElsewhere, isUnderRoot, otherwisePublished, trustsMore } from './phases.ts'
import { begunRoot } from './target.ts'
import {
  type ClusterChanges,
  type ClusterReading,
  planRestarts,
  planSecret,
  siteOf,
  type TrustRequest,
  type TrustRun,
  type TrustWorld,
} from './trust-run.ts'
import { onlyTheRoot, renewed, type Way } from './walk.ts'

/** @throws UserError FINISH_TOO_EARLY */
export async function finishTrust(
  all: readonly ClusterReading[],
  request: TrustRequest,
  world: TrustWorld,
): Promise<{ run: TrustRun; root: string }> {
  const root = requireSigning(all)
  const changes = await Promise.all(all.map((one) => inCluster(one, () => changesOf(one, root, world))))
  const run: TrustRun = {
    changes,
    makes: false,
    question: 'Trust only the root of the mesh from now on?',
    undo: 'kubectl telemetry multicluster connect --finish   # to complete it',
    carryOut: async (progress) => {
      const sites = all.map((one) => siteOf(one, request, progress, world))
      const way: Way = { ...request, root, travellers: [], sites }
      const open = await renewed(way)
      if (open.length > 0) return open
      return onlyTheRoot(way, new Map(all.map(({ name, reading }) => [name, reading])))
    },
  }
  return { run, root }
}

/** The root under which every cluster signs; PEM. */
function requireSigning(all: readonly ClusterReading[]): string {
  const begun = begunRoot(all)
  const behind = all.filter(({ reading }) => begun === undefined || !isUnderRoot(reading.signer, begun.root))
  if (begun !== undefined && behind.length === 0) return begun.root
  const message =
    begun === undefined
      ? 'no change of the root has begun in these clusters, so there is nothing to finish'
      : `istiod of cluster ${behind.map(({ name }) => name).join(', ')} does not yet sign under the root of the mesh`
  throw new UserError('FINISH_TOO_EARLY', message, {
    suggestions: ['kubectl telemetry multicluster connect   # the same contexts, without --finish'],
  })
}

async function changesOf(one: ClusterReading, root: string, world: TrustWorld): Promise<ClusterChanges> {
  const { member, reading } = one
  const { signer, published, proxies } = reading
  const { files, kind } = signer
  if (files === undefined || kind !== 'ours') return { member, list: [] }
  const secret = await planSecret(one, { ...files, roots: [root] }, root, world)
  const [elsewhere, more] = [isSignedElsewhere(root), trustsMore([root])]
  const old = proxies.filter((proxy) => elsewhere(proxy) || more(proxy))
  const isDone = secret.action === 'unchanged' && otherwisePublished(published, [root]).length === 0 && old.length === 0
  if (isDone) return { member, list: [] }
  return { member, list: [secret, ...(await planRestarts(one, old, world))] }
}
