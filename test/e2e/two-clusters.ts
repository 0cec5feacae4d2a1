/** The lab's two clusters, and what the page of istio.io has in them: `sleep` in `foo` of the first, `httpbin` in `bar` of the second. */
import { type ClusterNumber, siteOfCluster, up } from '../lab/lab.ts'
import { dumpAll } from './dump.ts'
import { type Outcome, Workplace } from './mesh.ts'
import { HTTPBIN, meshNamespace, WIRE, waitUntilReady } from './mesh-workloads.ts'

/** Images that play `sleep`: with curl and wget, or with one of them. */
export const CLIENT = 'lab/client:1'
export const CLIENT_WITH_CURL = 'lab/client-curl:1'
export const CLIENT_WITH_WGET = 'lab/client-wget:1'

/** Namespaces of the page's `sleep` and `httpbin`. */
export const [FOO, BAR] = ['foo', 'bar']

/** Contexts of the two clusters, as in the kubeconfig of `first`. */
export const CONTEXTS = [1, 2].map((cluster) => siteOfCluster(cluster as ClusterNumber).context)

/** A workplace in each cluster. The first one's kubeconfig has both contexts, so `first.telemetry('--context', …)` reaches both. */
export class TwoClusters {
  readonly first: Workplace
  readonly second: Workplace

  private constructor() {
    this.first = new Workplace(1)
    this.second = new Workplace(2)
  }

  /** Brings the clusters up when they are not, which takes seconds when they are. */
  static async start(): Promise<TwoClusters> {
    await up({ clusters: 2 })
    return new TwoClusters()
  }

  /** All objects of both. */
  dump(): Map<string, string> {
    return dumpAll(this.first, this.second)
  }

  end(): void {
    this.first.end()
    this.second.end()
  }
}

/** Istio's sample `sleep` in a namespace of its own: a pod that waits to be told whom to call. */
export function sleep(namespace: string, { image = CLIENT, mode }: { image?: string; mode?: 'STRICT' } = {}): object[] {
  return [...meshNamespace(namespace, mode), ...service('sleep', namespace, { image, ports: { http: [80, 80] } })]
}

/** Istio's sample `httpbin` in a namespace of its own, at port 8000. It says at /hostname which pod it is. */
export function httpbin(namespace: string, { mode, version = 'v1', account }: ServerOptions = {}): object[] {
  const env = [{ name: 'USE_REAL_HOSTNAME', value: 'true' }]
  return [
    ...meshNamespace(namespace, mode),
    ...service('httpbin', namespace, { image: HTTPBIN, version, account, env, ports: { http: [8000, 8080] } }),
  ]
}

/** The wire server in a namespace of its own, with an account of its own: HTTP at 8080, TCP at 9000. */
export function wire(namespace: string, { mode, version = 'v1' }: ServerOptions = {}): object[] {
  const ports: Ports = { http: [8080, 8080], 'tcp-raw': [9000, 9000] }
  return [...meshNamespace(namespace, mode), ...service('wire', namespace, { image: WIRE, version, ports })]
}

interface ServerOptions {
  /** Of mutual TLS in the namespace. */
  mode?: 'STRICT'
  /** Label `version`, and the end of the Deployment's name where it is not v1. */
  version?: string
  /** Its service account, where it has not the name of the Service. */
  account?: string | undefined
}

/** The Service's port and the container's, by name. */
type Ports = Record<string, [number, number]>

interface Wanted {
  image: string
  version?: string
  account?: string | undefined
  env?: object[]
  ports: Ports
}

function service(name: string, namespace: string, { image, version, account = name, env, ports }: Wanted): object[] {
  const labels = version === undefined ? { app: name } : { app: name, version }
  const metadata = { name: version === undefined || version === 'v1' ? name : `${name}-${version}`, namespace, labels }
  const container = { name, image, imagePullPolicy: 'IfNotPresent', ...(env === undefined ? {} : { env }) }
  const pod = { serviceAccountName: account, terminationGracePeriodSeconds: 0, containers: [container] }
  const servicePorts = Object.entries(ports).map(([portName, [port, targetPort]]) => ({
    name: portName,
    port,
    targetPort,
  }))
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: account, namespace } },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: pod } },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace, labels: { app: name } },
      spec: { selector: { app: name }, ports: servicePorts },
    },
  ]
}

/** Applies objects and waits until the Deployments among them are Ready. */
export function start(workplace: Workplace, objects: object[]): void {
  workplace.apply(...objects)
  for (const { kind, metadata } of objects as { kind: string; metadata: { name: string; namespace: string } }[])
    if (kind === 'Deployment') waitUntilReady(workplace, metadata.namespace, `deploy/${metadata.name}`)
}

/** What is left to delete in a namespace of which more stays. */
export function withoutNamespace(objects: object[]): object[] {
  return objects.filter((object) => (object as { kind: string }).kind !== 'Namespace')
}

/** Deletes namespaces with all that is in them. */
export function endNamespaces(workplace: Workplace, ...namespaces: string[]): void {
  workplace.kubectl('delete', 'namespace', ...namespaces, '--ignore-not-found', '--wait=true', '--timeout=85s')
}

/** The node port of the port that `connect` added: by it a gateway without a load balancer is entered. */
export function entryNodePort(workplace: Workplace): number {
  const ports = '-o=jsonpath={.spec.ports[?(@.port==15443)].nodePort}'
  return Number(workplace.kubectl('-n', 'istio-system', 'get', 'service', 'istio-ingressgateway', ports))
}

/** Runs a program in the container of `sleep`. */
export function inSleep(workplace: Workplace, namespace: string, ...argv: string[]): Outcome {
  const words = ['-n', namespace, 'exec', 'deploy/sleep', '-c', 'sleep', '--', ...argv]
  return workplace.run('kubectl', words)
}

/** Calls a URL with curl in the container of `sleep`. @returns status 0 where there was no answer */
export function call(workplace: Workplace, namespace: string, url: string, ...more: string[]): Answer {
  const { stdout, stderr } = inSleep(workplace, namespace, 'curl', '-sS', '-i', '-m', '5', ...more, url)
  const end = stdout.indexOf('\r\n\r\n')
  const status = Number(/^HTTP\/[\d.]+ (\d+)/.exec(stdout)?.[1] ?? 0)
  return { status, headers: stdout.slice(0, Math.max(end, 0)), body: end < 0 ? '' : stdout.slice(end + 4), stderr }
}

export interface Answer {
  status: number
  headers: string
  body: string
  /** Of curl, with kubectl's last line. */
  stderr: string
}
