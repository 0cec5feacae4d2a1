/** Workloads in the mesh, and a client that requests their metrics: with a certificate of the mesh, without one, in plaintext. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { insideNamespace } from '../lab/network.ts'
import type { Workplace } from './mesh.ts'

export const WIRE = 'lab/wire:1'
export const HTTPBIN = 'mccutchen/go-httpbin:2.26.0'

interface MeshWorkload {
  name: string
  namespace: string
  kind?: 'Deployment' | 'StatefulSet' | 'DaemonSet'
  image?: string
  ports?: number[]
  annotations?: Record<string, string>
  labels?: Record<string, string>
  /** Labels of the objects themselves; by default `app`. */
  ownLabels?: Record<string, string>
  /** More fields of the object's spec. */
  spec?: object
  /** More fields of the pod's spec. */
  pod?: object
  container?: object
}

/** A namespace whose pods get a sidecar. @param mode of mutual TLS; by default that of the mesh */
export function meshNamespace(name: string, mode?: 'STRICT'): object[] {
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

/** A workload with one pod, and one Service with all its ports. */
export function meshWorkload(wanted: MeshWorkload): object[] {
  const { name, namespace, kind = 'Deployment', image = WIRE, ports = [8080], annotations, labels } = wanted
  const metadata = { name, namespace, labels: wanted.ownLabels ?? { app: name } }
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
export function waitUntilReady(workplace: Workplace, namespace: string, ...workloads: string[]): void {
  for (const workload of workloads) workplace.kubectl('-n', namespace, 'rollout', 'status', workload, '--timeout=85s')
}

interface PodList {
  items: { metadata: { uid: string; deletionTimestamp?: string }; status: { podIP: string } }[]
}

/** The only pod of a workload that is not being deleted. */
export function podOf(workplace: Workplace, namespace: string, app: string): { uid: string; address: string } {
  const list = workplace.kubectl('-n', namespace, 'get', 'pods', '-l', `app=${app}`, '-o', 'json')
  const staying = (JSON.parse(list) as PodList).items.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
  const [pod] = staying
  if (pod === undefined || staying.length > 1) throw new Error(`${staying.length} pods have the label app=${app}`)
  return { uid: pod.metadata.uid, address: pod.status.podIP }
}

/** A client with a certificate of the mesh, like Prometheus: a pod whose proxy writes the certificate to files. */
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
    return meshWorkload({
      ...{ name: 'scraper', namespace: this.#namespace, image: HTTPBIN },
      annotations: { 'proxy.istio.io/config': config },
    })
  }

  /** Copies the certificate to this machine. The pod has to be ready. */
  fetchCertificate(): void {
    const directory = mkdtempSync(join(this.#workplace.directory, 'scraper-'))
    const file = (name: string) => {
      const path = join(directory, name)
      writeFileSync(path, this.#exec('istio-proxy', 'cat', `/var/lib/istio/data/${name}`), { mode: 0o600 })
      return path
    }
    this.#files = ['--cert', file('cert-chain.pem'), '--key', file('key.pem'), '--cacert', file('root-cert.pem')]
  }

  /** Requests the page like another sidecar: mutual TLS with Istio's ALPN name. @returns the body */
  getAsSidecar(address: string, port: number): string {
    const [, certificate = '', , key = ''] = this.#files
    const program = `const socket = require('node:tls').connect({ host: '${address}', port: ${port}, ALPNProtocols: ['istio'],
      rejectUnauthorized: false, cert: fs.readFileSync('${certificate}'), key: fs.readFileSync('${key}') },
      () => socket.write('GET / HTTP/1.1\\r\\nHost: web\\r\\nConnection: close\\r\\n\\r\\n'))
    socket.pipe(process.stdout); socket.setTimeout(5000, () => socket.destroy())`
    const [command, ...words] = insideNamespace([process.execPath, '-e', program])
    return this.#workplace.run(command, words).stdout.split('\r\n\r\n')[1] ?? ''
  }

  /** Requests a URL with the certificate. @returns the body and curl's exit code */
  getWithCertificate(url: string): { body: string; exitCode: number } {
    return this.#curl('-k', ...this.#files, url)
  }

  /** Requests a URL without a certificate. */
  getWithoutCertificate(url: string): { body: string; exitCode: number } {
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

/** Filter chains for connections to a workload's own ports, as istiod derives them from its Services. */
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
