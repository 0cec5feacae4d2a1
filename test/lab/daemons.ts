import { join } from 'node:path'
import { pki } from './certificates.ts'
import { binaries, node } from './components.ts'
import { files } from './configuration.ts'
import { nodeAddress, nodeName, run, runPaths, serviceNetwork } from './layout.ts'
import type { Daemon } from './processes.ts'

const program = (name: string) => join(binaries(node), name)

/** etcd's main package is called `server`. */
export const etcd: Daemon = {
  name: 'etcd',
  argv: [
    program('server'),
    `--data-dir=${run}/etcd`,
    '--listen-client-urls=http://127.0.0.1:2379',
    '--advertise-client-urls=http://127.0.0.1:2379',
    '--listen-peer-urls=http://127.0.0.1:2380',
    '--unsafe-no-fsync',
  ],
}

export const apiServer: Daemon = {
  name: 'kube-apiserver',
  argv: [
    program('kube-apiserver'),
    '--etcd-servers=http://127.0.0.1:2379',
    `--advertise-address=${nodeAddress}`,
    '--secure-port=6443',
    `--tls-cert-file=${pki('apiserver.crt')}`,
    `--tls-private-key-file=${pki('apiserver.key')}`,
    `--client-ca-file=${pki('ca.crt')}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${pki('service-accounts.key')}`,
    `--service-account-signing-key-file=${pki('service-accounts.key')}`,
    `--service-cluster-ip-range=${serviceNetwork}`,
    '--authorization-mode=Node,RBAC',
    '--allow-privileged',
    `--kubelet-client-certificate=${pki('admin.crt')}`,
    `--kubelet-client-key=${pki('admin.key')}`,
    '--kubelet-preferred-address-types=InternalIP',
    `--audit-policy-file=${files.auditPolicy}`,
    `--audit-log-path=${runPaths.auditLog}`,
  ],
}

export const controllerManager: Daemon = {
  name: 'kube-controller-manager',
  argv: [
    program('kube-controller-manager'),
    `--kubeconfig=${runPaths.kubeconfig}`,
    `--service-account-private-key-file=${pki('service-accounts.key')}`,
    `--root-ca-file=${pki('ca.crt')}`,
    '--use-service-account-credentials',
    '--leader-elect=false',
    '--controllers=*,-node-ipam-controller', // the CNI plugin gives addresses
    // There is but one node. Tests that stop the API server must not find it NotReady, and all pods with it, for minutes after.
    '--node-monitor-grace-period=10m',
  ],
}

export const scheduler: Daemon = {
  name: 'kube-scheduler',
  argv: [program('kube-scheduler'), `--kubeconfig=${runPaths.kubeconfig}`, '--leader-elect=false'],
}

export const containerd: Daemon = { name: 'containerd', argv: ['/usr/bin/containerd', `--config=${files.containerd}`] }

export const kubelet: Daemon = {
  name: 'kubelet',
  argv: [
    program('kubelet'),
    `--config=${files.kubelet}`,
    `--kubeconfig=${runPaths.kubeconfig}`,
    `--node-ip=${nodeAddress}`,
    `--hostname-override=${nodeName}`,
    `--root-dir=${run}/kubelet`,
    `--cert-dir=${run}/kubelet-pki`,
  ],
}

export const kubeProxy: Daemon = {
  name: 'kube-proxy',
  argv: [program('kube-proxy'), `--config=${files.kubeProxy}`],
}

export const daemons = [etcd, apiServer, controllerManager, scheduler, containerd, kubelet, kubeProxy] as const
