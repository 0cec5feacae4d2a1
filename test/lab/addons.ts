// Istio's own sample add-ons, read from Istio's sources as downloaded, with images made here.
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buildOnDemand, moduleSources } from './build.ts'
import { withShortDelays } from './delays.ts'
import type { Image } from './image-archive.ts'
import { importImages } from './image-store.ts'
import { addonImage, builtOnDemand } from './images.ts'
import { apply, kubectl, rolledOut } from './kubectl.ts'
import { defaultIstioVersion, isSecondCluster } from './layout.ts'
import { step } from './progress.ts'

/** A second cluster has none. */
export const defaultAddons: readonly string[] = isSecondCluster ? [] : ['prometheus', 'grafana', 'kiali', 'jaeger']

const ADDON_NAMESPACE = 'istio-system'

/** `short` is for tests that wait; `real` leaves a sample unchanged. */
export type Delays = 'short' | 'real'

/** Applies the named samples (`grafana`, `extras/zipkin`) and waits until their pods are ready. */
export async function applyAddons(names: readonly string[], delays: Delays = 'short'): Promise<void> {
  await apply(`{apiVersion: v1, kind: Namespace, metadata: {name: ${ADDON_NAMESPACE}}}`)
  await Promise.all(names.map((name) => step(`add-on ${name}`, () => applyAddon(name, delays))))
}

/** The images that the named samples ask for. Builds what `build` left out of them. */
export async function addonImages(names: readonly string[]): Promise<Image[]> {
  const manifests = await Promise.all(names.map(sampleManifest))
  const images = [...new Set(manifests.flatMap(imageNames))]
  for (const component of images.map(builtOnDemand)) if (component !== undefined) await buildOnDemand(component)
  return images.map(addonImage)
}

/** Those of the default add-ons that are not there; what is there may have been changed on purpose. */
export async function missingAddons(): Promise<string[]> {
  const present = await kubectl('get', 'deployments', `--namespace=${ADDON_NAMESPACE}`, '--output=name')
  return defaultAddons.filter((name) => !present.split('\n').includes(`deployment.apps/${name}`))
}

async function applyAddon(name: string, delays: Delays): Promise<void> {
  const manifest = await sampleManifest(name)
  await importImages(await addonImages([name]))
  if (/^kind: (Service|Pod)Monitor$/m.test(manifest)) await applyMonitorDefinitions()
  const objects = await apply(delays === 'short' ? withShortDelays(manifest) : manifest)
  const workloads = objects.filter((object) => /^(deployment|statefulset)\.apps\//.test(object))
  if (workloads.length === 0 && name !== 'extras/prometheus-operator') throw new Error(`${name} has no workload`)
  await Promise.all(workloads.map((workload) => rolledOut(workload, ADDON_NAMESPACE)))
}

/** Prometheus Operator's own definitions of ServiceMonitor and PodMonitor, without which its sample is refused. */
async function applyMonitorDefinitions(): Promise<void> {
  const sources = await moduleSources('node', 'github.com/prometheus-operator/prometheus-operator')
  const directory = join(sources, 'example', 'prometheus-operator-crd')
  for (const file of await readdir(directory)) {
    if (!/_(service|pod)monitors\.yaml$/.test(file)) continue
    // Client-side apply would copy the definition into an annotation that is too small for it.
    const [definition] = await apply(await readFile(join(directory, file), 'utf8'), '--server-side')
    await kubectl('wait', '--for=condition=Established', definition ?? '', '--timeout=30s')
  }
}

async function sampleManifest(name: string): Promise<string> {
  const samples = join(await moduleSources(`istio-${defaultIstioVersion}`, 'istio.io/istio'), 'samples', 'addons')
  const path = join(samples, `${name}.yaml`)
  if (!existsSync(path))
    throw new Error(`Istio has no sample add-on ${name}: ${(await sampleNames(samples)).join(' ')}`)
  return readFile(path, 'utf8')
}

async function sampleNames(samples: string): Promise<string[]> {
  const files = await readdir(samples, { recursive: true })
  return files.filter((file) => file.endsWith('.yaml')).map((file) => file.replace(/\.yaml$/, ''))
}

/** `image: NAME` wherever a container has it. */
function imageNames(manifest: string): string[] {
  return [...manifest.matchAll(/^[ -]*image: *"?([^"\s]+)"?$/gm)].flatMap((match) => match[1] ?? [])
}
