/** Prometheus gets a certificate of the mesh and a job that uses it; and both go again. */
import { createHash } from 'node:crypto'
import type { Cluster, KubeObject, Resource } from '../cluster/cluster.ts'
import { at } from '../cluster/fields.ts'
import type { ConfigMap } from '../cluster/objects.ts'
import { SCRAPING } from '../cluster/ownership.ts'
import { CONFIG_MAPS, DEPLOYMENTS, STATEFUL_SETS } from '../cluster/resources.ts'
import { prometheusName } from '../scraping/find-prometheus.ts'
import { configurationEdits, PROMETHEUS_TEXTS, secured, sidecarEdits } from '../scraping/prometheus-edits.ts'
import type { Change } from './changes.ts'
import type { Warning } from './dependencies.ts'
import { applyEdit, type ObjectEdit, planEdit, revertEdits } from './object-edits.ts'
import type { Progress } from './progress.ts'
import type { PrometheusSurvey } from './survey-prometheus.ts'

export interface PrometheusPlan {
  survey: PrometheusSurvey
  /** In the order in which they are made: a pod that starts anew reads the new prometheus.yml at once. */
  edits: ObjectEdit[]
  /** The same, to be rehearsed and shown. */
  changes: Change[]
  /** Whether its pods are replaced. */
  restarts: boolean
  /** The text of prometheus.yml before and after. */
  configuration: { name: string; before: string; after: string }
  /** The job that scrapes over mutual TLS: ours, or one that was there. */
  job: string
  warnings: Warning[]
}

/** @throws UserError YAML_INVALID (line and column), PROMETHEUS_CONFIG_UNKNOWN */
export function planPrometheus(survey: PrometheusSurvey): PrometheusPlan {
  const { found, configMap, certificates } = survey
  if (configMap === undefined || found.configuration === undefined) throw new Error('the operator has no ConfigMap')
  const { key } = found.configuration
  const { text, job, files } = secured(configMap, key, certificates.directory)
  const edits: ObjectEdit[] = [
    {
      resource: CONFIG_MAPS,
      object: configMap,
      edits: (object) => configurationEdits(object as ConfigMap, key, certificates.directory),
      texts: PROMETHEUS_TEXTS,
    },
    {
      resource: found.resource,
      object: found.object,
      edits: (object) => podEdits(survey, object, text),
      texts: PROMETHEUS_TEXTS,
    },
  ]
  const changes = edits.flatMap(planEdit)
  const restarts = changes.some(({ resource, action }) => resource === found.resource && action !== 'unchanged')
  return {
    survey,
    edits,
    changes,
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
  { edits }: PrometheusPlan,
  progress: Progress,
): Promise<boolean> {
  let any = false
  for (const edit of edits) {
    const { changed } = await applyEdit(cluster, edit, progress)
    any ||= changed
  }
  return any
}

/** Where others' objects have fields of ours: configurations before the pods that read them. */
const CHANGED: Resource[] = [CONFIG_MAPS, STATEFUL_SETS, DEPLOYMENTS]

/** Everything of others' that was changed for scraping, as far as fields were edited with a record. */
export async function findEdited(cluster: Cluster): Promise<{ resource: Resource; object: KubeObject }[]> {
  const lists = await Promise.all(
    CHANGED.map(async (resource) => {
      const objects = await cluster.list(resource, { labels: SCRAPING, metadataOnly: true })
      return objects.map((object) => ({ resource, object }))
    }),
  )
  return lists.flat()
}

/** Gives back what was changed, each object by itself: cut off anywhere, the next run goes on. */
export async function restoreEdited(cluster: Cluster, progress: Progress): Promise<void> {
  for (const { resource, object } of await findEdited(cluster)) {
    const { name, namespace = '' } = object.metadata
    await revertEdits(cluster, resource, { name, namespace }, progress, PROMETHEUS_TEXTS)
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
    { code: 'SCRAPE_FILES_UNREAD', message, remedy: 'scrape-secure status   # shows pods that are scraped twice' },
  ]
}
