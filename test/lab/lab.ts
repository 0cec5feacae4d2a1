// The lab as tests use it. `npm run lab` is the same from a shell (main.ts).
import { addonImages, applyAddons, type Delays, defaultAddons, missingAddons } from './addons.ts'
import { build } from './build.ts'
import { importImages } from './image-store.ts'
import { installedIstio, installIstio } from './istio.ts'
import { defaultIstioVersion, type IstioVersion, labCommand, run, runPaths } from './layout.ts'
import { setLoadBalancer } from './load-balancer.ts'
import { claim, readOwner, withLock } from './lock.ts'
import { insideNamespace } from './network.ts'
import { startNode, stateOfEarlierBoot, untilNodeReady } from './node.ts'
import { step } from './progress.ts'
import { command } from './subprocess.ts'
import { removeNode } from './teardown.ts'

export { loadBalancerAddress, nodeAddress, nodeName } from './layout.ts'

/** Files that tests read: the kubeconfig, the API server's audit log, the daemons' logs. */
export function labPaths(): { run: string; kubeconfig: string; auditLog: string; logs: string; bin: string } {
  const { kubeconfig, auditLog, logs, bin } = runPaths
  return { run, kubeconfig, auditLog, logs, bin }
}

/** The environment in which kubectl and istioctl are those of the lab and find its cluster. */
export function labEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, KUBECONFIG: runPaths.kubeconfig, PATH: `${runPaths.bin}:${process.env.PATH}` }
}

/** Brings up whatever of the mesh is not up. */
export function up(): Promise<void> {
  return withLock('up', () =>
    step('up', async () => {
      if (await stateOfEarlierBoot()) await removeNode()
      await claim()
      await build()
      await step('starting the node', async () => startNode(await addonImages(defaultAddons)))
      await Promise.all([untilNodeReady(), installMissingIstio(), missingAddons().then((names) => applyAddons(names))])
    }),
  )
}

/** Leaves nothing of the mesh behind; what was built stays in the cache. */
export function down(): Promise<void> {
  return withLock('down', () => step('down', removeNode))
}

/** Builds what `up` would build, and no more. */
export function buildOnly(version: IstioVersion): Promise<void> {
  return withLock('build', () => build(version))
}

/** Gives the ingress gateway its load balancer address, or takes it away. */
export function loadBalancer(state: 'on' | 'off'): Promise<void> {
  return onRunningMesh('lb', () => setLoadBalancer(state))
}

/** Installs another version of Istio over the one that is there. */
export function istio(version: IstioVersion): Promise<void> {
  return onRunningMesh('istio', () => installIstio(version))
}

/** Gives the node the images of samples that something else installs. */
export function importAddonImages(names: readonly string[]): Promise<void> {
  return withLock('images', async () => importImages(await addonImages(names)))
}

/** Applies Istio's sample add-ons by name, the default ones included, over what is there. */
export function addons(names: readonly string[], delays?: Delays): Promise<void> {
  return onRunningMesh('addons', () => applyAddons(names, delays))
}

/** Runs a command in the node's network, where pods and Services have their addresses; returns its stdout. */
export function insideNode(argv: readonly string[]): Promise<string> {
  return command(insideNamespace(argv), { env: labEnvironment() })
}

function onRunningMesh(verb: string, work: () => Promise<void>): Promise<void> {
  return withLock(verb, async () => {
    if (!(await readOwner())) throw new Error(`the lab is down; bring it up with: ${labCommand} up`)
    await work()
  })
}

async function installMissingIstio(): Promise<void> {
  if ((await installedIstio()) === undefined) await installIstio(defaultIstioVersion)
}
