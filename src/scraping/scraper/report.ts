/** Reads the targets of the Prometheus that scrapes, and checks whether its configuration is still current. Changes nothing. */

import { isInPlace } from '../../changes/changes.ts'
import { mayHaveReset } from '../../changes/managed-elsewhere.ts'
import type { Code } from '../../codes.ts'
import { hasCode, type UserError } from '../../errors.ts'
import { type Finding, fails, notes, warns } from '../../findings.ts'
import { type FoundPrometheus, prometheusName } from '../../prometheus/find.ts'
import { kindAndName } from '../../prometheus/survey.ts'
import { sh } from '../../shell.ts'
import type { Dependencies } from '../../world.ts'
import type { ScrapeStatusResult } from '../status-result.ts'
import { readTargets, type TargetsReport } from './await-targets.ts'
import { type PrometheusPlan, planPrometheus } from './change.ts'
import { type ChosenPrometheus, findScraper, surveyFound } from './survey.ts'
import type { ExpectedPod } from './targets.ts'

export interface ScraperReport {
  found?: FoundPrometheus
  prometheus?: NonNullable<ScrapeStatusResult['prometheus']>
  /** Left out if Prometheus could not be asked. */
  targets?: TargetsReport
  warnings: Finding[]
}

type Needs = Pick<Dependencies, 'cluster' | 'clock'>

/**
 * @param named `NAMESPACE/NAME`
 * @throws UserError CLUSTER_UNREACHABLE and the like; an error of Prometheus is a finding
 */
export async function readScraper(
  named: string | undefined,
  expected: ExpectedPod[],
  needs: Needs,
): Promise<ScraperReport> {
  const chosen = await orWarning(findScraper(named, needs.cluster), targetsUnknown)
  if ('code' in chosen) return { warnings: [chosen] }
  const { found } = chosen
  const plan = await orWarning(surveyFound(found, needs.cluster).then(planPrometheus), fitUnknown)
  const known = 'code' in plan ? undefined : plan
  const targets = await orWarning(readTargets(found, expected, needs, known?.job), targetsUnknown)
  return {
    found,
    prometheus: { namespace: found.namespace, name: found.name, kind: found.resource.kind },
    ...('code' in targets ? {} : { targets }),
    warnings: [
      ...amongOthers(chosen),
      ...('code' in plan ? [plan] : changed(plan)),
      ...('code' in targets ? [targets] : []),
    ],
  }
}

/** Everything that tells the servers apart can be set up by whoever runs one, so the reader has to know that there are others. */
function amongOthers({ found, others }: ChosenPrometheus): Finding[] {
  const [first] = others
  if (first === undefined) return []
  const message = `the report is about ${kindAndName(found)}, the only one of ${others.length + 1} Prometheus servers that has a certificate of the mesh or a record of scrape-secure; the others: ${others.map(kindAndName).join(', ')}`
  return [
    notes('PROMETHEUS_CHOSEN', message, sh`--prometheus ${prometheusName(first)}   # the report about another one`),
  ]
}

/** Errors that concern only Prometheus, its configuration or its targets. */
const UNKNOWN: Code[] = [
  ...(['FORBIDDEN', 'NOT_FOUND', 'YAML_INVALID'] as const),
  ...(['SEVERAL_PROMETHEUS', 'PROMETHEUS_NOT_FOUND', 'PROMETHEUS_UNREACHABLE', 'PROMETHEUS_PROTECTED'] as const),
  ...(['PROMETHEUS_CONFIG_FIXED', 'PROMETHEUS_CONFIG_UNKNOWN', 'PROMETHEUS_NOT_INJECTABLE'] as const),
]

/** Turns an error of Prometheus into a finding. An unreachable cluster stays an error of the command. */
async function orWarning<T extends object>(reading: Promise<T>, warning: (error: UserError) => Finding) {
  try {
    return await reading
  } catch (error) {
    if (!hasCode(error, ...UNKNOWN)) throw error
    return warning(error)
  }
}

function targetsUnknown({ message, suggestions }: UserError): Finding {
  return fails(
    'TARGETS_UNKNOWN',
    `cannot tell what Prometheus scrapes: ${message}`,
    ...orElse(suggestions, ['get', 'pods/proxy']),
  )
}

function fitUnknown({ code, message, suggestions }: UserError): Finding {
  const remedies = orElse(suggestions, ['--list'])
  if (code !== 'FORBIDDEN') return fails(code, message, ...remedies)
  return warns(
    'PROMETHEUS_UNCHECKED',
    `cannot tell whether the configuration of Prometheus is still current: ${message}`,
    ...remedies,
  )
}

/** @param words arguments of `kubectl auth can-i` */
function orElse(suggestions: string[], words: string[]): string[] {
  return suggestions.length > 0
    ? suggestions
    : [sh`kubectl auth can-i ${words}   # docs/rbac.md lists the permissions that are needed`]
}

function changed({ changes, survey: { found } }: PrometheusPlan): Finding[] {
  const missing = changes.filter((change) => !isInPlace(change))
  if (missing.length === 0) return []
  const names = missing.map(
    ({ resource, manifest: { metadata } }) => `${resource.kind} ${metadata.namespace}/${metadata.name}`,
  )
  const message = `${names.join(' and ')} ${names.length > 1 ? 'were changed and no longer contain' : 'was changed and no longer contains'} everything that scraping over mutual TLS needs${mayHaveReset(missing)}`
  const prometheus = ['--prometheus', `${found.namespace}/${found.name}`]
  return [
    fails(
      'PROMETHEUS_CHANGED',
      message,
      sh`kubectl telemetry scrape-secure WORKLOAD -n NAMESPACE ${prometheus}   # with any workload that is scraped already: writes the configuration again`,
    ),
  ]
}
