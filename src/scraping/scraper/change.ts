/** Prometheus gets a certificate of the mesh and a job that uses it; and both go again. */
import { createHash } from 'node:crypto'
import { applyChanges, type Change, planChanges } from '../../changes/changes.ts'
import { isEdited } from '../../changes/edits.ts'
import { at } from '../../changes/fields.ts'
import { applyEdit, type ObjectEdit, planEdit, revertEdits } from '../../changes/object-edits.ts'
import type { Progress } from '../../changes/progress.ts'
import { type Cluster, type KubeObject, kindName, type Resource } from '../../cluster/cluster.ts'
import type { ConfigMap } from '../../cluster/objects.ts'
import { isOwned, SCRAPING } from '../../cluster/ownership.ts'
import { listIfServed } from '../../cluster/reading.ts'
import {
  CONFIG_MAPS,
  DEPLOYMENTS,
  MONITORING,
  POD_MONITORS,
  PROMETHEUSES,
  STATEFUL_SETS,
} from '../../cluster/resources.ts'
import { prometheusName } from '../../prometheus/find.ts'
import type { Warning } from '../../world.ts'
import { configurationEdits, PROMETHEUS_PARTS, secured, sidecarEdits } from './edits.ts'
import { isPlaintextMonitor, monitorEdits, ownPodMonitor, type PodMonitor, scrapeClassEdits } from './operator.ts'
import { SECURE_JOB } from './secure-job.ts'
import type { PrometheusSurvey } from './survey.ts'

export interface PrometheusPlan {
  survey: PrometheusSurvey
  /** Objects of ours, made first. */
  owned: Change[]
  /** In the order in which they are made: a pod that starts anew reads the new prometheus.yml at once. */
  edits: ObjectEdit[]
  /** The same, to be rehearsed and shown. */
  changes: Change[]
  /** Whether its pods are replaced. */
  restarts: boolean
  /** The text of prometheus.yml before and after; none where an operator writes it. */
  configuration: { name: string; before: string; after: string } | undefined
  /** The job that scrapes over mutual TLS: ours, or one that was there. */
  job: string
  warnings: Warning[]
}

/** @throws UserError YAML_INVALID (line and column), PROMETHEUS_CONFIG_UNKNOWN */
export function planPrometheus(survey: PrometheusSurvey): PrometheusPlan {
  const { found, configMap, certificates } = survey
  if (configMap === undefined || found.configuration === undefined) return planOperator(survey)
  const { key } = found.configuration
  const { text, job, files } = secured(configMap, key, certificates.directory)
  const edits: ObjectEdit[] = [
    {
      resource: CONFIG_MAPS,
      object: configMap,
      edits: (object) => configurationEdits(object as ConfigMap, key, certificates.directory),
      parts: PROMETHEUS_PARTS,
    },
    {
      resource: found.resource,
      object: found.object,
      edits: (object) => podEdits(survey, object, text),
      parts: PROMETHEUS_PARTS,
    },
  ]
  const { restarts, ...planned } = planOf(survey, edits)
  return {
    ...planned,
    restarts,
    configuration: {
      name: `${key} in ConfigMap ${configMap.metadata.namespace}/${configMap.metadata.name}`,
      before: configMap.data?.[key] ?? '',
      after: text,
    },
    job,
    warnings: [...(restarts ? dataLost(survey) : []), ...otherFiles(files)],
  }
}

/** The operator restarts Prometheus itself, and tells it of monitors. */
function planOperator(survey: PrometheusSurvey): PrometheusPlan {
  const { found, certificates, labels } = survey
  const edits = survey.monitors.filter(isPlaintextMonitor).map(
    (object): ObjectEdit => ({
      resource: POD_MONITORS,
      object,
      edits: (monitor) => monitorEdits(monitor as PodMonitor),
      parts: PROMETHEUS_PARTS,
    }),
  )
  edits.push({
    resource: PROMETHEUSES,
    object: found.object,
    edits: (object) => [
      ...(certificates.present ? [] : sidecarEdits(found, labels, object)),
      ...scrapeClassEdits(certificates.directory),
    ],
    parts: PROMETHEUS_PARTS,
  })
  const monitor = { resource: POD_MONITORS, manifest: ownPodMonitor(found) }
  const { changes, ...planned } = planOf(survey, edits)
  const owned = planChanges([monitor], survey.monitors)
  return {
    ...planned,
    owned,
    changes: [...owned, ...changes],
    configuration: undefined,
    job: `podMonitor/${found.namespace}/${SECURE_JOB}/0`,
    warnings: planned.restarts ? dataLost(survey) : [],
  }
}

function planOf(survey: PrometheusSurvey, edits: ObjectEdit[]) {
  const changes = edits.flatMap(planEdit)
  const { resource: own } = survey.found
  const restarts = changes.some(({ resource, action }) => resource === own && action !== 'unchanged')
  return { survey, owned: [] as Change[], edits, changes, restarts }
}

/** Where nothing tells Prometheus of another prometheus.yml, it is started anew for it. */
function podEdits({ found, labels, certificates }: PrometheusSurvey, object: KubeObject, text: string) {
  const path = ['spec', 'template', 'metadata', 'annotations', 'kubectl-telemetry/restarted-for']
  const mark = createHash('sha256').update(text).digest('hex').slice(0, 12)
  const restart = found.reloads || at(object, path) === mark ? [] : [{ path, value: mark }]
  return [...(certificates.present ? [] : sidecarEdits(found, labels, object)), ...restart]
}

/** Makes the changes; whoever calls waits for what comes of them. @returns whether anything was changed */
export async function applyPrometheus(
  cluster: Cluster,
  { owned, edits }: PrometheusPlan,
  progress: Progress,
): Promise<boolean> {
  const made = await applyChanges(cluster, owned, progress)
  let any = made.some(({ action }) => action !== 'unchanged')
  for (const edit of edits) {
    const { changed } = await applyEdit(cluster, edit, progress)
    any ||= changed
  }
  return any
}

/** Where others' objects have fields of ours: configurations before the pods that read them. */
const CHANGED: Resource[] = [CONFIG_MAPS, STATEFUL_SETS, DEPLOYMENTS]
const CHANGED_BY_OPERATOR: Resource[] = [POD_MONITORS, PROMETHEUSES]

/** What was changed with a record, and what of ours is Prometheus' alone. */
export async function findEdited(cluster: Cluster): Promise<{ resource: Resource; object: KubeObject }[]> {
  const operator = (await cluster.servedVersions(MONITORING)).length > 0 ? CHANGED_BY_OPERATOR : []
  const lists = await Promise.all(
    [...CHANGED, ...operator].map(async (resource) => {
      const objects = await listIfServed(cluster, resource, { labels: SCRAPING, metadataOnly: true })
      return objects.map((object) => ({ resource, object }))
    }),
  )
  return lists.flat().filter(({ object }) => isEdited(object) || isOwned(object))
}

/** Gives back what was changed, each object by itself, and deletes ours: cut off anywhere, the next run goes on. */
export async function restoreEdited(cluster: Cluster, progress: Progress): Promise<void> {
  for (const { resource, object } of await findEdited(cluster)) {
    const { name, namespace = '' } = object.metadata
    if (isOwned(object)) {
      await cluster.delete(resource, object)
      progress.deleted(`${kindName(resource)}/${name}`)
    } else await revertEdits(cluster, resource, { name, namespace }, progress, PROMETHEUS_PARTS)
  }
}

function dataLost({ found }: PrometheusSurvey): Warning[] {
  if (!found.losesData) return []
  const message = `Prometheus ${prometheusName(found)} keeps its data in its pod: what it has collected is lost when it is restarted`
  return [{ code: 'PROMETHEUS_DATA_LOST', message, remedy: 'give it a persistent volume first, where that matters' }]
}

function otherFiles(files: string[]): Warning[] {
  if (files.length === 0) return []
  const message = `jobs in ${files.join(', ')} (scrape_config_files) were not looked at: they may scrape the same pods in clear`
  return [
    {
      code: 'SCRAPE_FILES_UNREAD',
      message,
      remedy: 'kubectl telemetry scrape-secure status   # shows pods that are scraped twice',
    },
  ]
}
