// The node: Kubernetes' daemons, containerd, and CoreDNS.
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeCertificates } from './certificates.ts'
import { cgroupRoots, enableControllers } from './cgroups.ts'
import { writeConfiguration } from './configuration.ts'
import { apiServer, containerd, controllerManager, etcd, kubelet, kubeProxy, scheduler } from './daemons.ts'
import { importImages } from './image-store.ts'
import { nodeImages } from './images.ts'
import { apply, kubectl, rolledOut } from './kubectl.ts'
import { dnsAddress, labSources, nodeName, run, runPaths } from './layout.ts'
import { connectNode } from './network.ts'
import { start, untilReady } from './processes.ts'
import { until } from './progress.ts'
import { command } from './subprocess.ts'

/** Starts what does not run yet and waits until the node takes pods. */
export async function startNode(): Promise<void> {
  await mkdir(run, { recursive: true })
  await Promise.all([makeCertificates(), writeConfiguration(), connectNode(), makeCgroups()])
  await writeFile(runPaths.boot, await bootId())
  await Promise.all([startControlPlane(), startContainerd()])
  await Promise.all([start(kubelet), start(kubeProxy)])
  await startDns()
}

/** Waits until the node is Ready and names resolve. */
export async function untilNodeReady(): Promise<void> {
  await untilReady(kubelet, () => kubectl('wait', '--for=condition=Ready', `node/${nodeName}`, '--timeout=60s'))
  await rolledOut('deployment/coredns', 'kube-system')
  await untilReady(kubeProxy, async () => {})
}

/** True when a mesh's state lies here from before a reboot: its processes, mounts and network are gone. */
export async function stateOfEarlierBoot(): Promise<boolean> {
  return existsSync(runPaths.boot) && (await readFile(runPaths.boot, 'utf8')) !== (await bootId())
}

async function startControlPlane(): Promise<void> {
  await start(etcd)
  await start(apiServer)
  await untilReady(apiServer, () => kubectl('get', '--raw=/readyz'))
  await Promise.all([start(controllerManager), start(scheduler)])
}

async function startContainerd(): Promise<void> {
  await start(containerd)
  await untilReady(containerd, () => command(['ctr', `--address=${runPaths.containerdSocket}`, 'version']))
  await importImages(nodeImages())
}

async function startDns(): Promise<void> {
  const manifest = await readFile(join(labSources, 'coredns.yaml'), 'utf8')
  await until('the API server to take CoreDNS', () => apply(manifest.replace('__DNS__', dnsAddress)), 20)
}

async function makeCgroups(): Promise<void> {
  await enableControllers()
  await Promise.all(cgroupRoots().map((path) => mkdir(path, { recursive: true })))
}

const bootId = () => readFile('/proc/sys/kernel/random/boot_id', 'utf8')
