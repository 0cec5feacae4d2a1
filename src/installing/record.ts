/** The ConfigMap that says what `addons install` installed, and from where: written first and deleted last. Pure. */
import type { KubeObject } from '../cluster/cluster.ts'
import { INSTALLING, ownedLabels } from '../cluster/ownership.ts'
import { CONFIG_MAPS, typeOf } from '../cluster/resources.ts'
import { jsonOf, mapOf, textOf, textsOf } from '../shapes.ts'
import { SAMPLE_NAMES } from './catalog.ts'

export const RECORD = 'kubectl-telemetry-addons'

/** How an add-on was installed. */
export interface Installed {
  /** Of its sample: `packaged`, `url`. */
  source: string
  /** The version of Istio whose sample it is: `1.31`. */
  istio?: string
  /** The URL of the file or folder. */
  from?: string | undefined
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
    const { source, istio, from, version, sha256, objects } = mapOf(jsonOf(textOf(text) ?? ''))
    const [tag, digest] = [version, sha256].map(textOf)
    if (!SAMPLE_NAMES.includes(name) || tag === undefined || digest === undefined) return []
    const texts = Object.entries({ istio, from }).flatMap(([field, one]) =>
      textOf(one) === undefined ? [] : [[field, one]],
    )
    const known = {
      source: textOf(source) ?? 'packaged',
      ...(Object.fromEntries(texts) as Pick<Installed, 'istio' | 'from'>),
    }
    return [[name, { ...known, version: tag, sha256: digest, objects: textsOf(objects) }]]
  })
  return Object.fromEntries(entries)
}
