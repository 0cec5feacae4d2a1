/** Clusters with everything: Istio, add-ons, exposures with guards in both layouts, scraping by both methods, records, links. */
import { generateKeyPairSync } from 'node:crypto'
import { ADDON_NAMES, classicPortOf } from '../../src/addons/catalog.ts'
import { readCertificate } from '../../src/certificates/authority.ts'
import type { KubeObject, Resource } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import type { Probe } from '../../src/probing/prober.ts'
import { SECURE_JOB } from '../../src/scraping/scraper/secure-job.ts'
import { SECURE_PORT } from '../../src/scraping/workload.ts'
import { runCommand } from '../commands/run-command.ts'
import { copied } from '../fakes/copied.ts'
import type { FakeCluster } from '../fakes/fake-cluster.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { type FakeAuthorities, type FakeWorld, fakeWorld } from '../fakes/fake-world.ts'
import { asFormerVersion } from '../fakes/former-version.ts'
import { grafana, ingressGateway, jaeger, kiali, kialiDeployment, node, prometheus } from '../fakes/mesh.ts'
import { ScrapedCluster } from '../fakes/scraped-cluster.ts'
import { workload } from '../fakes/workloads.ts'
import { istiod } from '../installing/installing.ts'

/** A cluster at rest, and this machine's CAs for it. */
export interface Scene {
  name: string
  objects: KubeObject[]
  authorities: FakeAuthorities['kept']
  groups: Record<string, string[]>
}

/** Short, because signing is most of the work. */
const KEY = generateKeyPairSync('rsa', { modulusLength: 1024 })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString()

const MESH = `extensionProviders:
- name: gate
  envoyExtAuthzHttp: {service: gate.default.svc.cluster.local, port: 8000}
defaultConfig:
  gatewayTopology: {numTrustedProxies: 0}
`

export type SceneWorld = FakeWorld & { cluster: ScrapedCluster; touched: ReadonlySet<string> }

const object = (kind: string, name: string, namespace: string, content: object): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace },
  ...content,
})

function mesh(): KubeObject[] {
  const config = { data: { mesh: MESH } }
  const policy = {
    spec: {
      selector: { matchLabels: { app: 'web' } },
      action: 'ALLOW',
      rules: [{ to: [{ operation: { ports: ['8080'] } }] }],
    },
  }
  const sidecar = {
    spec: {
      workloadSelector: { labels: { app: 'db' } },
      egress: [{ hosts: ['./*'] }],
      ingress: [{ port: { number: 7000, protocol: 'TCP', name: 'tcp' }, defaultEndpoint: '127.0.0.1:7001' }],
    },
  }
  const theirs = {
    spec: {
      selector: { istio: 'ingressgateway' },
      servers: [
        {
          port: { number: 443, name: 'https', protocol: 'HTTPS' },
          hosts: ['shop/shop.example.com'],
          tls: { mode: 'SIMPLE', credentialName: 'shop' },
        },
      ],
    },
  }
  return [
    ...grafana(),
    ...ingressGateway(),
    ...jaeger(),
    ...kiali(),
    kialiWithContainers(),
    ...prometheus(),
    node('node-1', [{ type: 'InternalIP', address: '192.0.2.77' }]),
    object('ConfigMap', 'istio', 'istio-system', config),
    object('Gateway', 'shop', 'istio-system', theirs),
    object('AuthorizationPolicy', 'web', 'shop', policy),
    object('Sidecar', 'db', 'shop', sidecar),
    object('PeerAuthentication', 'default', 'shop', {
      spec: { mtls: { mode: 'PERMISSIVE' }, portLevelMtls: { 8080: { mode: 'STRICT' } } },
    }),
    object('NetworkPolicy', 'web', 'shop', {
      spec: {
        podSelector: { matchLabels: { app: 'web' } },
        policyTypes: ['Ingress'],
        ingress: [{ ports: [{ port: 8080 }] }],
      },
    }),
    object('Service', 'web', 'shop', {
      spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
    }),
    object('Service', 'web', 'edge', {
      spec: {
        selector: { app: 'edge' },
        clusterIP: '10.90.0.8',
        ports: [{ name: 'http', port: 8080, appProtocol: 'http' }],
      },
    }),
    object('EndpointSlice', 'grafana-1', 'istio-system', {
      metadata: { name: 'grafana-1', namespace: 'istio-system', labels: { 'kubernetes.io/service-name': 'grafana' } },
      ports: [{ name: 'service', port: 3000 }],
      endpoints: [{ conditions: { ready: true }, targetRef: { kind: 'Pod', name: 'grafana-abc' } }],
    }),
    ...workload('web', {
      pods: 1,
      namespace: 'shop',
      template: { annotations: { 'proxy.istio.io/config': 'concurrency: 2\nproxyMetadata: {A: b}\n' } },
    }),
    ...workload('db', { kind: 'StatefulSet', namespace: 'shop', istio: '1.30.0', revision: 'old' }),
    ...workload('edge', { proxy: 'gateway', namespace: 'edge' }),
  ]
}

function kialiWithContainers(): KubeObject {
  const one = kialiDeployment()
  const { template } = one.spec as { template: { spec: object } }
  const { metadata } = template as unknown as { metadata: { labels: object } }
  const spec = { ...template.spec, containers: [{ name: 'kiali', image: 'kiali:v2' }] }
  return { ...one, spec: { replicas: 1, selector: { matchLabels: metadata.labels }, template: { ...template, spec } } }
}

/** Every object has a label and an annotation, so that reads of absent ones are seen. */
function withMaps({ metadata, ...content }: KubeObject): KubeObject {
  const { labels, annotations } = metadata
  return {
    ...content,
    metadata: { ...metadata, labels: { ...labels, 'fuzz/none': '' }, annotations: { ...annotations, 'fuzz/none': '' } },
  } as KubeObject
}

/** A world whose gateway asks for the logins that its guards want. */
function worldOf(cluster: FakeCluster): FakeWorld {
  const world = fakeWorld(cluster, new FakeTerminal())
  const [asks, page]: [Probe, Probe] = [
    { ok: true, hop: 'access', status: 401, protocol: 'HTTP/2', milliseconds: 1 },
    { ok: true, hop: 'upstream', status: 200, protocol: 'HTTP/2', milliseconds: 1 },
  ]
  const isGuard = ({ kind, spec }: KubeObject) =>
    kind === 'EnvoyFilter' ||
    (kind === 'AuthorizationPolicy' && (spec as { action?: string } | undefined)?.action === 'CUSTOM')
  const serving = world.prober.serving
  world.prober.serving = (host) => {
    const pem = serving(host)
    return pem !== undefined && readCertificate(pem) !== undefined ? pem : undefined
  }
  world.generateKey = async () => KEY
  world.prober.page = ({ host, port, authorization }) => {
    const addon = [...ADDON_NAMES, 'web.shop'].find(
      (name) => host.startsWith(`${name}.`) || classicPortOf(name) === port,
    )
    const guarded = cluster.objects.some((one) => isGuard(one) && one.metadata.name.endsWith(`-${addon}`))
    return guarded && authorization === undefined ? asks : page
  }
  return world
}

/** Answers of a Prometheus that scrapes every pod with a secure port. @param changed what it answers instead, by the end of the path */
function answering(cluster: ScrapedCluster, changed: Record<string, string> = {}): void {
  cluster.portForward = async () => {
    throw new UserError('NOT_FOUND', 'the pod is gone')
  }
  cluster.podAnswers = ({ name }, { port, path }) => {
    if (port !== 9090 || !/\/api\/v1\//.test(path))
      return cluster.plaintextPorts.has(`${name}:${port}`)
        ? { status: 200, body: '' }
        : { failed: 'connection refused' }
    cluster.follow()
    const what = path.split('/').at(-1) ?? ''
    return { status: 200, body: changed[what] ?? JSON.stringify({ data: dataOf(what, cluster) }) }
  }
}

function dataOf(what: string, cluster: ScrapedCluster): unknown {
  if (what === 'query') return { resultType: 'scalar', result: [1, '1'] }
  if (what === 'config') return { yaml: `scrape_configs:\n- job_name: ${SECURE_JOB}\n` }
  const secured = cluster.pods.filter(({ metadata }) => metadata.annotations?.[SECURE_PORT] !== undefined)
  return { activeTargets: secured.map((pod) => cluster.target(pod)) }
}

async function sceneAfter(
  name: string,
  commands: string[],
  finish = (_: FakeCluster) => {},
  more: KubeObject[] = [],
): Promise<Scene> {
  const cluster = new ScrapedCluster([...mesh(), ...more].map(withMaps))
  if (more.length > 0) cluster.groups = { ...cluster.groups, 'telemetry.istio.io': ['v1'] }
  answering(cluster)
  const world = worldOf(cluster)
  for (const command of commands) {
    const { stdout, stderr, exitCode } = await runCommand(command, world)
    if (exitCode !== 0) throw new Error(`${name}: ${command} ended with ${exitCode}\n${stdout}\n${stderr}`)
    cluster.follow()
  }
  finish(cluster)
  return { name, objects: cluster.objects.map(withMaps), authorities: world.authorities.kept, groups: cluster.groups }
}

/** With a write the API server drops field sets that it cannot read. */
function forgetOwners({ objects }: ScrapedCluster): void {
  for (const { metadata } of objects)
    if (!(metadata.managedFields ?? []).every((entry) => isReadable((entry as { fieldsV1?: unknown }).fieldsV1)))
      delete metadata.managedFields
}

/** Those that were looked at: every write asks for all objects again, and nobody changes a field set in place. */
const READABLE = new WeakSet<object>()

function isReadable(fields: unknown): boolean {
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) return false
  if (READABLE.has(fields)) return true
  const readable = Object.entries(fields).every(([step, inner]) => /^(\.$|[fvk]:)/.test(step) && isReadable(inner))
  if (readable) READABLE.add(fields)
  return readable
}

/** Which objects are written: `delete Secret istio-system/kubectl-telemetry-tls`. */
function touching(cluster: ScrapedCluster): Set<string> {
  const touched = new Set<string>()
  const note = (verb: string, { kind }: Resource, { metadata: { namespace, name } }: KubeObject) =>
    touched.add(`${verb} ${kind} ${namespace}/${name}`)
  const { apply, replace, delete: remove, setManagedFields } = cluster
  cluster.apply = async (resource, manifest, options) => {
    if (!options.dryRun) note('write', resource, manifest)
    forgetOwners(cluster)
    return apply.call(cluster, resource, manifest, options) as never
  }
  cluster.replace = async (resource, object, options) => {
    if (!options.dryRun) note('write', resource, object)
    return replace.call(cluster, resource, object, options) as never
  }
  cluster.setManagedFields = async (resource, object, managedFields) => {
    note('write', resource, object)
    return setManagedFields.call(cluster, resource, object, managedFields)
  }
  cluster.delete = async (resource, object, options = {}) => {
    if (!options.dryRun) note('delete', resource, object)
    return remove.call(cluster, resource, object, options)
  }
  return touched
}

/** A world that nobody else changes. @param changed the object that a tenant has changed, if any */
export function worldIn(
  { objects, authorities, groups }: Scene,
  changed?: KubeObject,
  answers: Record<string, string> = {},
): SceneWorld {
  const cluster = new ScrapedCluster([])
  const isChanged = ({ kind, metadata }: KubeObject) =>
    kind === changed?.kind &&
    metadata.name === changed.metadata.name &&
    metadata.namespace === changed.metadata.namespace
  cluster.objects.splice(
    0,
    cluster.objects.length,
    ...objects.map((one) => (changed && isChanged(one) ? changed : copied(one))),
  )
  cluster.groups = groups
  answering(cluster, answers)
  const world = worldOf(cluster)
  for (const [domain, authority] of authorities) world.authorities.kept.set(domain, structuredClone(authority))
  return { ...(world as FakeWorld & { cluster: ScrapedCluster }), touched: touching(cluster) }
}

const GUARDS = [
  'expose grafana --auth basic --allow-cidr 10.0.0.0/8 -y --ttl 8h',
  'expose kiali --auth jwt --issuer https://issuer.example.com --jwks-uri https://issuer.example.com/keys --audience a -y',
  'expose tracing --auth ext-authz=gate -y',
  'expose prometheus --allow-anonymous -y',
]
/** A Service with a guard on the shared port, one on a port of its own with paths, an add-on with a port of its own, and one beside them. */
const SERVICES = [
  'expose svc/web -n shop --auth basic --allow-cidr 10.0.0.0/8 -y --ttl 8h',
  'expose svc/web -n edge --port 666 --any-host --insecure --path /page --path /static/ --allow-anonymous -y',
  'expose kiali --port 32667 --allow-cidr 10.0.0.0/8 -y',
  'expose prometheus --allow-cidr 10.0.0.0/8 -y',
]
/** The mesh has a Telemetry that is not about traces, and one namespace reports none. */
const TRACING = ['tracing on --sampling 10 -y', 'tracing off -n shop -y']
const TRACED: KubeObject[] = [
  istiod(),
  {
    apiVersion: 'telemetry.istio.io/v1',
    kind: 'Telemetry',
    metadata: { name: 'mesh-default', namespace: 'istio-system', creationTimestamp: '2026-11-01T00:00:00Z' },
    spec: { accessLogging: [{ providers: [{ name: 'envoy' }] }] },
  },
]
const SCRAPING = ['scrape-secure -A --gateways -y --method auto']

export async function scenes(): Promise<Scene[]> {
  return [
    await sceneAfter('fresh', []),
    await sceneAfter('in use', [...GUARDS, 'expose grafana kiali --link -y', ...SCRAPING]),
    await sceneAfter('ports', ['expose all --layout ports --auth basic --allow-cidr 10.0.0.0/8 -y']),
    await sceneAfter('services', SERVICES),
    await sceneAfter('installed', ['addons install loki -y']),
    await sceneAfter('traced', TRACING, undefined, TRACED),
    await sceneAfter('former', [...GUARDS, ...SCRAPING], asFormerVersion),
  ]
}

/**
 * The same clusters without the objects by which users keep a workload from being scraped, and without the Telemetry that ours is shared
 * with: a hostile value may have the same effect.
 */
export function withoutObstacles(all: Scene[]): Scene[] {
  const isObstacle = ({ kind, metadata }: KubeObject) => kind === 'Sidecar' || metadata.name === 'mesh-default'
  return all.map((scene) => ({ ...scene, objects: scene.objects.filter((one) => !isObstacle(one)) }))
}
