/** The bench's server in the cluster, and a watch for its Ready pod. */
import { readFileSync } from 'node:fs'
import { type RequestOptions, request } from 'node:https'
import { createInterface } from 'node:readline'
import type { EndpointSlice } from '../../src/cluster/objects.ts'
import { readyTargets } from '../../src/forwarding/ready-targets.ts'
import type { Workplace } from '../e2e/mesh.ts'
import { labPaths } from '../lab/lab.ts'
import { LABELS, NAMESPACE, PORT, SERVICE } from './tools.ts'

interface KubeConfig {
  clusters: [{ cluster: { server: string; 'certificate-authority': string } }]
  users: [{ user: { 'client-certificate': string; 'client-key': string } }]
}

export class Server {
  readonly #workplace: Workplace

  constructor(workplace: Workplace) {
    this.#workplace = workplace
  }

  async start(): Promise<void> {
    // The namespace of an earlier bench may still be terminating.
    this.#workplace.kubectl('wait', '--for=delete', `namespace/${NAMESPACE}`, '--timeout=60s')
    this.#workplace.apply(...objects())
    await this.ready()
  }

  end(): void {
    this.#workplace.kubectl('delete', 'namespace', NAMESPACE, '--ignore-not-found', '--wait=false')
  }

  async ready(): Promise<void> {
    this.#workplace.kubectl('-n', NAMESPACE, 'rollout', 'status', `deployment/${SERVICE}`, '--timeout=60s')
  }

  /** Deletes the pod. @returns when the EndpointSlice has another Ready pod, on the clock of `performance` */
  replacePod(): Promise<number> {
    return new Promise((resolve, reject) => {
      const ready = new Set<string>()
      const watching = request(sliceWatch(), (response) => {
        const lines = createInterface({ input: response })
        // The error of an ended watch.
        lines.on('error', () => {})
        lines.on('line', (line) => {
          const { object } = JSON.parse(line) as { object: EndpointSlice }
          const pods = readyTargets([object], 'http').map(({ pod }) => pod)
          const isNew = pods.some((pod) => !ready.has(pod))
          if (isNew && ready.size > 0) {
            resolve(performance.now())
            watching.destroy()
          } else if (isNew) {
            for (const pod of pods) ready.add(pod)
            this.#delete(pods).catch(reject)
          }
        })
      })
      watching.on('error', reject)
      watching.end()
    })
  }

  /** In a separate process, because this one sends requests. */
  #delete([pod = '']: string[]): Promise<void> {
    const path = `/api/v1/namespaces/${NAMESPACE}/pods/${pod}`
    return new Promise((resolve, reject) => {
      const deleting = request({ ...apiServer(), path, method: 'DELETE' }, (response) => {
        response.resume()
        if (response.statusCode === 200) resolve()
        else reject(new Error(`the pod was not deleted: ${response.statusCode}`))
      })
      deleting.on('error', reject)
      deleting.end()
    })
  }
}

function sliceWatch(): RequestOptions {
  const selector = encodeURIComponent(`kubernetes.io/service-name=${SERVICE}`)
  const path = `/apis/discovery.k8s.io/v1/namespaces/${NAMESPACE}/endpointslices?watch=1&labelSelector=${selector}`
  return { ...apiServer(), path }
}

function apiServer(): RequestOptions {
  const { clusters, users } = JSON.parse(readFileSync(labPaths().kubeconfig, 'utf8')) as KubeConfig
  const { hostname, port } = new URL(clusters[0].cluster.server)
  return {
    host: hostname,
    port,
    agent: false,
    ca: readFileSync(clusters[0].cluster['certificate-authority']),
    cert: readFileSync(users[0].user['client-certificate']),
    key: readFileSync(users[0].user['client-key']),
  }
}

/** The wire server with the label that istioctl searches for; outside of the mesh, so that no sidecar is measured. */
function objects(): object[] {
  const metadata = { name: SERVICE, namespace: NAMESPACE, labels: LABELS }
  const container = {
    name: 'wire',
    image: 'lab/wire:1',
    imagePullPolicy: 'IfNotPresent',
    ports: [{ name: 'http', containerPort: PORT }],
    readinessProbe: { httpGet: { path: '/', port: PORT }, periodSeconds: 1 },
  }
  const spec = {
    selector: { matchLabels: LABELS },
    template: { metadata: { labels: LABELS }, spec: { containers: [container] } },
  }
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec },
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: LABELS, ports: [{ name: 'http', port: PORT }] } },
  ]
}
