import { mkdir, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from './build.ts'
import { binaries, istio as istioComponent, node } from './components.ts'
import { importImages } from './image-store.ts'
import { istioImages } from './images.ts'
import { kubectl } from './kubectl.ts'
import { type IstioVersion, istioVersions, runPaths } from './layout.ts'
import { step } from './progress.ts'
import { command } from './subprocess.ts'

/** A stock Envoy has none of Istio's own extensions: the first settings keep istiod from asking for them. */
const settings = [
  'values.pilot.env.PILOT_ENABLE_METADATA_EXCHANGE=false',
  'values.pilot.env.PILOT_ENABLE_ALPN_FILTER=false',
  'values.telemetry.enabled=false',
  'meshConfig.defaultConfig.proxyMetadata.PEER_METADATA_DISCOVERY=false',
  // Tests of guards over HTTP wait until older connections have ended; by default that takes 45 s (real-delays.test.ts).
  'meshConfig.defaultConfig.drainDuration=5s',
  // a small machine runs all of it
  'values.pilot.resources.requests.cpu=50m',
  'values.pilot.resources.requests.memory=128Mi',
  'values.global.proxy.resources.requests.cpu=10m',
  'values.global.proxy.resources.requests.memory=64Mi',
]

/** Installs the version over whatever is there, control plane and gateway. Builds it first when needed. */
export async function installIstio(version: IstioVersion): Promise<void> {
  await build(version)
  await importImages(await istioImages(version))
  const istioctl = join(binaries(istioComponent(version)), 'istioctl')
  const release = ['--set', 'profile=default', '--set', 'hub=docker.io/istio', '--set', `tag=${version}.0`]
  const install = [istioctl, 'install', '--skip-confirmation', '--readiness-timeout', '120s', ...release]
  for (const setting of settings) install.push('--set', setting)
  const environment = { env: { KUBECONFIG: runPaths.kubeconfig } }
  await step(`installing istio ${version}`, async () => {
    await command(install, environment)
    // An install that failed once leaves this webhook out, and the mesh then takes invalid objects.
    if (!(await hasValidator())) await command(install, environment)
    if (!(await hasValidator())) throw new Error('istioctl install left out the istiod-default-validator webhook')
  })
  await linkPrograms(version)
}

/** The version whose control plane and gateway both run; undefined when there is none, or only half of one. */
export async function installedIstio(): Promise<IstioVersion | undefined> {
  const [istiod, gateway] = await Promise.all(['istiod', 'istio-ingressgateway'].map(readyImage))
  if (!istiod || !gateway || !(await hasValidator())) return undefined
  return istioVersions.find((version) => istiod.endsWith(`:${version}.0`))
}

/** The image of a deployment in istio-system; undefined when no pod of it is ready. */
async function readyImage(deployment: string): Promise<string | undefined> {
  const fields = '--output=jsonpath={.status.readyReplicas} {.spec.template.spec.containers[0].image}'
  const answer = await kubectl('get', `deployment/${deployment}`, '--namespace=istio-system', fields).catch(() => '')
  const [ready, image] = answer.split(' ')
  return Number(ready) > 0 ? image : undefined
}

const hasValidator = () =>
  kubectl('get', 'validatingwebhookconfiguration/istiod-default-validator').then(
    () => true,
    () => false,
  )

/** One directory for people's PATH, always with the istioctl of the mesh. */
async function linkPrograms(version: IstioVersion): Promise<void> {
  await mkdir(runPaths.bin, { recursive: true })
  const programs = {
    kubectl: join(binaries(node), 'kubectl'),
    istioctl: join(binaries(istioComponent(version)), 'istioctl'),
  }
  for (const [name, target] of Object.entries(programs)) {
    await rm(join(runPaths.bin, name), { force: true })
    await symlink(target, join(runPaths.bin, name))
  }
}
