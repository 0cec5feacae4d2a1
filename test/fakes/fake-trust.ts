/**
 * A cluster in which istiod, kubelet and proxies behave as they were seen to (Istio 1.31): istiod reads its CA when it starts; with plugged
 * files it takes up another signer by itself, but refuses other roots; a proxy gets its certificate and its roots when its pod starts.
 */
import { createPublicKey } from 'node:crypto'
import type { KeyPair } from '../../src/certificates/authority.ts'
import { certificatesIn } from '../../src/certificates/facts.ts'
import { leadsTo, type SigningFiles, whyUnusable } from '../../src/certificates/mesh-authority.ts'
import { signCertificate } from '../../src/certificates/x509.ts'
import type { ApplyOptions, KubeObject, Resource, WriteOptions } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import type { ChainRequest, InsideRequest, ServedChain } from '../../src/world.ts'
import { FakeCluster } from './fake-cluster.ts'

export const NOW = new Date('2026-11-21T12:00:00Z')
const YEAR = 365 * 24 * 3600 * 1000

/** What a running proxy or istiod holds. */
interface Held {
  roots: string[]
  chain: string[]
}

let serial = 0x40_00_00

/** A self-signed CA as istiod makes one: all clusters have the same name in it. @param identified whether it has a key identifier */
export function selfSigned(key: string, identified = true): KeyPair {
  const name = { organization: 'cluster.local', commonName: 'cluster.local' }
  const certificate = signed({ key, subject: name, issuer: name, signingKey: key, authority: true, identified })
  return { certificate, key }
}

function signed(request: {
  key: string
  subject: { organization: string; commonName: string }
  issuer: { organization: string; commonName: string } | string
  signingKey: string
  authority: boolean
  /** Whether it has a key identifier, as Istio's roots have. */
  identified?: boolean
}): string {
  const { key, subject, issuer, signingKey, authority, identified = true } = request
  return signCertificate({
    publicKey: createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString(),
    subject,
    issuer,
    serial: (serial++).toString(16),
    notBefore: new Date(NOW.getTime() - 3600_000),
    notAfter: new Date(NOW.getTime() + YEAR),
    extensions: [
      { name: 'basicConstraints', critical: true, cA: authority },
      ...(identified ? [{ name: 'subjectKeyIdentifier' }] : []),
    ],
    signingKey,
  })
}

export class FakeTrustCluster extends FakeCluster {
  readonly #leafKey: string
  /** What istiod signs with: it is in its memory. */
  #signing: SigningFiles
  #templates = new Map<string, string>()
  readonly #held = new Map<string, Held>()
  #pods = 0
  /** Whether istiod found only some of its files, and does not start. */
  down = false
  /** Called after every write, when everything has reacted. */
  onWrite: () => void = () => {}

  readonly #name: string
  readonly #own: KeyPair
  readonly #workloads: readonly string[]

  /** @param workloads `NAMESPACE/NAME` of Deployments with sidecars; the gateway is one of them */
  constructor(
    name: string,
    {
      own,
      leafKey,
      workloads,
      installed = true,
    }: { own: KeyPair; leafKey: string; workloads: string[]; installed?: boolean },
  ) {
    super([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system', uid: `uid-of-${name}` } }])
    this.#name = name
    this.#own = own
    this.#workloads = workloads
    this.#leafKey = leafKey
    this.#signing = { signer: own, chain: [], roots: [own.certificate] }
    if (installed) this.install()
    this.writes.length = 0
  }

  /** As `istioctl install`: istiod makes a CA of its own only where there is no `cacerts`. */
  install(): void {
    const place = { metadata: { name: ISTIO_SYSTEM } }
    if (!this.objects.some(({ kind, metadata }) => kind === 'Namespace' && metadata.name === ISTIO_SYSTEM))
      this.#add({ apiVersion: 'v1', kind: 'Namespace', ...place })
    if (this.#secret('cacerts') === undefined) this.#add(caSecret(this.#own))
    const deployments = ['istio-system/istiod', ...this.#workloads]
    for (const one of [...istioObjects(this.#name), ...deployments.map((path) => deployment(path, appOf(path)))])
      this.#add(one)
    this.#start()
    for (const one of deployments) this.#roll(one)
  }

  /** As `istioctl uninstall --purge`: neither Secrets nor the namespace go. */
  uninstall(): void {
    const stays = ({ kind, metadata }: KubeObject) =>
      metadata.namespace !== ISTIO_SYSTEM ||
      kind === 'Secret' ||
      !/^(istio|istiod|istio-ingressgateway.*|istiod-.*)$/.test(metadata.name)
    this.objects.splice(0, this.objects.length, ...this.objects.filter(stays))
  }

  #add(object: KubeObject): void {
    const { kind, metadata } = object
    this.objects.push({
      ...object,
      metadata: { uid: `${kind} ${metadata.namespace}/${metadata.name}`, resourceVersion: '1', ...metadata },
    })
  }

  override async apply<T extends KubeObject>(
    resource: Resource,
    wanted: KubeObject,
    options: ApplyOptions,
  ): Promise<T> {
    const { namespace } = wanted.metadata
    const isThere = this.objects.some(
      ({ kind, metadata }) => metadata.namespace === namespace || (kind === 'Namespace' && metadata.name === namespace),
    )
    if (namespace !== undefined && !isThere) throw new UserError('NOT_FOUND', `namespaces "${namespace}" not found`)
    const after = await super.apply<T>(resource, wanted, options)
    if (!options.dryRun) this.#react()
    return after
  }

  override async replace<T extends KubeObject>(resource: Resource, object: T, options: WriteOptions): Promise<T> {
    const after = await super.replace<T>(resource, object, options)
    if (!options.dryRun) this.#react()
    return after
  }

  override async delete(
    resource: Resource,
    object: KubeObject,
    options: { dryRun?: boolean } = {},
  ): Promise<'deleted' | 'gone'> {
    const done = await super.delete(resource, object, options)
    const isInside = ({ metadata }: KubeObject) => metadata.namespace === object.metadata.name
    if (!options.dryRun && object.kind === 'Namespace')
      for (const one of this.objects.filter(isInside)) this.objects.splice(this.objects.indexOf(one), 1)
    if (!options.dryRun) this.#react()
    return done
  }

  /** Proxies of running pods, by `NAMESPACE/DEPLOYMENT`. */
  get proxies(): Map<string, Held> {
    const pods = this.objects.filter(({ kind, metadata }) => kind === 'Pod' && metadata.labels?.app !== 'istiod')
    return new Map(
      pods.map(({ metadata }) => [
        `${metadata.namespace}/${metadata.labels?.app}`,
        this.#held.get(metadata.name) as Held,
      ]),
    )
  }

  /** A pod that is created now. */
  addWorkload(path: string): void {
    this.#add(deployment(path, appOf(path)))
    this.#roll(path)
  }

  /** @returns the answer of Envoy's admin port */
  inside({ pod, path }: InsideRequest): { status: number; body: string } | { failed: string } {
    const held = this.#held.get(pod.name)
    if (held === undefined || !path.startsWith('/config_dump')) return { failed: 'connection refused' }
    const bytes = (pems: string[]) => ({ inline_bytes: Buffer.from(pems.join('')).toString('base64') })
    const configs = [
      { name: 'default', secret: { name: 'default', tls_certificate: { certificate_chain: bytes(held.chain) } } },
      { name: 'ROOTCA', secret: { name: 'ROOTCA', validation_context: { trusted_ca: bytes(held.roots) } } },
    ]
    return { status: 200, body: JSON.stringify({ configs }) }
  }

  /** What istiod serves at 15012. */
  served(_request: ChainRequest): ServedChain {
    return this.down ? { failed: 'connection refused' } : { chain: this.#leaf('istiod') }
  }

  /** Every proxy renews its certificate, as it does within a day: it gets the roots of now, too. */
  renew(): void {
    for (const { kind, metadata } of this.objects)
      if (kind === 'Pod' && this.#held.has(metadata.name))
        this.#held.set(metadata.name, {
          roots: [...this.#signing.roots],
          chain: this.#leaf(metadata.labels?.app ?? ''),
        })
  }

  /** Lets everything react to what a test has changed in the objects. */
  settle(): void {
    this.#react()
  }

  #react(): void {
    for (const object of [...this.objects]) {
      if (object.kind !== 'Deployment') continue
      const path = `${object.metadata.namespace}/${object.metadata.name}`
      if (this.#templates.get(path) === templateOf(object)) continue
      if (path === 'istio-system/istiod') this.#start()
      this.#roll(path)
    }
    this.#takeUp()
    this.onWrite()
  }

  /** `updateRootCertAndGenKeyCert`: the files are watched only where there were some when istiod started. */
  #takeUp(): void {
    const files = this.#files()
    const isPlugged = this.#templates.get('plugged') === 'true'
    if (!isPlugged || files === undefined) return
    const isSame = files.roots.join() === this.#signing.roots.join()
    if (isSame && whyUnusable(files, NOW) === undefined) this.#signing = files
  }

  #start(): void {
    const secret = this.#secret('cacerts')
    const files = this.#files()
    this.down = secret !== undefined && files === undefined
    this.#templates.set('plugged', String(files !== undefined))
    const own = this.#secret('istio-ca-secret')
    const signer = { certificate: textOf(own, 'ca-cert.pem'), key: textOf(own, 'ca-key.pem') }
    this.#signing = files ?? { signer, chain: [], roots: [signer.certificate] }
    if (this.down) return
    for (const namespace of ['istio-system', 'foo', 'bar']) this.#publish(namespace)
  }

  #publish(namespace: string): void {
    const name = 'istio-ca-root-cert'
    const index = this.objects.findIndex(
      ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === name && metadata.namespace === namespace,
    )
    const map: KubeObject = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace, uid: `roots-${namespace}` },
      data: { 'root-cert.pem': this.#signing.roots.join('') },
    }
    if (index < 0) this.objects.push(map)
    else this.objects.splice(index, 1, map)
  }

  /** Replaces the pods of a Deployment. */
  #roll(path: string): void {
    const [namespace = '', name = ''] = path.split('/')
    const deployed = this.objects.find(
      ({ kind, metadata }) => kind === 'Deployment' && metadata.name === name && metadata.namespace === namespace,
    )
    this.#templates.set(path, templateOf(deployed as KubeObject))
    for (const old of this.objects.filter(
      ({ kind, metadata }) => kind === 'Pod' && metadata.namespace === namespace && metadata.labels?.app === name,
    ))
      this.objects.splice(this.objects.indexOf(old), 1)
    const pod = podOf(path, this.#pods++)
    this.objects.push(pod)
    if (name !== 'istiod')
      this.#held.set(pod.metadata.name, { roots: [...this.#signing.roots], chain: this.#leaf(name) })
  }

  #leaf(name: string): string[] {
    const { signer, chain } = this.#signing
    const subject = { organization: 'cluster.local', commonName: name }
    const leaf = signed({
      key: this.#leafKey,
      subject,
      issuer: signer.certificate,
      signingKey: signer.key,
      authority: false,
    })
    return [leaf, ...chain]
  }

  #files(): SigningFiles | undefined {
    const secret = this.#secret('cacerts')
    const [certificate = ''] = certificatesIn(textOf(secret, 'ca-cert.pem'))
    const files = {
      signer: { certificate, key: textOf(secret, 'ca-key.pem') },
      chain: certificatesIn(textOf(secret, 'cert-chain.pem')),
      roots: certificatesIn(textOf(secret, 'root-cert.pem')),
    }
    return secret !== undefined && whyUnusable(files, NOW) === undefined ? files : undefined
  }

  #secret(name: string): KubeObject | undefined {
    return this.objects.find(({ kind, metadata }) => kind === 'Secret' && metadata.name === name)
  }
}

/** Pairs of proxies of which the first would refuse the second. */
export function refusals(one: FakeTrustCluster, other: FakeTrustCluster): string[] {
  return [...one.proxies].flatMap(([server, { roots }]) =>
    [...other.proxies]
      .filter(([, { chain }]) => !leadsTo(chain, roots))
      .map(([client]) => `${server} refuses ${client}`),
  )
}

function textOf(secret: KubeObject | undefined, name: string): string {
  const data = (secret?.data ?? {}) as Record<string, string>
  return Buffer.from(data[name] ?? '', 'base64').toString('utf8')
}

const ISTIO_SYSTEM = 'istio-system'

function appOf(path: string): Record<string, string> {
  return { app: path.split('/')[1] ?? '' }
}

function caSecret({ certificate, key }: KeyPair): KubeObject {
  const pem = (text: string) => Buffer.from(text).toString('base64')
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'istio-ca-secret', namespace: ISTIO_SYSTEM },
    data: { 'ca-cert.pem': pem(certificate), 'ca-key.pem': pem(key) },
  }
}

/** What is neither a Deployment nor a CA. */
function istioObjects(name: string): KubeObject[] {
  return [
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'istio', namespace: ISTIO_SYSTEM },
      data: { mesh: '' },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'istio-ingressgateway', namespace: ISTIO_SYSTEM },
      spec: {
        type: 'LoadBalancer',
        selector: { app: 'istio-ingressgateway' },
        ports: [{ name: 'https', port: 443, targetPort: 8443, protocol: 'TCP', nodePort: 30443 }],
      },
      status: { loadBalancer: { ingress: [{ ip: name === 'west' ? '203.0.113.1' : '203.0.113.2' }] } },
    },
  ]
}

function templateOf(object: KubeObject): string {
  return JSON.stringify((object.spec as { template: unknown }).template)
}

function deployment(path: string, labels: Record<string, string>): KubeObject {
  const [namespace = '', name = ''] = path.split('/')
  const spec = podOf(path, 0).spec
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, labels, uid: `deployment-${path}`, resourceVersion: '1' },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata: { labels, annotations: { theirs: 'kept' } }, spec },
    },
    status: { replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1 },
  }
}

function podOf(path: string, number: number): KubeObject {
  const [namespace = '', name = ''] = path.split('/')
  const isGateway = name.includes('gateway')
  const proxy = { name: 'istio-proxy', image: 'proxyv2', args: ['proxy', isGateway ? 'router' : 'sidecar'] }
  const containers =
    name === 'istiod'
      ? [{ name: 'discovery', args: ['discovery'] }]
      : isGateway
        ? [proxy]
        : [{ name: 'app', image: 'app' }, proxy]
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${name}-7d-${number}`,
      namespace,
      labels: { app: name, 'pod-template-hash': '7d' },
      ownerReferences: [{ kind: 'ReplicaSet', name: `${name}-7d`, controller: true }],
      uid: `pod-${path}-${number}`,
    },
    spec: { containers, serviceAccountName: name },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  }
}
