/** Sidecars (Istio's objects) that keep proxies from reaching a collector: istiod gives them no cluster for it, without a word. Pure. */
import type { Collector } from '../backends/collectors.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import { type Finding, warns } from '../findings.ts'
import { listOf, mapOf, textsOf } from '../shapes.ts'
import { sh } from '../shell.ts'

/** One finding for each Sidecar whose egress leaves out the collector. https://istio.io/latest/docs/reference/config/networking/sidecar/ */
export function hidingSidecars(sidecars: readonly KubeObject[], collector: Collector, domain: string): Finding[] {
  const full = `${collector.service}.${collector.namespace}.svc.${domain}`
  return sidecars
    .filter((one) => hides(one, collector, full))
    .map(({ metadata: { namespace = '', name } }) => {
      const host = `${collector.namespace}/${full}`
      const message = `the egress of Sidecar ${namespace}/${name} leaves out ${host}: the proxies that it is for report no spans (their gateway does)`
      const edit = sh`kubectl -n ${namespace} edit sidecars.networking.istio.io ${name}   # add the host ${host}`
      return warns('COLLECTOR_HIDDEN', message, edit)
    })
}

function hides({ metadata, spec }: KubeObject, { namespace }: Collector, full: string): boolean {
  const egress = listOf(mapOf(spec).egress).map(mapOf)
  // Without egress it has the default, which is every host unless another Sidecar says otherwise.
  if (egress.length === 0) return false
  const hosts = egress.flatMap(({ hosts }) => textsOf(hosts))
  return !hosts.some((host) => covers(host, metadata.namespace ?? '', { namespace, full }))
}

/** `*\/*`, `.\/*`, `istio-system/*`, `~/*`; a part `*.DOMAIN` covers all names below it. */
function covers(host: string, own: string, { namespace, full }: { namespace: string; full: string }): boolean {
  const [place = '', name = ''] = host.split('/')
  const isPlace = place === '*' || place === namespace || (place === '.' && own === namespace)
  const isName = name === '*' || name === full || (name.startsWith('*.') && full.endsWith(name.slice(1)))
  return isPlace && isName
}
