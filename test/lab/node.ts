// The node: Kubernetes' daemons, containerd, and CoreDNS.
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeCertificates } from './certificates.ts'
import { cgroupRoots, enableControllers } from './cgroups.ts'
import { writeConfiguration } from './configuration.ts'
import { apiServer, containerd, controllerManager, etcd, kubelet, kubeProxy, scheduler } from './daemons.ts'
import type { Image } from './image-archive.ts'
import { importImages } from './image-store.ts'
import { nodeImages } from './images.ts'
import { apply, kubectl, rolledOut } from './kubectl.ts'
import { dnsAddress, labSources, nodeName, run, runPaths } from './layout.ts'
import { connectNode } from './network.ts'
import { start, untilReady } from './processes.ts'
import { until } from './progress.ts'
import { command } from './subprocess.ts'

/** Starts what does not run yet. The images are given to containerd meanwhile, which else waits for the API server. */
export async function startNode(images: readonly Image[]): Promise<void> {
  await mkdir(run, { recursive: true })
  await Promise.all([makeCertificates(), writeConfiguration(), connectNode(), makeCgroups()])
  await writeFile(runPaths.boot, await bootId())
  await Promise.all([startControlPlane(), startContainerd([...nodeImages(), ...images])])
  await Promise.all([start(kubelet), start(kubeProxy)])
  await applyBasics()
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

async function startContainerd(images: readonly Image[]): Promise<void> {
  await start(containerd)
  await untilReady(containerd, () => command(['ctr', `--address=${runPaths.containerdSocket}`, 'version']))
  await importImages(images)
}

/** CoreDNS, and a volume for the one sample (Loki) that claims one: nothing here makes volumes on demand. */
async function applyBasics(): Promise<void> {
  const coredns = await readFile(join(labSources, 'coredns.yaml'), 'utf8')
  await until('the API server to take CoreDNS', () => apply(coredns.replace('__DNS__', dnsAddress)), 20)
  const spec = {
    capacity: { storage: '10Gi' },
    accessModes: ['ReadWriteOnce'],
    hostPath: { path: join(run, 'volume'), type: 'DirectoryOrCreate' },
  }
  await apply(JSON.stringify({ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'lab' }, spec }))
}

async function makeCgroups(): Promise<void> {
  await enableControllers()
  await Promise.all(cgroupRoots().map((path) => mkdir(path, { recursive: true })))
}

const bootId = () => readFile('/proc/sys/kernel/random/boot_id', 'utf8')
