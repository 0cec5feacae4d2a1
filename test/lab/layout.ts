// Where everything is: directories on this machine, addresses in the lab's network, versions.
import { homedir } from 'node:os'
import { join } from 'node:path'

/** The checkout that this file belongs to. */
export const checkout = join(import.meta.dirname, '..', '..')
export const labSources = import.meta.dirname

/** Survives `down`: binaries and image archives, shared by every checkout of this user. */
export const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'kubectl-telemetry-lab')

/** State of the running mesh. `down` removes all of it. */
export const run = join(cache, 'run')
export const runPaths = {
  owner: join(run, 'owner.json'),
  boot: join(run, 'boot-id'),
  logs: join(run, 'log'),
  pki: join(run, 'pki'),
  /** kubectl and the istioctl of the installed version, for people's PATH. */
  bin: join(run, 'bin'),
  images: join(run, 'images'),
  kubeconfig: join(run, 'kubeconfig'),
  auditLog: join(run, 'log', 'audit.log'),
  containerdSocket: join(run, 'containerd.sock'),
  containerdState: join(run, 'containerd-state'),
  podLogs: join(run, 'pod-logs'),
} as const

export const nodeName = 'mesh-node'
/** The node's network namespace. */
export const namespace = nodeName
/** This machine's end of the veth pair; the node's end is eth0. */
export const cable = 'mesh-lab0'
export const hostAddress = '10.88.0.1'
export const nodeAddress = '10.88.0.2'
export const loadBalancerAddress = '10.88.0.100'
export const podNetwork = '10.89.0.0/16'
export const podNetworkPrefix = '10.89.'
export const serviceNetwork = '10.90.0.0/16'
export const apiServerServiceAddress = '10.90.0.1'
export const dnsAddress = '10.90.0.10'

export const istioVersions = ['1.31', '1.30'] as const
export type IstioVersion = (typeof istioVersions)[number]
export const defaultIstioVersion: IstioVersion = '1.31'
