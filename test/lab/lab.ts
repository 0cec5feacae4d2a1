// The lab as tests use it. `npm run lab` is the same from a shell (main.ts).
import { addonImages, applyAddons, type Delays, defaultAddons, missingAddons } from './addons.ts'
import { build, buildWithTests } from './build.ts'
import { writeKubeconfig } from './configuration.ts'
import { importImages } from './image-store.ts'
import { clientImages } from './images.ts'
import { installedIstio, installIstio } from './istio.ts'
import { defaultIstioVersion, here, type IstioVersion, runPaths, type Site, second, upCommand } from './layout.ts'
import { connectClusters, disconnectClusters } from './link.ts'
import { setLoadBalancer } from './load-balancer.ts'
import { claim, readOwner, withLock } from './lock.ts'
import { insideNamespace } from './network.ts'
import { startNode, stateOfEarlierBoot, untilNodeReady } from './node.ts'
import { installClients } from './packages.ts'
import { atMost, step } from './progress.ts'
import { inSecondCluster, isSecondThere } from './second-cluster.ts'
import { command } from './subprocess.ts'
import { removeNode } from './teardown.ts'

export { loadBalancerAddress, nodeAddress, nodeName } from './layout.ts'

/** One of the lab's clusters. The second is there after `up({ clusters: 2 })`. */
export type ClusterNumber = 1 | 2

/** Names and addresses of one of the lab's clusters. */
export function siteOfCluster(cluster: ClusterNumber): Site {
  return cluster === 1 ? here : second
}

/** Files that tests read: the kubeconfig, the API server's audit log, the daemons' logs. The first cluster's kubeconfig has both contexts. */
export function labPaths(cluster: ClusterNumber = 1): {
  run: string
  kubeconfig: string
  auditLog: string
  logs: string
  bin: string
} {
  const { run, runPaths } = siteOfCluster(cluster)
  const { kubeconfig, auditLog, logs, bin } = runPaths
  return { run, kubeconfig, auditLog, logs, bin }
}

/** The environment in which kubectl and istioctl are those of the lab and find its cluster. */
export function labEnvironment(cluster: ClusterNumber = 1): NodeJS.ProcessEnv {
  const { kubeconfig } = labPaths(cluster)
  return { ...process.env, KUBECONFIG: kubeconfig, PATH: `${runPaths.bin}:${process.env.PATH}` }
}

/** Brings up whatever of the mesh is not up; two clusters at the same time, linked to each other. */
export function up({ clusters = 1 }: { clusters?: ClusterNumber } = {}): Promise<void> {
  return withLock('up', () =>
    step('up', async () => {
      if (clusters === 1) return upHere()
      await atMost(2, [upHere, () => inSecondCluster('up')], (part) => part())
      await step('joining the clusters', joinClusters)
    }),
  )
}

async function upHere(): Promise<void> {
  if (await stateOfEarlierBoot()) await removeNode()
  await claim()
  await build()
  await step('starting the node', async () => startNode(await addonImages(defaultAddons)))
  await Promise.all([untilNodeReady(), installMissingIstio(), missingAddons().then((names) => applyAddons(names))])
}

async function joinClusters(): Promise<void> {
  await Promise.all([connectClusters(), writeKubeconfig(), giveClients(), inSecondCluster('clients')])
}

/** Leaves nothing of the mesh behind, neither of its second cluster; what was built stays in the cache. */
export function down(): Promise<void> {
  const parts = [removeNode, ...(isSecondThere() ? [() => inSecondCluster('down')] : [])]
  return withLock('down', () => step('down', () => atMost(2, parts, (part) => part())))
}

/** Ends the second cluster only. */
export function downSecond(): Promise<void> {
  return withLock('down', async () => {
    await inSecondCluster('down')
    if (!(await readOwner())) return
    await Promise.all([disconnectClusters(), writeKubeconfig()])
  })
}

/** Gives the node the image of a pod that calls others: real curl and wget, for the sample `sleep`. */
export async function giveClients(): Promise<void> {
  await installClients()
  await importImages(clientImages())
}

/** Builds what `up` would build, and on demand what tests want besides; starts nothing. */
export function buildOnly(version: IstioVersion, { forTests }: { forTests: boolean }): Promise<void> {
  return withLock('build', () => (forTests ? buildWithTests(version) : build(version)))
}

/** Gives the ingress gateway its load balancer address, or takes it away. */
export function loadBalancer(state: 'on' | 'off', cluster: ClusterNumber = 1): Promise<void> {
  if (cluster === 2) return inSecondCluster('lb', state)
  return onRunningMesh('lb', () => setLoadBalancer(state))
}

/** Installs another version of Istio over the one that is there. */
export function istio(version: IstioVersion, cluster: ClusterNumber = 1): Promise<void> {
  if (cluster === 2) return inSecondCluster('istio', version)
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
export function insideNode(argv: readonly string[], cluster: ClusterNumber = 1): Promise<string> {
  return command(insideNamespace(argv, siteOfCluster(cluster)), { env: labEnvironment(cluster) })
}

function onRunningMesh(verb: string, work: () => Promise<void>): Promise<void> {
  return withLock(verb, async () => {
    if (!(await readOwner())) throw new Error(`the lab is down; bring it up with: ${upCommand}`)
    await work()
  })
}

async function installMissingIstio(): Promise<void> {
  if ((await installedIstio()) === undefined) await installIstio(defaultIstioVersion)
}
