/** The pods of a Service, which the API server asks: for a Service that is not exposed. */
import { type ServiceChoice, surveyServices } from '../addons/service-survey.ts'
import type { Cluster, ObjectName } from '../cluster/cluster.ts'
import { type ConfigMap, isReady, type Pod } from '../cluster/objects.ts'
import { listIfServed, readable, readServices, requireIstioVersion } from '../cluster/reading.ts'
import { CONFIG_MAPS, peerAuthentications } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { type Finding, warns } from '../findings.ts'
import { targetsNumbered } from '../gateways/find.ts'
import { configMapOf, rootNamespace } from '../gateways/mesh.ts'
import type { Sender, Sent } from '../probing/sender.ts'
import { sh } from '../shell.ts'
import { controlPlaneOf, isReadFor } from '../workloads/control-plane.ts'
import { answersMutualTls } from '../workloads/proxy.ts'
import { mutualTlsOf } from './peer-authentication.ts'
import { partsOf } from './via.ts'

/** Ready pods, and the port at which they serve. */
export interface PodTarget {
  service: string
  namespace: string
  /** Of the Service. */
  port: number
  pods: readonly { name: string; port: number }[]
  findings: readonly Finding[]
}

/** @throws UserError SERVICE_NOT_FOUND and others about its ports, TRAFFIC_PODS_NOT_READY, TRAFFIC_STRICT */
export async function findPods(choice: ServiceChoice, namespace: string, cluster: Cluster): Promise<PodTarget> {
  const [version, services] = await Promise.all([requireIstioVersion(cluster), readServices(cluster)])
  const [surveyed] = await surveyServices([choice], services, namespace, cluster)
  if (surveyed === undefined) throw new Error('a chosen Service was not surveyed')
  const { found, pods = [] } = surveyed
  const ready = pods.filter(isReady)
  const serving = ready.flatMap((pod) => {
    const [port] = targetsNumbered(found.service, [pod], found.port)
    return port === undefined ? [] : [{ pod, port }]
  })
  if (serving.length === 0) throw notReady(choice.name, namespace)
  const policies = await readable(listIfServed(cluster, peerAuthentications(version)))
  const read = (policies ?? []).filter((one) => isReadFor(one, ready))
  const root = read.length === 0 ? '' : await rootOf(ready, cluster)
  for (const { pod, port } of serving) {
    const { mode, from } = mutualTlsOf(pod, port, read, root)
    if (mode === 'STRICT' && answersMutualTls(pod)) throw strict(choice.name, namespace, { port, from: from ?? '' })
  }
  const counted = serving.some(({ pod }) => answersMutualTls(pod))
  return {
    service: choice.name,
    namespace,
    port: found.port,
    pods: serving.map(({ pod, port }) => ({ name: pod.metadata.name, port })),
    findings: counted ? [] : [noProxy(choice.name, namespace)],
  }
}

async function rootOf(pods: readonly Pod[], cluster: Cluster): Promise<string> {
  const plane = controlPlaneOf(pods)
  const configMap = await readable(cluster.get<ConfigMap>(CONFIG_MAPS, configMapOf(plane)))
  return rootNamespace(configMap, plane.namespace)
}

/** Asks the pods in turn. Each request is a new connection of the API server. */
export class PodSender implements Sender {
  readonly #cluster: Cluster
  readonly #target: PodTarget
  readonly #asking: { userAgent: string; method: 'GET' | 'HEAD' }
  #asked = 0

  constructor(target: PodTarget, asking: { userAgent: string; method: 'GET' | 'HEAD' }, cluster: Cluster) {
    this.#cluster = cluster
    this.#target = target
    this.#asking = asking
  }

  async send(text: string): Promise<Sent> {
    const { pods, namespace } = this.#target
    const pod = pods[this.#asked++ % pods.length]
    const { path, query } = partsOf(text)
    const at: Required<ObjectName> = { namespace, name: pod?.name ?? '' }
    const answer = await this.#cluster.askPod(at, {
      port: pod?.port ?? 0,
      path,
      query,
      timeout: TIMEOUT,
      ...this.#asking,
    })
    return 'failed' in answer ? { failed: 'POD_UNREACHABLE' } : { status: answer.status }
  }

  /** The connection to the API server is that of the command. */
  async close(): Promise<void> {}
}

/** Milliseconds. */
const TIMEOUT = 15_000

function notReady(name: string, namespace: string): UserError {
  return new UserError('TRAFFIC_PODS_NOT_READY', `no pod of Service ${namespace}/${name} is Ready`, {
    suggestions: [sh`kubectl -n ${namespace} describe service ${name}`],
  })
}

function strict(name: string, namespace: string, { port, from }: { port: number; from: string }): UserError {
  const [place, policy] = from.split('/')
  const message = `port ${port} of the pods of Service ${namespace}/${name} only accepts mutual TLS (STRICT, by PeerAuthentication ${from}); the API server speaks plaintext, so it would get no answer`
  return new UserError('TRAFFIC_STRICT', message, {
    suggestions: [
      sh`kubectl telemetry expose ${`svc/${name}`} -n ${namespace}   # then requests go through the gateway`,
      sh`kubectl -n ${place} get peerauthentications.security.istio.io ${policy} -o yaml`,
    ],
  })
}

function noProxy(name: string, namespace: string): Finding {
  return warns(
    'TRAFFIC_NO_PROXY',
    `the pods of Service ${namespace}/${name} have no proxy, so the mesh counts none of these requests`,
    sh`kubectl get namespace ${namespace} --show-labels   # istio-injection=enabled?`,
    sh`kubectl telemetry expose ${`svc/${name}`} -n ${namespace}   # the gateway counts what goes through it`,
  )
}
