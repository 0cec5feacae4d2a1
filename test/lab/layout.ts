// Where everything is: directories on this machine, addresses in the lab's network, versions.
import { homedir } from 'node:os'
import { join } from 'node:path'

/** The checkout that this file belongs to. */
export const checkout = join(import.meta.dirname, '..', '..')
export const labSources = import.meta.dirname

/** Survives `down`: binaries and image archives, shared by every checkout of this user. */
export const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'kubectl-telemetry-lab')

/**
 * Labs run side by side on one machine, each with a number. Lab 1 is the one of `npm run lab`; the environment variable
 * chooses another. Binaries and images are shared; everything below that is named or addressed differs by the number.
 */
const LAB_VARIABLE = 'KUBECTL_TELEMETRY_LAB'
export const labNumber = readNumber(process.env[LAB_VARIABLE])
/** Nothing for lab 1, so that its names stay the short ones. */
const suffix = labNumber === 1 ? '' : `-${labNumber}`
/** How people call the lab of this number. */
export const labCommand = `${labNumber === 1 ? '' : `${LAB_VARIABLE}=${labNumber} `}npm run lab --`

/** The environment of a process that is to use that lab. */
export function environmentOfLab(number: number): NodeJS.ProcessEnv {
  return { ...process.env, [LAB_VARIABLE]: String(number) }
}

/** @throws Error for what is no number of a lab: each has three networks from 10.88.0.0/16 on */
function readNumber(text = '1'): number {
  if (!/^[1-9]$/.test(text))
    throw new Error(`${LAB_VARIABLE} is the number of a lab, 1 to 9, not ${JSON.stringify(text)}`)
  return Number(text)
}

/** State of the running mesh. `down` removes all of it. */
export const run = join(cache, `run${suffix}`)
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

export const nodeName = `mesh-node${suffix}`
/** The node's network namespace. */
export const namespace = nodeName
/** This machine's end of the veth pair; the node's end is eth0. */
export const cable = `mesh-lab${labNumber === 1 ? 0 : labNumber}`
/** Also the name of the CNI plugins' cached results, by which `down` finds them: none may begin with another and a hyphen. */
export const podNetworkName = `kubectl-telemetry-lab${labNumber === 1 ? '' : labNumber}`
/** Abstract sockets: they live in the kernel and end with the process that holds them. */
export const lockSockets = { lab: `\0kubectl-telemetry-lab${suffix}`, build: '\0kubectl-telemetry-lab-build' } as const

/** `10.88.` for lab 1, `10.91.` for lab 2. */
const network = (which: 0 | 1 | 2) => `10.${85 + 3 * labNumber + which}.`
const [nodes, pods, services] = [network(0), network(1), network(2)]
export const hostAddress = `${nodes}0.1`
export const nodeAddress = `${nodes}0.2`
export const loadBalancerAddress = `${nodes}0.100`
export const podNetwork = `${pods}0.0/16`
export const podNetworkPrefix = pods
export const serviceNetwork = `${services}0.0/16`
export const apiServerServiceAddress = `${services}0.1`
export const dnsAddress = `${services}0.10`

export const istioVersions = ['1.31', '1.30'] as const
export type IstioVersion = (typeof istioVersions)[number]
export const defaultIstioVersion: IstioVersion = '1.31'
