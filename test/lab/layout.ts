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
 * The second cluster of lab n is the lab n + 10: it has fewer parts, and is brought up and ended by lab n.
 */
const LAB_VARIABLE = 'KUBECTL_TELEMETRY_LAB'
export const labNumber = readNumber(process.env[LAB_VARIABLE])
export const isSecondCluster = labNumber > 10
/** Number of the lab that is this one's second cluster. */
export const secondNumber = labNumber + 10
/** How people call the lab of this number. */
export const labCommand = `${labNumber === 1 ? '' : `${LAB_VARIABLE}=${labNumber} `}npm run lab --`
/** How people bring it up. */
export const upCommand = isSecondCluster
  ? `${labNumber === 11 ? '' : `${LAB_VARIABLE}=${labNumber - 10} `}npm run lab -- up --clusters 2`
  : `${labCommand} up`

/** The environment of a process that is to use that lab. */
export function environmentOfLab(number: number): NodeJS.ProcessEnv {
  return { ...process.env, [LAB_VARIABLE]: String(number) }
}

/** @throws Error for what is no number of a lab: each has three networks from 10.88.0.0/16 on */
function readNumber(text = '1'): number {
  if (!/^1?[1-9]$/.test(text))
    throw new Error(
      `${LAB_VARIABLE} is the number of a lab, 1 to 9 (11 to 19 are their second clusters), not ${JSON.stringify(text)}`,
    )
  return Number(text)
}

/** What differs between labs, and between the two clusters of one lab. */
export interface Site {
  /** In the kubeconfig of the lab: `lab`, or `lab-2` for its second cluster. */
  context: string
  /** State of the running mesh. `down` removes all of it. */
  run: string
  runPaths: RunPaths
  nodeName: string
  /** The node's network namespace. */
  namespace: string
  /** This machine's end of the veth pair; the node's end is eth0. */
  cable: string
  /** The first two numbers of the addresses, `10.88.` for the nodes of lab 1. */
  nodes: string
  pods: string
  services: string
  nodeAddress: string
  loadBalancerAddress: string
}

interface RunPaths {
  owner: string
  boot: string
  logs: string
  pki: string
  /** kubectl and the istioctl of the installed version, for people's PATH. */
  bin: string
  images: string
  kubeconfig: string
  auditLog: string
  containerdSocket: string
  containerdState: string
  podLogs: string
}

function siteOf(number: number): Site {
  // Nothing for lab 1, so that its names stay the short ones.
  const suffix = number === 1 ? '' : `-${number}`
  const run = join(cache, `run${suffix}`)
  const network = (which: 0 | 1 | 2) => `10.${85 + 3 * number + which}.`
  return {
    context: number > 10 ? 'lab-2' : 'lab',
    run,
    runPaths: runPathsBelow(run),
    nodeName: `mesh-node${suffix}`,
    namespace: `mesh-node${suffix}`,
    cable: `mesh-lab${number === 1 ? 0 : number}`,
    nodes: network(0),
    pods: network(1),
    services: network(2),
    nodeAddress: `${network(0)}0.2`,
    loadBalancerAddress: `${network(0)}0.100`,
  }
}

function runPathsBelow(run: string): RunPaths {
  return {
    owner: join(run, 'owner.json'),
    boot: join(run, 'boot-id'),
    logs: join(run, 'log'),
    pki: join(run, 'pki'),
    bin: join(run, 'bin'),
    images: join(run, 'images'),
    kubeconfig: join(run, 'kubeconfig'),
    auditLog: join(run, 'log', 'audit.log'),
    containerdSocket: join(run, 'containerd.sock'),
    containerdState: join(run, 'containerd-state'),
    podLogs: join(run, 'pod-logs'),
  }
}

/** The cluster of this process, and the second cluster of its lab, which runs only when somebody asked for it. */
export const here = siteOf(labNumber)
export const second = siteOf(secondNumber)

export const { run, runPaths, nodeName, namespace, cable, nodeAddress, loadBalancerAddress } = here
/** Also the name of the CNI plugins' cached results, by which `down` finds them: none may begin with another and a hyphen. */
export const podNetworkName = `kubectl-telemetry-lab${labNumber === 1 ? '' : labNumber}`
/** Abstract sockets: they live in the kernel and end with the process that holds them. */
export const lockSockets = {
  lab: `\0kubectl-telemetry-lab${labNumber === 1 ? '' : `-${labNumber}`}`,
  build: '\0kubectl-telemetry-lab-build',
  packages: '\0kubectl-telemetry-lab-packages',
} as const

export const hostAddress = `${here.nodes}0.1`
export const podNetworkPrefix = here.pods
export const podNetwork = `${here.pods}0.0/16`
export const serviceNetwork = `${here.services}0.0/16`
export const apiServerServiceAddress = `${here.services}0.1`
export const dnsAddress = `${here.services}0.10`

export const istioVersions = ['1.31', '1.30'] as const
export type IstioVersion = (typeof istioVersions)[number]
export const defaultIstioVersion: IstioVersion = '1.31'
