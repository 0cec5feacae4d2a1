/** Istio's samples with shorter delays: tests wait for pods and for scrapes again and again, and few are about how long that takes. */
import { parseAllDocuments } from 'yaml'

/** Seconds. */
const SCRAPE_INTERVAL = 3
/** Jobs that keep the interval of the sample. Nobody waits for them, and every 3 seconds they were 40 % of the CPU of a mesh in which nothing runs. */
const SLOW_JOBS = /^( *)- job_name: kubernetes-(api-servers|nodes|nodes-cadvisor)$/gm
const SLOW = 'scrape_interval: 15s\n$1  scrape_timeout: 10s'

interface Probe {
  initialDelaySeconds?: number
  periodSeconds?: number
  failureThreshold?: number
}

interface SampleObject {
  kind: string
  spec?: { template?: { spec?: { containers?: Record<string, unknown>[] } } }
  data?: Record<string, string>
}

/**
 * Pods are Ready a second after they answer, and Prometheus scrapes pods every 3 seconds. Liveness probes stay: nobody waits for them.
 * @returns the same objects, as JSON documents
 */
export function withShortDelays(manifest: string): string {
  // Kubernetes reads YAML 1.1, where `yes` is true and 0644 is octal.
  const objects = parseAllDocuments(manifest, { version: '1.1' }).map(
    (document) => document.toJS() as SampleObject | null,
  )
  return objects
    .filter((object) => object !== null)
    .map((object) => JSON.stringify(shortened(object)))
    .join('\n---\n')
}

function shortened(object: SampleObject): SampleObject {
  for (const container of object.spec?.template?.spec?.containers ?? []) {
    for (const name of ['startupProbe', 'readinessProbe']) {
      if (name in container) container[name] = quick(container[name] as Probe)
    }
  }
  const configuration = object.kind === 'ConfigMap' ? object.data?.['prometheus.yml'] : undefined
  if (configuration !== undefined) object.data = { ...object.data, 'prometheus.yml': scrapedOften(configuration) }
  return object
}

/** It asks every second, and gives up after as long as before. */
function quick(probe: Probe): Probe {
  const { initialDelaySeconds = 0, periodSeconds = 10, failureThreshold = 3 } = probe
  return {
    ...probe,
    initialDelaySeconds: Math.min(initialDelaySeconds, 1),
    periodSeconds: 1,
    failureThreshold: initialDelaySeconds + periodSeconds * failureThreshold,
  }
}

/** In the global section, which is the first to name them. A timeout must not be longer than the interval. */
function scrapedOften(configuration: string): string {
  const often = configuration
    .replace(/^( +scrape_interval:) .*$/m, `$1 ${SCRAPE_INTERVAL}s`)
    .replace(/^( +scrape_timeout:) .*$/m, `$1 ${SCRAPE_INTERVAL}s`)
    .replace(SLOW_JOBS, `$&\n$1  ${SLOW}`)
  if (!/^global:\n( .*\n)* +scrape_interval: 3s\n/m.test(often))
    throw new Error('the sample has no global scrape_interval')
  return often
}
