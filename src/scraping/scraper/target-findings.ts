/** Findings about targets that scrape-secure and its status share. Pure. */
import { type Finding, fails, type Severity } from '../../findings.ts'
import { sh } from '../../shell.ts'

interface PodName {
  namespace: string
  name: string
}

/** @param pod one of the pods that are not up */
export function targetDown(message: string, { namespace, name }: PodName): Finding {
  return fails('TARGET_DOWN', message, sh`kubectl -n ${namespace} logs ${name} -c istio-proxy`)
}

/** After a run this may end in a moment, when Prometheus has read its configuration. In the status it is permanent. */
export function scrapedTwice(severity: Severity, message: string, remedy: string): Finding {
  return { code: 'SCRAPED_TWICE', severity, message, remedies: [remedy] }
}
