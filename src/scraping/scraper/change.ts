/** Plans and applies the changes at Prometheus: a certificate of the mesh and a job that uses it. */
import { createHash } from 'node:crypto'
import { applyChanges, type Change, planChanges } from '../../changes/changes.ts'
import { at } from '../../changes/fields.ts'
import { applyEdit, type ObjectEdit, planEdit } from '../../changes/object-edits.ts'
import type { Progress } from '../../changes/progress.ts'
import type { Cluster, KubeObject } from '../../cluster/cluster.ts'
import type { ConfigMap } from '../../cluster/objects.ts'
import { SCRAPING } from '../../cluster/ownership.ts'
import { CONFIG_MAPS, POD_MONITORS, PROMETHEUSES } from '../../cluster/resources.ts'
import { type Finding, warns } from '../../findings.ts'
import { prometheusName } from '../../prometheus/find.ts'
import { configurationEdits, PROMETHEUS_FRAGMENTS, secured, sidecarEdits } from './edits.ts'
import { isPlaintextMonitor, monitorEdits, ownPodMonitor, type PodMonitor, scrapeClassEdits } from './operator.ts'
import { SECURE_JOB } from './secure-job.ts'
import type { PrometheusSurvey } from './survey.ts'

export interface PrometheusPlan {
  readonly survey: PrometheusSurvey
  /** Objects that kubectl telemetry creates, before the edits. */
  readonly owned: readonly Change[]
  /** In order: a pod that restarts reads the new prometheus.yml at once. */
  readonly edits: readonly ObjectEdit[]
  /** The same changes, for the rehearsal and the page. */
  readonly changes: readonly Change[]
  /** Whether the pods of Prometheus are replaced. */
  readonly restarts: boolean
  /** The job that scrapes over mutual TLS: ours, or one that the user already has. */
  readonly job: string
  readonly warnings: readonly Finding[]
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
      part: SCRAPING,
      fragments: PROMETHEUS_FRAGMENTS,
    },
    {
      resource: found.resource,
      object: found.object,
      edits: (object) => podEdits(survey, object, text),
      part: SCRAPING,
      fragments: PROMETHEUS_FRAGMENTS,
    },
  ]
  const { restarts, ...planned } = planOf(survey, edits)
  return {
    ...planned,
    restarts,
    job,
    warnings: [...(restarts ? dataLost(survey) : []), ...otherFiles(files)],
  }
}

/** The operator restarts Prometheus, and reloads it for monitors. */
function planOperator(survey: PrometheusSurvey): PrometheusPlan {
  const { found, certificates, labels } = survey
  const edits = survey.monitors.filter(isPlaintextMonitor).map(
    (object): ObjectEdit => ({
      resource: POD_MONITORS,
      object,
      edits: (monitor) => monitorEdits(monitor as PodMonitor),
      part: SCRAPING,
      fragments: PROMETHEUS_FRAGMENTS,
    }),
  )
  edits.push({
    resource: PROMETHEUSES,
    object: found.object,
    edits: (object) => [
      ...(certificates.present ? [] : sidecarEdits(found, labels, object)),
      ...scrapeClassEdits(certificates.directory),
    ],
    part: SCRAPING,
    fragments: PROMETHEUS_FRAGMENTS,
  })
  const monitor = { resource: POD_MONITORS, manifest: ownPodMonitor(found) }
  const { changes, ...planned } = planOf(survey, edits)
  const owned = planChanges([monitor], survey.monitors, SCRAPING)
  return {
    ...planned,
    owned,
    changes: [...owned, ...changes],
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

/** If nothing reloads Prometheus after a change of prometheus.yml, an annotation restarts it. */
function podEdits({ found, labels, certificates }: PrometheusSurvey, object: KubeObject, text: string) {
  const path = ['spec', 'template', 'metadata', 'annotations', 'kubectl-telemetry/restarted-for']
  const mark = createHash('sha256').update(text).digest('hex').slice(0, 12)
  const restart = found.reloads || at(object, path) === mark ? [] : [{ path, value: mark }]
  return [...(certificates.present ? [] : sidecarEdits(found, labels, object)), ...restart]
}

/** Makes the changes; the caller waits for the pods. */
export async function applyPrometheus(
  cluster: Cluster,
  { owned, edits }: PrometheusPlan,
  progress: Progress,
): Promise<void> {
  await applyChanges(cluster, owned, progress)
  for (const edit of edits) await applyEdit(cluster, edit, progress)
}

function dataLost({ found }: PrometheusSurvey): Finding[] {
  if (!found.losesData) return []
  const message = `Prometheus ${prometheusName(found)} keeps its data in its pod, and loses the data when it restarts`
  return [warns('PROMETHEUS_DATA_LOST', message, 'give Prometheus a persistent volume first, to keep the data')]
}

function otherFiles(files: string[]): Finding[] {
  if (files.length === 0) return []
  const message = `jobs in ${files.join(', ')} (scrape_config_files) were not read; they may still scrape the same pods as plaintext`
  return [
    warns(
      'SCRAPE_FILES_UNREAD',
      message,
      'kubectl telemetry scrape-secure status   # shows pods that are scraped twice',
    ),
  ]
}
