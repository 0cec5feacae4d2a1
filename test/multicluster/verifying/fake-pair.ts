/**
 * Two clusters as seen from outside: pods that run clients, Envoys that count and dump their configuration, a gateway that passes
 * connections on. A call goes the way that a real one goes, and fails where something is wrong.
 */
import type { Cluster, KubeObject, ProgramEnd } from '../../../src/cluster/cluster.ts'
import type { ExportedService } from '../../../src/multicluster/exported.ts'
import type { Member } from '../../../src/multicluster/members.ts'
import { recordObject } from '../../../src/multicluster/record.ts'
import type { Pods } from '../../../src/multicluster/verifying/pods.ts'
import type { InsideRequest, Program } from '../../../src/world.ts'
import { FakeCluster } from '../../fakes/fake-cluster.ts'
import { FakeClock } from '../../fakes/fake-world.ts'
import { service } from '../../fakes/mesh.ts'
import { workload } from '../../fakes/workloads.ts'
import { type Root, root, workloadCertificate } from './certified.ts'

export const SNI = 'outbound_.8000_._.httpbin.bar.svc.cluster.local'
export const HTTPBIN = 'spiffe://cluster.local/ns/bar/sa/httpbin'
const SLEEP = 'spiffe://cluster.local/ns/foo/sa/sleep'

export const EXPORTED: ExportedService = {
  host: 'httpbin.bar.global',
  service: { namespace: 'bar', name: 'httpbin' },
  ports: [{ number: 8000, name: 'http-8000', protocol: 'HTTP', sni: SNI }],
  address: '240.0.0.2',
  to: 'east',
  from: [{ cluster: 'west', address: '203.0.113.7', port: 15_443 }],
  identities: [HTTPBIN],
  subsets: [],
  dns: 'coredns',
  entry: { namespace: 'istio-system', name: 'kubectl-telemetry-httpbin.bar.global' },
}

/** What can be wrong. */
export interface Faults {
  /** Programs in the caller's container. */
  programs: string[]
  resolves: boolean
  /** The name leads to another server, which answers 200. */
  elsewhere: boolean
  /** What the sidecar has; undefined: no cluster. */
  sidecar: { sni: string; identities: string[]; endpoints: number } | undefined
  way: 'open' | 'dropped' | 'refused'
  gatewayPod: boolean
  passes: boolean
  endpoints: number
  /** The roots: `shared`, or one of each cluster. */
  signer: { east: 'shared' | 'own'; west: 'shared' | 'own' }
  trusts: { east: ('shared' | 'own')[]; west: ('shared' | 'own')[] }
  identity: string
  /** Of the application; `silent` never answers. */
  status: number | 'silent'
  /** Clusters into which nobody may look through tunnels. */
  closed: string[]
}

const WELL: Faults = {
  programs: ['curl', 'wget', 'nc'],
  resolves: true,
  elsewhere: false,
  sidecar: { sni: SNI, identities: [HTTPBIN], endpoints: 1 },
  way: 'open',
  gatewayPod: true,
  passes: true,
  endpoints: 1,
  signer: { east: 'shared', west: 'shared' },
  trusts: { east: ['shared'], west: ['shared'] },
  identity: HTTPBIN,
  status: 200,
  closed: [],
}

interface Certificates {
  shared: Root
  own: { east: Root; west: Root }
}

let made: Promise<Certificates> | undefined

async function certificates(): Promise<Certificates> {
  made ??= Promise.all([root(0), root(1), root(2)]).then(([shared, east, west]) => ({ shared, own: { east, west } }))
  return made
}

type Side = 'east' | 'west'

export class FakePair {
  readonly east: FakeCluster
  readonly west: FakeCluster
  readonly members: Member[]
  readonly clock = new FakeClock()
  /** Each program that ran: `curl -sS …`. */
  readonly ran: string[] = []
  readonly asked: string[] = []
  readonly faults: Faults
  readonly exported: ExportedService
  readonly #certificates: Certificates
  #requests = 40
  #failures = 2

  static async create(faults: Partial<Faults> = {}, exported = EXPORTED): Promise<FakePair> {
    return new FakePair({ ...WELL, ...faults }, exported, await certificates())
  }

  private constructor(faults: Faults, exported: ExportedService, made: Certificates) {
    this.faults = faults
    this.exported = exported
    this.#certificates = made
    this.east = new NamedCluster('east-context', callingObjects())
    this.west = new NamedCluster('west-context', servingObjects(faults))
    this.members = [
      { name: 'east', cluster: this.east },
      { name: 'west', cluster: this.west },
    ]
  }

  get pods(): Pods {
    return {
      askInside: async (request, cluster) => this.#admin(request, cluster),
      readServedChain: async ({ pod, serverName }, cluster) => {
        this.asked.push(`chain of ${pod.name} ${serverName}`)
        if (this.#isClosed(cluster)) return undefined
        const { passes, endpoints } = this.faults
        if (!passes || endpoints === 0 || serverName !== SNI) return { failed: 'read ECONNRESET' }
        return { chain: [await this.#leaf('west')] }
      },
      runProgram: async (program) => this.#run(program),
    }
  }

  #isClosed(cluster: Cluster): boolean {
    return this.faults.closed.includes(this.#sideOf(cluster))
  }

  #sideOf(cluster: Cluster): Side {
    return cluster === this.east ? 'east' : 'west'
  }

  #leaf(side: Side): Promise<string> {
    const { shared, own } = this.#certificates
    const by = this.faults.signer[side] === 'shared' ? shared : own[side]
    return workloadCertificate(side === 'west' ? this.faults.identity : SLEEP, by)
  }

  #roots(side: Side): string {
    const { shared, own } = this.#certificates
    return this.faults.trusts[side].map((one) => (one === 'shared' ? shared : own[side]).certificate).join('')
  }

  async #admin({ pod, path }: InsideRequest, cluster: Cluster) {
    this.asked.push(`${pod.name} ${path}`)
    if (this.#isClosed(cluster)) return undefined
    const isGateway = pod.name.startsWith('istio-ingressgateway')
    const body = path.startsWith('/clusters')
      ? { cluster_statuses: isGateway ? this.#gatewayClusters() : this.#sidecarClusters() }
      : path.includes('dynamic_active_clusters')
        ? { configs: this.#clusterDump() }
        : path.includes('dynamic_listeners')
          ? { configs: this.#listeners() }
          : { configs: await this.#secrets(this.#sideOf(cluster)) }
    return { status: 200, body: JSON.stringify(body) }
  }

  #clusterName(): string {
    return `outbound|${this.exported.ports[0]?.number}||${this.exported.host}`
  }

  #sidecarClusters(): object[] {
    const { sidecar } = this.faults
    if (sidecar === undefined) return []
    const hosts = Array.from({ length: sidecar.endpoints }, () => ({
      address: { socket_address: { address: '203.0.113.7', port_value: 15_443 } },
      stats: [
        { name: 'cx_connect_fail', value: String(this.#failures) },
        { name: 'rq_total', value: String(this.#requests) },
        { type: 'GAUGE', name: 'rq_active' },
      ],
      health_status: { eds_health_status: 'HEALTHY' },
    }))
    return [{ name: this.#clusterName(), host_statuses: hosts }]
  }

  #gatewayClusters(): object[] {
    const hosts = Array.from({ length: this.faults.endpoints }, () => ({
      address: { socket_address: { address: '10.0.0.9', port_value: 8080 } },
      health_status: { eds_health_status: 'HEALTHY' },
    }))
    return [{ name: SNI, host_statuses: hosts }]
  }

  #clusterDump(): object[] {
    const { sidecar } = this.faults
    if (sidecar === undefined) return []
    const matchers = sidecar.identities.map((exact) => ({ san_type: 'URI', matcher: { exact } }))
    const tls = {
      sni: sidecar.sni,
      common_tls_context: {
        combined_validation_context: { default_validation_context: { match_typed_subject_alt_names: matchers } },
      },
    }
    const cluster = {
      name: this.#clusterName(),
      ...(sidecar.sni === '' ? {} : { transport_socket: { typed_config: tls } }),
    }
    return [{ cluster }]
  }

  #listeners(): object[] {
    const names = this.faults.passes ? [SNI] : ['outbound_.9000_._.other.bar.svc.cluster.local']
    const filter_chains = [{ filter_chain_match: { server_names: names, application_protocols: ['istio'] } }]
    return [{ name: '0.0.0.0_15443', active_state: { listener: { filter_chains } } }]
  }

  async #secrets(side: Side): Promise<object[]> {
    const inline = (text: string) => ({ inline_bytes: Buffer.from(text).toString('base64') })
    return [
      { name: 'default', secret: { tls_certificate: { certificate_chain: inline(await this.#leaf(side)) } } },
      { name: 'ROOTCA', secret: { validation_context: { trusted_ca: inline(this.#roots(side)) } } },
    ]
  }

  async #run({ argv }: Program): Promise<ProgramEnd> {
    const [program = '', ...words] = argv
    this.ran.push(argv.join(' '))
    if (!this.faults.programs.includes(program))
      return { failed: `exec: "${program}": executable file not found in $PATH`, absent: true }
    const outcome = this.#call()
    const isFtp = words.some((word) => word.startsWith('ftp://')) || program === 'nc'
    const said = program === 'curl' ? curlSays(outcome, isFtp) : wgetSays(outcome, isFtp)
    return { ...said, cut: { stdout: false, stderr: false } }
  }

  /** The way of a call. */
  #call(): Outcome {
    const { resolves, elsewhere, sidecar, way, gatewayPod, passes, endpoints, status } = this.faults
    if (!resolves) return 'unresolved'
    if (elsewhere) return 200
    if (sidecar === undefined) return 502
    if (sidecar.endpoints === 0) return 503
    if (way === 'dropped') {
      this.#failures++
      return 'silent'
    }
    const isPassed = way === 'open' && gatewayPod && passes && endpoints > 0 && sidecar.sni === SNI
    if (!isPassed || !this.#isAccepted(sidecar.identities)) {
      this.#failures++
      return 503
    }
    this.#requests++
    return status
  }

  #isAccepted(identities: string[]): boolean {
    const { signer, trusts, identity } = this.faults
    const isKnown = identities.length === 0 || identities.includes(identity)
    // A root of one's own is that of one cluster.
    const east = signer.west === 'shared' && trusts.east.includes('shared')
    const west = signer.east === 'shared' && trusts.west.includes('shared')
    return isKnown && east && west
  }
}

type Outcome = 'unresolved' | 'silent' | number

/** Words of curl 8. */
function curlSays(outcome: Outcome, isFtp: boolean): { exitCode: number; stdout: string; stderr: string } {
  if (outcome === 'unresolved')
    return { exitCode: 6, stdout: '', stderr: 'curl: (6) Could not resolve host: httpbin.bar.global\n' }
  if (outcome === 'silent' || isFtp)
    return { exitCode: 28, stdout: '', stderr: 'curl: (28) Operation timed out after 8001 milliseconds\n' }
  const body = outcome === 503 ? 'upstream connect error or disconnect/reset before headers' : '{}'
  return { exitCode: 0, stdout: `HTTP/1.1 ${outcome} Words\r\nserver: envoy\r\n\r\n${body}`, stderr: '' }
}

/** Words of BusyBox 1.37. */
function wgetSays(outcome: Outcome, isFtp: boolean): { exitCode: number; stdout: string; stderr: string } {
  if (outcome === 'unresolved')
    return { exitCode: 1, stdout: '', stderr: "wget: bad address 'httpbin.bar.global:8000'\n" }
  if (outcome === 'silent' || isFtp) return { exitCode: 1, stdout: '', stderr: 'wget: download timed out\n' }
  const head = `Connecting to httpbin.bar.global:8000 (240.0.0.2:8000)\n  HTTP/1.1 ${outcome} Words\n`
  if (outcome < 400) return { exitCode: 0, stdout: '{}', stderr: head }
  return { exitCode: 1, stdout: '', stderr: `${head}wget: server returned error: HTTP/1.1 ${outcome} Words\n` }
}

class NamedCluster extends FakeCluster {
  override readonly context: string

  constructor(context: string, objects: KubeObject[]) {
    super(objects)
    this.context = context
  }
}

function callingObjects(): KubeObject[] {
  return [...workload('sleep', { namespace: 'foo', podSpec: { serviceAccountName: 'sleep' } })]
}

function servingObjects({ gatewayPod, endpoints }: Faults): KubeObject[] {
  const ports = [{ name: 'tls-15443', port: 15_443, targetPort: 15_443 }]
  const gateway = { type: 'LoadBalancer', selector: { app: 'istio-ingressgateway' }, ports }
  const [deployment, ...gatewayPods] = workload('istio-ingressgateway', { namespace: 'istio-system', proxy: 'gateway' })
  const record = { name: 'west', gateway: { namespace: 'istio-system', service: 'istio-ingressgateway', port: 15_443 } }
  return [
    ...istiod(),
    service('istio-system', 'istio-ingressgateway', {}, gateway),
    ...(deployment === undefined ? [] : [deployment]),
    ...(gatewayPod ? gatewayPods : []),
    recordObject(record, 'istio-system'),
    service(
      'bar',
      'httpbin',
      {},
      { selector: { app: 'httpbin' }, ports: [{ name: 'http', port: 8000, targetPort: 8080 }] },
    ),
    ...workload('httpbin', { namespace: 'bar', proxy: endpoints === 0 ? 'none' : 'native' }),
  ]
}

function istiod(): KubeObject[] {
  const [deployment] = workload('istiod', {
    namespace: 'istio-system',
    proxy: 'none',
    template: { labels: { app: 'istiod' } },
  })
  return deployment === undefined
    ? []
    : [{ ...deployment, metadata: { ...deployment.metadata, labels: { app: 'istiod' } } }]
}
