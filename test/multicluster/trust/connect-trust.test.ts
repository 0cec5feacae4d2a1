/** What happens to the trust of clusters, and what is refused. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'mocha'
import type { KeyPair } from '../../../src/certificates/authority.ts'
import { createMeshRoot, issueIntermediate } from '../../../src/certificates/mesh-authority.ts'
import type { KubeObject } from '../../../src/cluster/cluster.ts'
import { UserError } from '../../../src/errors.ts'
import type { EntryAddressChoice } from '../../../src/multicluster/entry-gateway.ts'
import type { TrustWorld } from '../../../src/multicluster/trust/trust-run.ts'
import { untrust } from '../../../src/multicluster/untrust.ts'
import { FakeTrustCluster, NOW, selfSigned } from '../../fakes/fake-trust.ts'
import { connect, REQUEST, refused, rotate, setUp, shortKeys } from './trust-world.ts'

let keys: string[] = []
let foreignRoot: KeyPair
let foreign: KeyPair

before(async () => {
  keys = shortKeys(4)
  const making = {
    now: NOW,
    random: (bytes: number) => new Uint8Array(bytes).fill(7),
    generateKey: async () => keys[3] ?? '',
  }
  foreignRoot = await createMeshRoot(making)
  foreign = await issueIntermediate(foreignRoot, { cluster: 'theirs', namespace: 'istio-system' }, making)
})

const setup = (change?: (west: FakeTrustCluster) => void) => setUp(keys, change)

const pem = (text: string) => Buffer.from(text).toString('base64')

function plugged(data: Record<string, string>, annotations: Record<string, string> = {}): KubeObject {
  const metadata = { name: 'cacerts', namespace: 'istio-system', uid: 'theirs', resourceVersion: '1', annotations }
  return { apiVersion: 'v1', kind: 'Secret', metadata, data }
}

function theirs(): Record<string, string> {
  return {
    'ca-cert.pem': pem(foreign.certificate),
    'ca-key.pem': pem(foreign.key),
    'cert-chain.pem': pem(foreign.certificate),
    'root-cert.pem': pem(foreignRoot.certificate),
  }
}

const istiodOf = (cluster: FakeTrustCluster) =>
  cluster.objects.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'istiod') as KubeObject & {
    spec: { template: { spec: { containers: { env?: object[] }[] } } }
  }

const meshOf = (cluster: FakeTrustCluster) =>
  cluster.objects.find(({ metadata }) => metadata.name === 'istio') as KubeObject & { data: { mesh: string } }

describe('connect refuses, and writes nothing', () => {
  it("somebody else's cacerts: PEM files, a TLS Secret, cert-manager's", async () => {
    const tls = {
      'tls.crt': pem(foreign.certificate),
      'tls.key': pem(foreign.key),
      'ca.crt': pem(foreignRoot.certificate),
    }
    for (const secret of [plugged(theirs()), plugged(tls), plugged(theirs(), { 'cert-manager.io/issuer-name': 'x' })]) {
      const made = setup((west) => void west.objects.push(secret))
      const error = await refused(connect(REQUEST, made.world), 'CACERTS_NOT_OURS', made)
      assert.match(error.message, /^Secret istio-system\/cacerts of cluster west/)
      assert.ok(error.suggestions.some((one) => one.startsWith('--root-cert')))
    }
  })

  it('cacerts with a label of ours on it, whose root is not the one that is written there', async () => {
    const labels = { 'app.kubernetes.io/managed-by': 'kubectl-telemetry', 'kubectl-telemetry/part': 'connecting' }
    const secret = plugged(theirs(), { 'kubectl-telemetry/mesh-root': 'AA:BB' })
    const made = setup((west) => void west.objects.push({ ...secret, metadata: { ...secret.metadata, labels } }))
    // The label is only a hint where the namespace is a tenant's; in that of istiod it is believed, and the root is then a former one.
    const result = await connect({ ...REQUEST, dryRun: 'client' }, made.world)
    assert.equal(result.outcome, 'planned')
  })

  it('an incomplete cacerts, an external CA, a CA that istiod keeps itself', async () => {
    const { 'cert-chain.pem': _, ...incomplete } = theirs()
    const cases: [string, (west: FakeTrustCluster) => void][] = [
      ['CACERTS_NOT_OURS', (west) => void west.objects.push(plugged(incomplete))],
      ['CACERTS_GENERATED', (west) => void west.objects.push(plugged({ ...theirs(), 'istio-generated': '' }))],
      [
        'CA_EXTERNAL',
        (west) => {
          const [container] = istiodOf(west).spec.template.spec.containers
          if (container !== undefined) container.env = [{ name: 'EXTERNAL_CA', value: 'ISTIOD_RA_KUBERNETES_API' }]
        },
      ],
    ]
    for (const [code, change] of cases) {
      const made = setup(change)
      await refused(connect(REQUEST, made.world), code, made)
    }
  })

  it('trust domains that are neither equal nor aliases', async () => {
    const made = setup((west) => {
      meshOf(west).data.mesh = 'trustDomain: west.example'
    })
    await refused(connect(REQUEST, made.world), 'TRUST_DOMAINS_DIFFER', made)
    meshOf(made.west).data.mesh = 'trustDomain: west.example\ntrustDomainAliases: [cluster.local]'
    meshOf(made.east).data.mesh = 'trustDomainAliases: [west.example]'
    assert.equal((await connect({ ...REQUEST, dryRun: 'client' }, made.world)).outcome, 'planned')
  })

  it('roots of one name that proxies could not tell apart', async () => {
    const made = setup((west) => {
      const { certificate, key } = selfSigned(keys[0] ?? '', false)
      const secret = west.objects.find(({ metadata }) => metadata.name === 'istio-ca-secret')
      if (secret !== undefined) secret.data = { 'ca-cert.pem': pem(certificate), 'ca-key.pem': pem(key) }
    })
    await refused(connect(REQUEST, made.world), 'ROOTS_ALIKE', made)
  })

  it('a cluster without Istio, one that cannot be read, and a missing right', async () => {
    const made = setup((west) => void west.objects.splice(west.objects.indexOf(istiodOf(west)), 1))
    assert.equal((await refused(connect(REQUEST, made.world), 'ISTIO_NOT_FOUND', made)).cluster, 'west')
    const other = setup()
    other.east.fail('get', 'secrets', new UserError('FORBIDDEN', 'cannot get secrets'))
    assert.equal((await refused(connect(REQUEST, other.world), 'FORBIDDEN', other)).cluster, 'east')
  })

  it('an address of pods or Services, of its own cluster or of another one', async () => {
    const node: KubeObject = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'n' },
      spec: { podCIDRs: ['10.89.0.0/16'] },
    }
    const range: KubeObject = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'ServiceCIDR',
      metadata: { name: 'kubernetes' },
      spec: { cidrs: ['fd00:10:96::/112'] },
    }
    const service: KubeObject = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'foo' },
      spec: { clusterIP: '10.97.0.9', ports: [] },
    }
    const pod = (name: string, podIP: string, hostNetwork: boolean): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'foo' },
      spec: { containers: [], hostNetwork },
      status: { podIPs: [{ ip: podIP }, { ip: 'fd00:89::5' }] },
    })
    const all = [node, range, service, pod('one', '10.91.0.5', false), pod('two', '192.0.2.7', true)]
    const cases: [string, string, RegExp][] = [
      ['west', '10.91.0.5', /it is the address of a pod of cluster west/],
      ['east', 'fd00:89::5', /it is the address of a pod of cluster west/],
      ['west', '10.89.3.4', /^--address west=10\.89\.3\.4: it is in the range of pods of cluster west/],
      ['east', '10.89.3.4', /^--address east=10\.89\.3\.4: it is in the range of pods of cluster west/],
      ['east', 'fd00:10:96::9', /range of Services of cluster west/],
      ['west', '10.97.0.9', /range of Services of cluster west/],
    ]
    for (const [name, host, says] of cases) {
      const made = setup((west) => void west.objects.push(...all))
      const addresses = new Map([[name, { host, port: undefined }]])
      const error = await refused(connect({ ...REQUEST, addresses }, made.world), 'ENTRY_ADDRESS_INSIDE', made)
      assert.match(error.message, says)
    }
    const made = setup((west) => void west.objects.push(...all))
    for (const host of ['10.90.3.4', '192.0.2.7', 'gateway.example.com']) {
      const addresses = new Map<string, EntryAddressChoice>([['east', { host, port: 8443 }]])
      const { clusters } = await connect({ ...REQUEST, addresses, dryRun: 'client' }, made.world)
      assert.deepEqual(clusters.map(({ gateway }) => gateway?.address).at(1), host)
    }
  })

  it('to go on without an answer', async () => {
    const made = setup()
    await refused(connect({ ...REQUEST, yes: false }, made.world), 'CONSENT_REQUIRED', made)
  })

  it('to finish what has not begun', async () => {
    const made = setup()
    await refused(connect({ ...REQUEST, finish: true }, made.world), 'FINISH_TOO_EARLY', made)
  })
})

describe('connect', () => {
  it('leaves trust alone where the clusters share a root', async () => {
    const made = setup((west) => void west.objects.push(plugged(theirs())))
    const { west, east } = made
    east.objects.push(plugged(theirs()))
    for (const cluster of [west, east]) restartIstiod(cluster)
    const result = await connect(REQUEST, made.world)
    assert.deepEqual(
      [...west.writes, ...east.writes].map(({ object }) => object).sort(),
      ['ConfigMap/kubectl-telemetry-multicluster', 'Service/istio-ingressgateway'].flatMap((one) => [one, one]),
    )
    assert.deepEqual(
      result.clusters.map(({ signer, gateway }) => [signer.kind, gateway?.address, gateway?.port]),
      [
        ['plugged-in', '203.0.113.1', 15443],
        ['plugged-in', '203.0.113.2', 15443],
      ],
    )
  })

  it("joins somebody's root with its key, and leaves that cluster's CA alone", async () => {
    const made = setup((west) => void west.objects.push(plugged(theirs())))
    restartIstiod(made.west)
    const root = { ...foreignRoot, certificateName: 'root.pem', keyName: 'root.key' }
    const result = await connect({ ...REQUEST, files: { root, cacerts: new Map() } }, made.world)
    assert.deepEqual(
      result.clusters.map(({ signer, phase }) => [signer.kind, phase]),
      [
        ['plugged-in', 'finished'],
        ['ours', 'new-signer'],
      ],
    )
    assert.deepEqual(made.west.objects.find(({ metadata }) => metadata.name === 'cacerts')?.data, theirs())
  })

  it('keeps the address of --address, until it is auto', async () => {
    const made = setup()
    const addressOf = async (east?: EntryAddressChoice) => {
      const addresses = new Map(east === undefined ? [] : [['east', east] as const])
      const { clusters } = await connect({ ...REQUEST, addresses }, made.world)
      return clusters[1]?.gateway?.address
    }
    assert.equal(await addressOf({ host: 'lb.example.com', port: undefined }), 'lb.example.com')
    assert.equal(await addressOf(), 'lb.example.com')
    assert.equal(await addressOf('auto'), '203.0.113.2')
    assert.equal(await addressOf(), '203.0.113.2')
  })

  it('warns of a gateway without an address, but not before the port is in its Service', async () => {
    const made = setup()
    for (const cluster of [made.west, made.east]) {
      const service = cluster.objects.find(({ kind }) => kind === 'Service')
      if (service !== undefined) service.status = {}
    }
    const codes = ({ problems }: { problems: { code: string }[] }) => problems.map(({ code }) => code)
    assert.deepEqual(codes(await connect({ ...REQUEST, dryRun: 'server' }, made.world)), ['MESH_CA_NOT_KEPT'])
    assert.deepEqual(codes(await connect(REQUEST, made.world)), ['ENTRY_WITHOUT_ADDRESS', 'ENTRY_WITHOUT_ADDRESS'])
  })

  it('says on which machine the key of the root is', async () => {
    const made = setup()
    await connect(REQUEST, made.world)
    made.world.meshRoots.find = async () => undefined
    const third = new FakeTrustCluster('south', {
      own: selfSigned(keys[3] ?? ''),
      leafKey: keys[2] ?? '',
      workloads: ['istio-system/istio-ingressgateway'],
    })
    const world: TrustWorld = {
      ...made.world,
      members: [...made.world.members, { name: 'south', cluster: third }],
      askInside: async (request, cluster) =>
        cluster === third ? third.inside(request) : made.world.askInside(request, cluster),
      readServedChain: async (request, cluster) =>
        cluster === third ? third.served(request) : made.world.readServedChain(request, cluster),
    }
    await assert.rejects(connect(REQUEST, world), (error: UserError) => {
      assert.equal(error.code, 'MESH_ROOT_ELSEWHERE')
      assert.match(error.message, /me@laptop/)
      return true
    })
  })

  it('adds a third cluster and leaves the others alone', async () => {
    const made = setup()
    await connect(REQUEST, made.world)
    const third = new FakeTrustCluster('south', {
      own: selfSigned(keys[3] ?? ''),
      leafKey: keys[2] ?? '',
      workloads: ['istio-system/istio-ingressgateway', 'foo/sleep'],
    })
    for (const one of [made.west, made.east]) one.writes.length = 0
    const world: TrustWorld = {
      ...made.world,
      members: [...made.world.members, { name: 'south', cluster: third }],
      askInside: async (request, cluster) =>
        cluster === third ? third.inside(request) : made.world.askInside(request, cluster),
      readServedChain: async (request, cluster) =>
        cluster === third ? third.served(request) : made.world.readServedChain(request, cluster),
    }
    const result = await connect(REQUEST, world)
    assert.deepEqual([...made.west.writes, ...made.east.writes], [])
    const south = result.clusters.find(({ name }) => name === 'south')
    // The others do not trust its former root, so its workloads already have new certificates.
    assert.deepEqual([south?.phase, south?.proxies.renewed], ['new-signer', 2])
  })

  it('restarts nothing but istiod with --renew wait, and says that it is not done', async () => {
    const made = setup()
    const result = await connect({ ...REQUEST, renew: 'wait' }, made.world)
    assert.equal(result.outcome, 'waiting')
    assert.deepEqual(
      result.problems.map(({ code }) => code),
      ['TRUST_RENEWS', 'TRUST_RENEWS'],
    )
    const restarted = [...made.west.writes].map(({ object }) => object).filter((one) => one.startsWith('Deployment'))
    assert.deepEqual(restarted, ['Deployment/istiod'])
    assert.deepEqual(
      result.clusters.map(({ phase }) => phase),
      ['both-roots', 'both-roots'],
    )
  })

  it('stops at proxies that cannot be asked, unless told to go on', async () => {
    const made = setup()
    const hidden: TrustWorld = {
      ...made.world,
      askInside: async (request, cluster) =>
        request.pod.namespace === 'foo' ? { failed: 'connection refused' } : made.world.askInside(request, cluster),
    }
    await assert.rejects(connect(REQUEST, hidden), (error: UserError) => error.code === 'TRUST_UNKNOWN')
    assert.equal((await connect({ ...REQUEST, acceptUnknown: true }, hidden)).outcome, 'applied')
  })
})

describe('rotate refuses, and signs nothing', () => {
  const given = () => ({ ...foreignRoot, certificateName: 'other.pem', keyName: 'other.key' })
  const forget = (...clusters: FakeTrustCluster[]) => {
    for (const one of clusters) one.writes.length = 0
  }

  it('a root that is not that of the mesh', async () => {
    const made = setup()
    await connect(REQUEST, made.world)
    forget(made.west, made.east)
    let keysMade = 0
    const world = { ...made.world, generateKey: async () => String(keysMade++) }
    const request = { ...REQUEST, ca: false, files: { root: given(), cacerts: new Map() } }
    const error = await refused(rotate(request, world), 'MESH_ROOT_DIFFERS', made)
    assert.match(error.message, /^--root-cert other\.pem is not the root of the mesh/)
    assert.match(error.suggestions[0] ?? '', /^--ca /)
    assert.equal(keysMade, 0)
  })

  it('no root that is that of the mesh, whose key this machine does not have', async () => {
    const made = setup()
    await connect({ ...REQUEST, files: { root: given(), cacerts: new Map() } }, made.world)
    await assert.rejects(
      rotate({ ...REQUEST, ca: false }, made.world),
      (error: UserError) => error.code === 'MESH_ROOT_ELSEWHERE',
    )
    const request = { ...REQUEST, ca: false, files: { root: given(), cacerts: new Map() } }
    assert.equal((await rotate(request, made.world)).outcome, 'applied')
  })

  it('to sign under a root to which a change was cut off, and to change to a third one; the same one continues', async () => {
    const made = setup()
    await connect(REQUEST, made.world)
    const request = { ...REQUEST, ca: true, files: { root: given(), cacerts: new Map() } }
    made.east.failOnce('apply', 'secrets', new UserError('FORBIDDEN', 'cannot patch secrets'))
    await assert.rejects(rotate(request, made.world), (error: UserError) => error.code === 'FORBIDDEN')
    forget(made.west, made.east)
    const error = await refused(rotate({ ...REQUEST, ca: false }, made.world), 'ROOT_CHANGE_BEGUN', made)
    assert.match(error.message, /istiod of cluster west, east does not yet sign/)
    const third = { ...selfSigned(keys[0] ?? ''), certificateName: 'third.pem', keyName: 'third.key' }
    const toThird = { ...request, files: { root: third, cacerts: new Map() } }
    const refusal = await refused(rotate(toThird, made.world), 'MESH_ROOT_DIFFERS', made)
    assert.match(refusal.message, /^--root-cert third\.pem is not the root to which a change has begun/)
    assert.deepEqual(
      (await rotate(request, made.world)).clusters.map(({ phase }) => phase),
      ['new-signer', 'new-signer'],
    )
  })
})

describe('an error in the middle', () => {
  const forbidden = () => new UserError('FORBIDDEN', 'cannot patch secrets')

  /** @returns what the error says was done before it */
  async function doneBefore(run: Promise<unknown>): Promise<string> {
    const error = await run.then(
      () => assert.fail('it has to fail'),
      (thrown: UserError) => thrown,
    )
    return /(changed|deleted) before that: .*$/s.exec(error.message)?.[0] ?? ''
  }

  it('of connect says in which cluster each object was changed', async () => {
    const made = setup()
    made.east.fail('apply', 'secrets', forbidden(), false)
    const done = await doneBefore(connect(REQUEST, made.world))
    assert.deepEqual(
      done
        .replace(/^changed before that: /, '')
        .split(', ')
        .sort(),
      [
        'east: configmap/kubectl-telemetry-multicluster',
        'east: service/istio-ingressgateway',
        'west: configmap/kubectl-telemetry-multicluster',
        'west: deployment.apps/istiod',
        'west: secret/cacerts',
        'west: service/istio-ingressgateway',
      ],
    )
  })

  it('of rotate and of the way back does, too', async () => {
    const made = setup()
    await connect(REQUEST, made.world)
    made.east.failOnce('apply', 'secrets', forbidden())
    const rotated = rotate({ ...REQUEST, ca: false }, made.world)
    assert.equal(await doneBefore(rotated), 'changed before that: west: secret/cacerts')
    made.east.fail('delete', 'secrets', forbidden(), false)
    const done = await doneBefore(untrust(REQUEST, made.world))
    assert.match(done, /changed before that: .*west: service\/istio-ingressgateway.*east: secret\/cacerts/)
    assert.match(done, /deleted before that: .*west: configmap\/.*east: configmap\/.*west: secret\/cacerts/)
  })
})

describe('the way back', () => {
  it('is refused while services are exported', async () => {
    const made = setup()
    await connect(REQUEST, made.world)
    made.west.objects.push({
      apiVersion: 'networking.istio.io/v1',
      kind: 'Gateway',
      metadata: {
        name: 'kubectl-telemetry-multicluster',
        namespace: 'istio-system',
        labels: { 'app.kubernetes.io/managed-by': 'kubectl-telemetry', 'kubectl-telemetry/part': 'multicluster' },
      },
    })
    for (const one of [made.west, made.east]) one.writes.length = 0
    await refused(untrust(REQUEST, made.world), 'STILL_EXPORTED', made)
  })

  it('is refused where istiod never had a CA of its own', async () => {
    const made = setup()
    await connect(REQUEST, made.world)
    const own = made.east.objects.findIndex(({ metadata }) => metadata.name === 'istio-ca-secret')
    made.east.objects.splice(own, 1)
    for (const one of [made.west, made.east]) one.writes.length = 0
    assert.equal((await refused(untrust(REQUEST, made.world), 'OWN_CA_MISSING', made)).cluster, 'east')
  })
})

/** As `kubectl rollout restart`: istiod reads its files. */
function restartIstiod(cluster: FakeTrustCluster): void {
  const istiod = istiodOf(cluster) as unknown as {
    spec: { template: { metadata: { annotations: Record<string, string> } } }
  }
  istiod.spec.template.metadata.annotations = { restarted: 'yes' }
  cluster.settle()
}
