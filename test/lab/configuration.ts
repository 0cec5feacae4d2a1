// The files that the daemons read.
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pki } from './certificates.ts'
import { dnsAddress, nodeAddress, nodeName, podNetwork, podNetworkName, run, runPaths } from './layout.ts'

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
    writeJSON(runPaths.kubeconfig, kubeconfig()),
    writeJSON(files.auditPolicy, auditPolicy()),
    writeJSON(files.kubelet, kubelet()),
    writeJSON(files.kubeProxy, kubeProxy()),
    writeJSON(files.network, network()),
    write(files.containerd, containerd()),
    write(files.resolvConf, 'nameserver 127.0.0.1\n'), // there is no DNS outside; CoreDNS must not ask itself
  ])
}

/** Leaves a file alone that says the same already: kube-proxy exits when its file is rewritten. */
async function write(path: string, content: string): Promise<void> {
  if (existsSync(path) && (await readFile(path, 'utf8')) === content) return
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content)
}

const writeJSON = (path: string, content: object) => write(path, `${JSON.stringify(content, null, 2)}\n`)

function kubeconfig() {
  const cluster = { server: `https://${nodeAddress}:6443`, 'certificate-authority': pki('ca.crt') }
  const user = { 'client-certificate': pki('admin.crt'), 'client-key': pki('admin.key') }
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'lab', cluster }],
    users: [{ name: 'admin', user }],
    contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'admin' } }],
    'current-context': 'lab',
  }
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
