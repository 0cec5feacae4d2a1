/** Workloads in the mesh, and how their metrics are asked for: with a certificate of the mesh, without, in clear. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { insideNamespace } from '../lab/network.ts'
import type { Workplace } from './mesh.ts'

export const WIRE = 'lab/wire:1'
export const HTTPBIN = 'mccutchen/go-httpbin:2.26.0'

interface Meshed {
  name: string
  namespace: string
  kind?: 'Deployment' | 'StatefulSet' | 'DaemonSet'
  image?: string
  ports?: number[]
  annotations?: Record<string, string>
  labels?: Record<string, string>
  /** Fields of the object's spec beside the usual ones. */
  spec?: object
  /** Fields of the pod's spec beside the usual ones. */
  pod?: object
  container?: object
}

/** A namespace whose pods get a sidecar. @param mode of mutual TLS; the mesh's own when left out */
export function meshedNamespace(name: string, mode?: 'STRICT'): object[] {
  const policy = {
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: { name: 'default', namespace: name },
    spec: { mtls: { mode } },
  }
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { 'istio-injection': 'enabled' } } },
    ...(mode === undefined ? [] : [policy]),
  ]
}

/** A workload with one pod, and a Service for each of its ports in one. */
export function meshedWorkload(wanted: Meshed): object[] {
  const { name, namespace, kind = 'Deployment', image = WIRE, ports = [8080], annotations, labels } = wanted
  const metadata = { name, namespace, labels: { app: name } }
  const container = {
    name: 'app',
    image,
    imagePullPolicy: 'IfNotPresent',
    ports: ports.map((containerPort) => ({ containerPort })),
    ...wanted.container,
  }
  const template = {
    metadata: { labels: { app: name, ...labels }, ...(annotations === undefined ? {} : { annotations }) },
    spec: { terminationGracePeriodSeconds: 0, containers: [container], ...wanted.pod },
  }
  const spec = {
    selector: { matchLabels: { app: name } },
    template,
    ...(kind === 'StatefulSet' ? { serviceName: name } : {}),
    ...wanted.spec,
  }
  const named = ports.map((port) => ({ name: port === 9000 ? 'tcp-raw' : `http-${port}`, port }))
  return [
    { apiVersion: 'apps/v1', kind, metadata, spec },
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: { app: name }, ports: named } },
  ]
}

/** Waits until the pods of a workload are ready. @param workload `deploy/web` */
export function ready(workplace: Workplace, namespace: string, ...workloads: string[]): void {
  for (const workload of workloads) workplace.kubectl('-n', namespace, 'rollout', 'status', workload, '--timeout=85s')
}

interface PodList {
  items: { metadata: { uid: string; deletionTimestamp?: string }; status: { podIP: string } }[]
}

/** The one pod of a workload that stays. */
export function podOf(workplace: Workplace, namespace: string, app: string): { uid: string; address: string } {
  const list = workplace.kubectl('-n', namespace, 'get', 'pods', '-l', `app=${app}`, '-o', 'json')
  const staying = (JSON.parse(list) as PodList).items.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
  const [pod] = staying
  if (pod === undefined || staying.length > 1) throw new Error(`${staying.length} pods have the label app=${app}`)
  return { uid: pod.metadata.uid, address: pod.status.podIP }
}

/** Somebody with a certificate of the mesh, as Prometheus is: a pod whose proxy writes it to files. */
export class Scraper {
  readonly #workplace: Workplace
  readonly #namespace: string
  #files: string[] = []

  constructor(workplace: Workplace, namespace: string) {
    this.#workplace = workplace
    this.#namespace = namespace
  }

  objects(): object[] {
    const config = 'proxyMetadata:\n  OUTPUT_CERTS: /var/lib/istio/data\n'
    return meshedWorkload({
      ...{ name: 'scraper', namespace: this.#namespace, image: HTTPBIN },
      annotations: { 'proxy.istio.io/config': config },
    })
  }

  /** When it is ready. */
  fetchCertificate(): void {
    const directory = mkdtempSync(join(this.#workplace.directory, 'scraper-'))
    const file = (name: string) => {
      const path = join(directory, name)
      writeFileSync(path, this.#exec('istio-proxy', 'cat', `/var/lib/istio/data/${name}`), { mode: 0o600 })
      return path
    }
    this.#files = ['--cert', file('cert-chain.pem'), '--key', file('key.pem'), '--cacert', file('root-cert.pem')]
  }

  /** As another sidecar calls the application: mutual TLS with the name of Istio's protocol. @returns what the page says */
  asSidecar(address: string, port: number): string {
    const [, certificate = '', , key = ''] = this.#files
    const program = `const socket = require('node:tls').connect({ host: '${address}', port: ${port}, ALPNProtocols: ['istio'],
      rejectUnauthorized: false, cert: fs.readFileSync('${certificate}'), key: fs.readFileSync('${key}') },
      () => socket.write('GET / HTTP/1.1\\r\\nHost: web\\r\\nConnection: close\\r\\n\\r\\n'))
    socket.pipe(process.stdout); socket.setTimeout(5000, () => socket.destroy())`
    const [command, ...words] = insideNamespace([process.execPath, '-e', program])
    return this.#workplace.run(command, words).stdout.split('\r\n\r\n')[1] ?? ''
  }

  /** With its certificate, at a pod's own port. @returns curl's exit code beside what came */
  secure(url: string): { body: string; exitCode: number } {
    return this.#curl('-k', ...this.#files, url)
  }

  /** Without a certificate. */
  anonymous(url: string): { body: string; exitCode: number } {
    return this.#curl('-k', url)
  }

  #curl(...words: string[]): { body: string; exitCode: number } {
    const [command, ...rest] = insideNamespace(['curl', '-sS', '-m', '5', ...words])
    const { stdout, exitCode } = this.#workplace.run(command, rest)
    return { body: stdout, exitCode }
  }

  #exec(container: string, ...words: string[]): string {
    return this.#workplace.kubectl('-n', this.#namespace, 'exec', 'deploy/scraper', '-c', container, '--', ...words)
  }
}

interface Listener {
  filterChains: { name?: string; filterChainMatch?: { destinationPort?: number }; filters?: { name: string }[] }[]
}

/** How connections to a workload's own ports come in: what istiod made of its Services. */
export function inboundChains(workplace: Workplace, namespace: string, workload: string, ports: number[]): string[] {
  const words = ['proxy-config', 'listeners', `${workload}.${namespace}`, '--port', '15006', '-o', 'json']
  const { stdout, stderr, exitCode } = workplace.run('istioctl', words)
  if (exitCode !== 0) throw new Error(`istioctl: ${stderr}`)
  const chains = (JSON.parse(stdout) as Listener[]).flatMap(({ filterChains }) => filterChains)
  return chains
    .filter(({ filterChainMatch }) => ports.includes(filterChainMatch?.destinationPort ?? 0))
    .map(({ name, filterChainMatch, filters = [] }) =>
      JSON.stringify({ name, filterChainMatch, filters: filters.map((filter) => filter.name) }),
    )
}
