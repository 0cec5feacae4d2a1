import { daemons } from './daemons.ts'
import { kubectl } from './kubectl.ts'
import { nodeAddress, upCommand } from './layout.ts'
import { readOwner } from './lock.ts'
import { runningDaemon } from './processes.ts'

interface Deployment {
  metadata: { name: string }
  spec: { replicas: number; template: { spec: { containers: { image: string }[] } } }
  status: { readyReplicas?: number }
}

interface Service {
  spec: { ports: { port: number; nodePort?: number }[] }
  status: { loadBalancer: { ingress?: { ip: string }[] } }
}

export interface Status {
  up: boolean
  lines: string[]
}

/** One screen: what runs, and whether each part is ready. */
export async function readStatus(): Promise<Status> {
  const owner = await readOwner()
  if (!owner) return { up: false, lines: [`the lab is down; bring it up with: ${upCommand}`] }
  const running = daemons.map((daemon) => ({ name: daemon.name, pid: runningDaemon(daemon)?.pid }))
  const processes = running.map(({ name, pid }) => `${name} ${pid ?? 'DOWN'}`).join('  ')
  const cluster = running.find(({ name }) => name === 'kube-apiserver')?.pid ? await readCluster() : undefined
  return {
    up: running.every(({ pid }) => pid !== undefined) && cluster?.up === true,
    lines: [
      `owner      ${owner.checkout}`,
      `processes  ${processes}`,
      ...(cluster?.lines ?? ['cluster    unreachable']),
    ],
  }
}

async function readCluster(): Promise<Status | undefined> {
  try {
    const inMesh = ['--namespace=istio-system', '--output=json']
    const [node, deployments, gateway] = await Promise.all([
      kubectl('get', 'nodes', '--no-headers'),
      kubectl('get', 'deployments', ...inMesh).then((text): Deployment[] => JSON.parse(text).items),
      kubectl('get', 'service/istio-ingressgateway', '--ignore-not-found', ...inMesh).then(
        (text): Service | undefined => (text === '' ? undefined : JSON.parse(text)),
      ),
    ])
    const istio = deployments.filter(({ metadata }) => metadata.name.startsWith('istio'))
    const addons = deployments.filter((deployment) => !istio.includes(deployment))
    return {
      up: /\sReady\s/.test(node) && istio.length > 1 && deployments.every(isReady),
      lines: [
        `node       ${node.trim().replaceAll(/\s+/g, ' ')}`,
        `istio      ${istio.map(describeDeployment).join('  ')}`,
        `gateway    ${gateway ? describeGateway(gateway) : 'not installed'}`,
        `add-ons    ${addons.map(describeDeployment).join('  ') || 'none'}`,
      ],
    }
  } catch {
    return undefined // the API server runs but does not answer
  }
}

const isReady = ({ spec, status }: Deployment) => (status.readyReplicas ?? 0) >= spec.replicas

function describeDeployment(deployment: Deployment): string {
  const { metadata, spec, status } = deployment
  const tag = spec.template.spec.containers.at(-1)?.image.split(':').at(-1)
  return `${metadata.name} ${tag} ${status.readyReplicas ?? 0}/${spec.replicas}`
}

function describeGateway({ spec, status }: Service): string {
  const address = status.loadBalancer.ingress?.[0]?.ip ?? '<pending>'
  const ports = spec.ports.map(({ port, nodePort }) => `${port}:${nodePort}`).join(' ')
  return `${address}  node ports at ${nodeAddress}: ${ports}`
}
