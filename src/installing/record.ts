/** The ConfigMap that says what `addons install` installed, and from where: written first and deleted last. Pure. */
import type { KubeObject } from '../cluster/cluster.ts'
import { INSTALLING, ownedLabels } from '../cluster/ownership.ts'
import { CONFIG_MAPS, typeOf } from '../cluster/resources.ts'
import { jsonOf, mapOf, textOf, textsOf } from '../shapes.ts'
import { SAMPLE_NAMES } from './catalog.ts'

export const RECORD = 'kubectl-telemetry-addons'

/** How an add-on was installed. */
export interface Installed {
  /** The minor version of Istio whose sample it is: `1.31`. */
  istio: string
  /** Of the add-on. */
  version: string
  /** Of the sample. */
  sha256: string
  /** `Service/grafana`. */
  objects: string[]
}

/** By name of the add-on. */
export type Installation = Record<string, Installed>

export function recordManifest(namespace: string, installation: Installation): KubeObject {
  const data = Object.fromEntries(Object.entries(installation).map(([name, one]) => [name, JSON.stringify(one)]))
  return {
    ...typeOf(CONFIG_MAPS),
    metadata: { name: RECORD, namespace, labels: ownedLabels(INSTALLING) },
    data,
  }
}

/** What of a record is valid: whoever may write in the namespace can write anything into it. */
export function installationIn(record: KubeObject | undefined): Installation {
  const entries = Object.entries(mapOf(record?.data)).flatMap(([name, text]): [string, Installed][] => {
    const { istio, version, sha256, objects } = mapOf(jsonOf(textOf(text) ?? ''))
    const texts = [istio, version, sha256].map(textOf)
    const [minor, tag, digest] = texts
    if (!SAMPLE_NAMES.includes(name) || minor === undefined || tag === undefined || digest === undefined) return []
    return [[name, { istio: minor, version: tag, sha256: digest, objects: textsOf(objects) }]]
  })
  return Object.fromEntries(entries)
}
