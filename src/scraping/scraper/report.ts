/** What the Prometheus that scrapes says of its targets, and whether it is still as `scrape-secure` made it. Changes nothing. */
import { isThere } from '../../changes/changes.ts'
import { UserError } from '../../errors.ts'
import type { FoundPrometheus } from '../../prometheus/find.ts'
import type { Dependencies, Warning } from '../../world.ts'
import type { ScrapeStatusResult } from '../status.ts'
import { readTargets, type TargetsReport } from './await-targets.ts'
import { type PrometheusPlan, planPrometheus } from './change.ts'
import { findScraper, surveyFound } from './survey.ts'
import type { ExpectedPod } from './targets.ts'

export interface ScraperReport {
  found?: FoundPrometheus
  prometheus?: NonNullable<ScrapeStatusResult['prometheus']>
  /** Left out when it does not say. */
  targets?: TargetsReport
  warnings: Warning[]
}

type Needs = Pick<Dependencies, 'cluster' | 'clock'>

/**
 * @param named `NAMESPACE/NAME`
 * @throws UserError CLUSTER_UNREACHABLE and the like; what Prometheus does not say is a warning
 */
export async function readScraper(
  named: string | undefined,
  expected: ExpectedPod[],
  needs: Needs,
): Promise<ScraperReport> {
  const found = await orWarning(findScraper(named, needs.cluster), targetsUnknown)
  if ('code' in found) return { warnings: [found] }
  const plan = await orWarning(surveyFound(found, needs.cluster).then(planPrometheus), fitUnknown)
  const known = 'code' in plan ? undefined : plan
  const targets = await orWarning(readTargets(found, expected, needs, known?.job), targetsUnknown)
  return {
    found,
    prometheus: { namespace: found.namespace, name: found.name, kind: found.resource.kind },
    ...('code' in targets ? {} : { targets }),
    warnings: [...('code' in plan ? [plan] : changed(plan)), ...('code' in targets ? [targets] : [])],
  }
}

/** A cluster that is not reached is an error of the whole. */
async function orWarning<T extends object>(reading: Promise<T>, warning: (error: UserError) => Warning) {
  try {
    return await reading
  } catch (error) {
    if (
      !(error instanceof UserError) ||
      !/^(FORBIDDEN|NOT_FOUND|SEVERAL_PROMETHEUS|PROMETHEUS_|YAML_)/.test(error.code)
    )
      throw error
    return warning(error)
  }
}

function targetsUnknown({ message, suggestions }: UserError): Warning {
  return {
    code: 'TARGETS_UNKNOWN',
    message: `what Prometheus scrapes is not known: ${message}`,
    remedy: suggestions[0] ?? 'kubectl auth can-i get pods/proxy   # docs/rbac.md has what is needed',
  }
}

function fitUnknown({ code, message, suggestions }: UserError): Warning {
  const remedy = suggestions[0] ?? 'kubectl auth can-i --list   # docs/rbac.md has what is needed'
  if (code !== 'FORBIDDEN') return { code, message, remedy }
  return { code: 'FIT_UNCHECKED', message: `whether Prometheus is as it was made is not known: ${message}`, remedy }
}

function changed({ changes, survey: { found } }: PrometheusPlan): Warning[] {
  const missing = changes.filter((change) => !isThere(change))
  if (missing.length === 0) return []
  const names = missing.map(
    ({ resource, manifest: { metadata } }) => `${resource.kind} ${metadata.namespace}/${metadata.name}`,
  )
  const message = `${names.join(' and ')} ${names.length > 1 ? 'have' : 'has'} not all that scraping over mutual TLS needs any more`
  const prometheus = `--prometheus ${found.namespace}/${found.name}`
  return [
    {
      code: 'PROMETHEUS_CHANGED',
      message,
      remedy: `kubectl telemetry scrape-secure WORKLOAD -n NAMESPACE ${prometheus}   # one that is scraped already; writes it again`,
    },
  ]
}
