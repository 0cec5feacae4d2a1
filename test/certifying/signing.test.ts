// What others put into the cluster gets no key from a CA of this machine.
import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'mocha'
import { readCertificate } from '../../src/certificates/authority.ts'
import { certRotate } from '../../src/certifying/rotate.ts'
import { cleanup } from '../../src/cleaning/cleanup.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import { expose } from '../../src/exposing/expose.ts'
import { find, fullMesh, refusal, requestFor } from '../exposing/exposing.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { ingressGateway } from '../fakes/mesh.ts'

const DOMAIN = 'corp.example'
const request = { ca: false, finish: false, yes: true, dryRun: 'none', timeout: 1 } as const
const LABELS = { 'app.kubernetes.io/managed-by': 'kubectl-telemetry', 'kubectl-telemetry/part': 'exposing' }

/** Objects as expose would make them, but of a tenant. */
function planted(namespace: string, hosts: string[], selector: object = { istio: 'ingressgateway' }): KubeObject[] {
  const metadata = (name: string, more: object = {}) => ({ name, namespace, labels: { ...LABELS, ...more } })
  const server = {
    port: { number: 443, name: 'https-telemetry', protocol: 'HTTPS' },
    hosts,
    tls: { mode: 'SIMPLE', credentialName: 'kubectl-telemetry-tls' },
  }
  const routes = hosts.map((host) => {
    const addon = host.split('.')[0] ?? ''
    return {
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: metadata(`kubectl-telemetry-${addon}`, { 'app.kubernetes.io/component': addon }),
      spec: { hosts: [host], gateways: ['kubectl-telemetry'], http: [] },
    }
  })
  return [
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'Gateway',
      metadata: metadata('kubectl-telemetry'),
      spec: { selector, servers: [server] },
    },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: metadata('kubectl-telemetry-tls'),
      type: 'kubernetes.io/tls',
      data: {},
    },
    ...routes,
  ]
}

async function exposedAt(domain: string): Promise<FakeWorld> {
  const world = fullMesh()
  await expose({ ...requestFor('grafana', 'kiali'), domain, timeout: 1 }, world)
  world.cluster.writes.length = 0
  return world
}

const codesOf = ({ warnings }: { warnings: readonly { code: string }[] }) => warnings.map(({ code }) => code)
function dataIn({ cluster }: FakeWorld, namespace: string): Record<string, string> {
  const secret = cluster.objects.find(({ kind, metadata }) => kind === 'Secret' && metadata.namespace === namespace)
  return secret?.data as Record<string, string>
}
const keyIn = (world: FakeWorld, namespace: string) => dataIn(world, namespace)['tls.key']

describe('a CA of this machine', () => {
  let world: FakeWorld
  beforeEach(async () => {
    world = await exposedAt(DOMAIN)
  })
  const plant = (...objects: KubeObject[]) => world.cluster.objects.push(...objects)
  const wrote = () => world.cluster.writes.map(({ object }) => object)

  it('remembers the cluster, the gateway and the hosts for which expose used it', () => {
    assert.deepEqual(world.authorities.uses.get(DOMAIN), [
      {
        cluster: { server: 'https://fake.example:6443', verifiedBy: 'sha256:fake' },
        gateway: 'istio-system/istio-ingressgateway',
        hosts: ['grafana.corp.example', 'kiali.corp.example'],
      },
    ])
  })

  for (const [title, hosts] of [
    ['hosts that no add-on has', ['mail.corp.example', 'sso.corp.example']],
    ['hosts of add-ons', ['grafana.corp.example']],
    ['a host that was used at the real gateway, and a wildcard', ['grafana.corp.example', '*.corp.example']],
  ] as const) {
    it(`signs nothing in a namespace without an ingress gateway: ${title}`, async () => {
      plant(...planted('tenant', [...hosts]))
      const result = await certRotate(request, world)
      assert.deepEqual(codesOf(result), ['OBJECT_NOT_TRUSTED'])
      assert.match(result.warnings[0]?.message ?? '', /^Gateway tenant\/kubectl-telemetry is not trusted/)
      assert.deepEqual(
        result.certificates.map(({ secret }) => secret),
        ['istio-system/kubectl-telemetry-tls'],
      )
      assert.equal(keyIn(world, 'tenant'), undefined)
    })

    it(`signs nothing when an add-on is removed: ${title}`, async () => {
      plant(...planted('tenant', [...hosts]))
      await cleanup({ addons: { names: ['kiali'], named: true }, yes: true, dryRun: 'none' }, world)
      assert.equal(keyIn(world, 'tenant'), undefined)
      assert.deepEqual(
        wrote().filter((one) => one.startsWith('Secret')),
        ['Secret/kubectl-telemetry-tls'],
      )
      const text = Buffer.from(dataIn(world, 'istio-system')['tls.crt'] ?? '', 'base64').toString()
      assert.equal(readCertificate(text)?.subjectAltName, 'DNS:grafana.corp.example')
    })
  }

  it("signs nothing for a tenant's own ingress gateway, neither to rotate nor to remove an add-on", async () => {
    plant(
      ...ingressGateway('tenant', 'edge'),
      ...planted('tenant', ['grafana.corp.example'], { app: 'edge', istio: 'edge' }),
    )
    const result = await certRotate(request, world)
    assert.deepEqual(codesOf(result), ['CA_NOT_FOR_GATEWAY'])
    assert.match(
      result.warnings[0]?.message ?? '',
      /for grafana\.corp\.example at gateway tenant\/edge of this cluster/,
    )
    const kiali = planted('tenant', ['kiali.corp.example']).filter(({ kind }) => kind === 'VirtualService')
    plant(...kiali)
    const removed = await cleanup({ addons: { names: ['kiali'], named: true }, yes: true, dryRun: 'none' }, world)
    assert.ok(codesOf(removed).includes('CERTIFICATE_KEPT'))
    assert.equal(keyIn(world, 'tenant'), undefined)
  })

  it('signs for no host that was added at the real gateway by something else', async () => {
    const { servers } = find(world.cluster, 'Gateway').spec as { servers: { hosts: string[] }[] }
    servers[0]?.hosts.push('tracing.corp.example')
    const { code, suggestions } = await refusal(certRotate(request, world))
    assert.equal(code, 'CA_NOT_FOR_GATEWAY')
    assert.match(
      suggestions[0] ?? '',
      /^kubectl telemetry expose tracing --gateway istio-system\/istio-ingressgateway /,
    )
    servers[0]?.hosts.push('sso.corp.example')
    assert.deepEqual(codesOf(await certRotate(request, world)), ['OBJECT_NOT_TRUSTED'])
    assert.deepEqual(wrote(), [])
  })

  it('signs for no other cluster, whatever that cluster says', async () => {
    const uid = (value: string) =>
      plant({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system', uid: value } })
    uid('real')
    world.authorities.uses.clear()
    await expose({ ...requestFor('grafana'), timeout: 1 }, world)
    const fakes: [string, string][] = [
      ['real', 'sha256:other'],
      ['other', 'sha256:fake'],
    ]
    for (const [id, verifiedBy] of fakes) {
      const namespace = world.cluster.objects.find(({ kind }) => kind === 'Namespace')
      assert.ok(namespace)
      namespace.metadata.uid = id
      world.cluster.verifiedBy = verifiedBy
      assert.equal((await refusal(certRotate(request, world))).code, 'CA_NOT_FOR_GATEWAY')
    }
  })

  it('signs for no domain that only the cluster names, where it has not signed before', async () => {
    world.cluster.verifiedBy = 'sha256:other'
    const { code, suggestions } = await refusal(expose({ ...requestFor('grafana'), timeout: 1 }, world))
    assert.equal(code, 'DOMAIN_REQUIRED')
    assert.match(suggestions[0] ?? '', /^--domain corp\.example /)
    const named = await expose({ ...requestFor('grafana'), domain: DOMAIN, timeout: 1 }, world)
    assert.deepEqual(codesOf(named.result), ['CA_SHARED'])
    assert.equal(codesOf(await certRotate(request, world)).length, 0)
  })

  it('of an earlier version has no record: expose makes it, where the CA has signed before', async () => {
    world.authorities.uses.clear()
    assert.equal((await refusal(certRotate(request, world))).code, 'CA_NOT_FOR_GATEWAY')
    const kept = await cleanup({ addons: { names: ['kiali'], named: true }, yes: true, dryRun: 'none' }, world)
    assert.ok(codesOf(kept).includes('CERTIFICATE_KEPT'))
    await expose({ ...requestFor('grafana'), timeout: 1 }, world)
    assert.deepEqual(codesOf(await certRotate(request, world)), [])
  })

  it('signs for the others when one Secret is of another type, or is refused by the API server', async () => {
    const second = { gateway: { namespace: 'edge', name: 'istio-edge' }, domain: 'edge.example' }
    plant(...ingressGateway('edge', 'istio-edge', [{ ip: '192.0.2.20' }]))
    await expose({ ...requestFor('grafana'), ...second, timeout: 1 }, world)
    const secret = world.cluster.objects.find(
      ({ kind, metadata }) => kind === 'Secret' && metadata.namespace === 'edge',
    ) as KubeObject
    const apply = world.cluster.apply.bind(world.cluster)
    world.cluster.apply = async (resource, manifest, options) => {
      if (manifest.metadata.namespace === 'edge') throw new UserError('REJECTED', 'field is immutable')
      return apply(resource, manifest, options)
    }
    const refused = await certRotate(request, world)
    assert.deepEqual([codesOf(refused), refused.certificates.length], [['REJECTED'], 1])
    secret.type = 'Opaque'
    const other = await certRotate(request, world)
    assert.deepEqual([codesOf(other), other.certificates.length], [['SECRET_NOT_OURS'], 1])
  })
})
