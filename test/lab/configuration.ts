// The files that the daemons read.
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pki } from './certificates.ts'
import {
  dnsAddress,
  here,
  isSecondCluster,
  nodeName,
  podNetwork,
  podNetworkName,
  run,
  runPaths,
  type Site,
  second,
} from './layout.ts'

export const files = {
  auditPolicy: join(run, 'audit-policy.json'),
  containerd: join(run, 'containerd.toml'),
  kubelet: join(run, 'kubelet.json'),
  kubeProxy: join(run, 'kube-proxy.json'),
  resolvConf: join(run, 'resolv.conf'),
  network: join(run, 'cni', '10-lab.conflist'),
} as const

export async function writeConfiguration(): Promise<void> {
  await Promise.all([
    writeKubeconfig(),
    writeJSON(files.auditPolicy, auditPolicy()),
    writeJSON(files.kubelet, kubelet()),
    writeJSON(files.kubeProxy, kubeProxy()),
    writeJSON(files.network, network()),
    write(files.containerd, containerd()),
    write(files.resolvConf, 'nameserver 127.0.0.1\n'), // there is no DNS outside; CoreDNS must not ask itself
  ])
}

/** With a second context while there is a second cluster. To be called again when it comes or goes. */
export function writeKubeconfig(): Promise<void> {
  return writeJSON(runPaths.kubeconfig, kubeconfig())
}

/** Leaves a file alone that says the same already: kube-proxy exits when its file is rewritten. */
async function write(path: string, content: string): Promise<void> {
  if (existsSync(path) && (await readFile(path, 'utf8')) === content) return
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content)
}

const writeJSON = (path: string, content: object) => write(path, `${JSON.stringify(content, null, 2)}\n`)

function kubeconfig() {
  const sites = [here]
  if (!isSecondCluster && existsSync(second.runPaths.pki)) sites.push(second)
  const userOf = ({ context }: Site) => (context === 'lab' ? 'admin' : 'admin-2')
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: sites.map((site) => ({ name: site.context, cluster: clusterEntry(site) })),
    users: sites.map((site) => ({ name: userOf(site), user: userEntry(site) })),
    contexts: sites.map((site) => ({ name: site.context, context: { cluster: site.context, user: userOf(site) } })),
    'current-context': here.context,
  }
}

function clusterEntry(site: Site) {
  return { server: `https://${site.nodeAddress}:6443`, 'certificate-authority': pki('ca.crt', site) }
}

function userEntry(site: Site) {
  return { 'client-certificate': pki('admin.crt', site), 'client-key': pki('admin.key', site) }
}

/** Tests count requests by it. */
function auditPolicy() {
  return {
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    rules: [{ level: 'Metadata' }],
  }
}

function kubelet() {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      x509: { clientCAFile: pki('ca.crt') },
      webhook: { enabled: true },
    },
    authorization: { mode: 'Webhook' },
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${nodeName}`, // below it, `down` knows every process for the lab's
    enforceNodeAllocatable: [],
    containerRuntimeEndpoint: `unix://${runPaths.containerdSocket}`,
    clusterDNS: [dnsAddress],
    clusterDomain: 'cluster.local',
    failSwapOn: false,
    failCgroupV1: false,
    resolvConf: files.resolvConf,
    podLogsDir: runPaths.podLogs,
    volumePluginDir: join(run, 'volume-plugins'),
    evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100, // a removed image could not be pulled again
    maxPods: 250,
    shutdownGracePeriod: '0s',
    syncFrequency: '10s',
  }
}

function kubeProxy() {
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clientConnection: { kubeconfig: runPaths.kubeconfig },
    mode: 'iptables',
    clusterCIDR: podNetwork,
    hostnameOverride: nodeName,
    // conntrack's limits are the machine's, not the namespace's: leave them alone
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  }
}

function network() {
  const ipam = {
    type: 'host-local',
    dataDir: join(run, 'cni-addresses'),
    ranges: [[{ subnet: podNetwork }]],
    routes: [{ dst: '0.0.0.0/0' }],
  }
  const plugins = [
    { type: 'ptp', ipam },
    { type: 'portmap', capabilities: { portMappings: true } },
  ]
  return { cniVersion: '0.4.0', name: podNetworkName, plugins }
}

/** Without CAP_SYS_RESOURCE runc dies ("can't get final child's PID from pipe") unless OOM scores are restricted. */
function containerd() {
  return `version = 2
root = "${run}/containerd"
state = "${runPaths.containerdState}"
[grpc]
address = "${runPaths.containerdSocket}"
[plugins."io.containerd.internal.v1.opt"]
path = "${run}/containerd-opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "docker.io/lab/pause:1"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "${dirname(files.network)}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
Root = "${run}/runc"
`
}
