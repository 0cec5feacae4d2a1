/** After --harden: workloads that were selected and left out, and still serve their metrics as plaintext. */
import type { Cluster } from '../cluster/cluster.ts'
import type { Pod } from '../cluster/objects.ts'
import { type Finding, fails } from '../findings.ts'
import { workloadNames } from '../workloads/workload-names.ts'
import type { LeftOut } from './left-out.ts'
import { isAmbientPart } from './methods/choose.ts'
import type { PlannedWorkload } from './plan.ts'
import { readPlaintext } from './proof.ts'
import type { Skip } from './workload.ts'

interface Open {
  /** `deployment/web in namespace shop` */
  phrase: string
  pod: Pod
  skip: Skip
}

/** Asks one pod of each. Parts of ambient mode are no sidecars, and nobody expects --harden to close them. @returns one finding for each reason */
export async function findPlaintextLeft(
  planned: readonly PlannedWorkload[],
  leftOut: readonly LeftOut[],
  cluster: Cluster,
): Promise<Finding[]> {
  const skipped = [...planned.flatMap(ofPlanned), ...leftOut.flatMap(ofOthers)]
  const names = skipped.map(({ pod: { metadata } }) => ({ namespace: metadata.namespace ?? '', name: metadata.name }))
  const answers = await readPlaintext(names, cluster)
  const open = skipped.filter((_, index) => (answers[index]?.open.length ?? 0) > 0)
  return [...Map.groupBy(open, ({ skip }) => skip.code).values()].map(findingOf)
}

function ofPlanned({ candidate, skip }: PlannedWorkload): Open[] {
  const [pod] = candidate.pods
  if (skip === undefined || pod === undefined || candidate.proxy === undefined || isAmbientPart({ skip })) return []
  return [{ phrase: workloadNames(candidate).phrase, pod, skip }]
}

function ofOthers({ kind, namespace, name, pods, skip }: LeftOut): Open[] {
  const { phrase } = workloadNames({ resource: { kind }, object: { metadata: { namespace, name } } })
  return pods.slice(0, 1).map((pod) => ({ phrase, pod, skip }))
}

const CLOSE =
  'close the ports in its pod template: annotation proxy.istio.io/config with proxyMetadata: {METRICS_LOCALHOST_ACCESS_ONLY: "true"}'

/** The most names that are printed. */
const FEW = 3

function findingOf(group: Open[]): Finding {
  const [{ skip }] = group as [Open]
  const names = group.slice(0, FEW).map(({ phrase }) => phrase)
  const more = group.length > FEW ? ` and ${group.length - FEW} more` : ''
  const verb = group.length > 1 ? 'were left out and still serve their' : 'was left out and still serves its'
  return fails(
    'PLAINTEXT_LEFT',
    `${names.join(', ')}${more} ${verb} metrics as plaintext: ${skip.reason} (${skip.code})`,
    skip.code === 'OTHER_KIND' ? CLOSE : 'remove that reason, then run the command again',
  )
}
