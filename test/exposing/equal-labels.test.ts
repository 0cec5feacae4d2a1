import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import { expose } from '../../src/exposing/expose.ts'
import type { ExposeRequest } from '../../src/exposing/request.ts'
import { status } from '../../src/status/status.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { grafana, ingressGateway, kiali, pod, prometheus } from '../fakes/mesh.ts'
import { find, refusal, requestFor, world } from './exposing.ts'

type Labels = Record<string, string>

const EQUAL = { app: 'istio-ingressgateway', istio: 'ingressgateway' }
const PUBLIC: ExposeRequest = {
  ...requestFor('grafana'),
  gateway: { namespace: 'istio-system', name: 'istio-ingressgateway' },
  guard: { cidrs: ['203.0.113.0/24'] },
}

function router(namespace: string, name: string, labels: Labels, env: object[] = []): KubeObject {
  return pod(namespace, name, { ...EQUAL, ...labels }, { name: 'istio-proxy', args: ['proxy', 'router'], env })
}

/** The installed gateway, whose pod has these labels too, and a pod of another gateway with other ones. */
function twoGateways(ours: Labels, theirs: Labels, ...more: KubeObject[]): FakeWorld {
  const [service, own] = ingressGateway()
  const labelled = { ...own, metadata: { ...own?.metadata, labels: { ...EQUAL, ...ours } } } as KubeObject
  const objects = [service as KubeObject, labelled, router('edge', 'edge-abc', theirs), ...more]
  return world([...grafana(), ...kiali(), ...prometheus(), ...objects])
}

const gatewaySelector = ({ cluster }: FakeWorld) => (find(cluster, 'Gateway').spec as { selector: Labels }).selector
const policySelector = ({ cluster }: FakeWorld, addon: string) =>
  (find(cluster, 'AuthorizationPolicy', addon).spec as { selector: { matchLabels: Labels } }).selector.matchLabels
const filterSelector = ({ cluster }: FakeWorld, addon: string) =>
  (find(cluster, 'EnvoyFilter', addon).spec as { workloadSelector: { labels: Labels } }).workloadSelector.labels

describe('a gateway in another namespace whose pods have the same labels', () => {
  it('is not selected: Gateway and guards get a label that only our pods have', async () => {
    const one = twoGateways({ release: 'internal' }, { release: 'public' })
    await expose(PUBLIC, one)
    const own = { ...EQUAL, release: 'internal' }
    assert.deepEqual([gatewaySelector(one), policySelector(one, 'grafana')], [own, own])
    one.prober.answers = [{ ok: true, hop: 'access', status: 401, protocol: 'HTTP/2', milliseconds: 1 }]
    await expose({ ...PUBLIC, ...requestFor('kiali'), guard: { login: { kind: 'basic', users: undefined } } }, one)
    assert.deepEqual(filterSelector(one, 'kiali'), own)
    assert.deepEqual((await status({ expiresIn: 0 }, one)).gateway?.service, 'istio-ingressgateway')
  })

  it('is found with one more list of pods', async () => {
    const one = world()
    await expose(PUBLIC, one)
    // The other two: those of the namespace, and istiod's for the mesh configuration that the allow list needs.
    assert.equal(one.cluster.reads.filter((read) => read === 'list pods').length, 3)
  })

  const passing: Labels = {
    'pod-template-hash': 'a1',
    'controller-revision-hash': 'a1',
    'istio.io/rev': 'a1',
    'service.istio.io/canonical-revision': 'a1',
    'app.kubernetes.io/version': 'a1',
    version: 'a1',
    'helm.sh/chart': 'gateway-1',
    chart: 'gateway-1',
    'topology.kubernetes.io/zone': 'a',
    'statefulset.kubernetes.io/pod-name': 'a-0',
  }
  it('is refused when only labels of a rollout, a release or a node tell them apart', async () => {
    const one = twoGateways(passing, {})
    const { code, message, suggestions } = await refusal(expose(PUBLIC, one))
    assert.equal(code, 'GATEWAY_LABELS_SHARED')
    assert.match(
      message,
      /gateway istio-system\/istio-ingressgateway .* a gateway in namespace edge \(pod edge\/edge-abc\)/,
    )
    assert.match(suggestions.join('\n'), /PILOT_SCOPE_GATEWAY_TO_NAMESPACE=true/)
    assert.deepEqual(one.cluster.writes, [])
  })

  it('gets several labels when no single one tells all others apart', async () => {
    const one = twoGateways(
      { release: 'internal', team: 'a' },
      { release: 'public', team: 'a' },
      router('third', 'third-abc', { release: 'internal', team: 'b' }),
    )
    await expose(PUBLIC, one)
    assert.deepEqual(gatewaySelector(one), { ...EQUAL, release: 'internal', team: 'a' })
  })

  it('is told apart by no label that one of our pods lacks', async () => {
    const one = twoGateways({ release: 'internal' }, {}, router('istio-system', 'second', {}))
    assert.equal((await refusal(expose(PUBLIC, one))).code, 'GATEWAY_LABELS_SHARED')
  })

  for (const [what, other] of [
    ['pods that are no gateways', pod('edge', 'app', EQUAL, { name: 'app' })],
    ['pods that have ended', { ...router('edge', 'old', {}), status: { phase: 'Failed' } }],
    ['pods of the same namespace, where the guards hold', router('istio-system', 'second', {})],
  ] as [string, KubeObject][]) {
    it(`is not confused with ${what}`, async () => {
      const one = world([...grafana(), ...ingressGateway(), other])
      await expose(PUBLIC, one)
      assert.deepEqual(gatewaySelector(one), EQUAL)
    })
  }

  it('that came later: the next run narrows the Gateway and every guard, also of add-ons that it does not name', async () => {
    const one = twoGateways({ release: 'internal' }, {})
    const late = one.cluster.objects.splice(
      one.cluster.objects.findIndex(({ metadata }) => metadata.name === 'edge-abc'),
      1,
    )
    await expose(PUBLIC, one)
    assert.deepEqual(gatewaySelector(one), EQUAL)
    one.cluster.objects.push(...late)
    await expose({ ...PUBLIC, ...requestFor('kiali'), guard: {} }, one)
    const own = { ...EQUAL, release: 'internal' }
    assert.deepEqual([gatewaySelector(one), policySelector(one, 'grafana')], [own, own])
    // The narrower labels stay when the other gateway goes: nothing has to change.
    one.cluster.objects.splice(
      one.cluster.objects.findIndex(({ metadata }) => metadata.name === 'edge-abc'),
      1,
    )
    one.cluster.writes.length = 0
    await expose({ ...PUBLIC, ...requestFor('kiali'), guard: {} }, one)
    assert.deepEqual([gatewaySelector(one), one.cluster.writes], [own, []])
  })

  it('does not keep labels of a Gateway that the pods do not have', async () => {
    const one = twoGateways({ release: 'internal' }, { release: 'public' })
    await expose(PUBLIC, one)
    const { spec } = find(one.cluster, 'Gateway') as unknown as { spec: { selector: Labels } }
    spec.selector = { ...EQUAL, release: 'public' }
    await expose(PUBLIC, one)
    assert.deepEqual(gatewaySelector(one), { ...EQUAL, release: 'internal' })
  })

  it('is a warning to a user who may not list pods of all namespaces', async () => {
    const one = twoGateways({}, {})
    const list = one.cluster.list.bind(one.cluster)
    one.cluster.list = (resource, options = {}) =>
      resource.plural === 'pods' && options.namespace === undefined
        ? Promise.reject(new UserError('FORBIDDEN', 'not allowed'))
        : list(resource, options)
    const { result } = await expose(PUBLIC, one)
    assert.ok(result.warnings.some(({ code }) => code === 'GATEWAY_LABELS_UNCHECKED'))
  })
})

describe('PILOT_SCOPE_GATEWAY_TO_NAMESPACE', () => {
  const istiod = (revision: string, value: string | undefined): KubeObject =>
    pod(
      'istio-system',
      `istiod-${revision}`,
      { app: 'istiod', 'istio.io/rev': revision },
      { name: 'discovery', env: value === undefined ? [] : [{ name: 'PILOT_SCOPE_GATEWAY_TO_NAMESPACE', value }] },
    )
  const of = (revision: string) => [{ name: 'CA_ADDR', value: `istiod-${revision}.istio-system.svc:15012` }]

  it('at every istiod of these pods is enough', async () => {
    const one = twoGateways({}, {}, istiod('default', 'true'))
    await expose(PUBLIC, one)
    assert.deepEqual(gatewaySelector(one), EQUAL)
  })

  for (const [what, objects] of [
    ['is not set', [istiod('default', undefined)]],
    ['is false', [istiod('default', 'false')]],
    ['is set only at another revision', [istiod('default', undefined), istiod('canary', 'true')]],
    [
      'is not set at the istiod of a third gateway',
      [istiod('default', 'true'), istiod('canary', undefined), router('third', 'third-abc', {}, of('canary'))],
    ],
    ['cannot be read', []],
  ] as [string, KubeObject[]][]) {
    it(`is not enough when it ${what}`, async () => {
      assert.equal((await refusal(expose(PUBLIC, twoGateways({}, {}, ...objects)))).code, 'GATEWAY_LABELS_SHARED')
    })
  }
})

describe('several Services in front of the pods of a gateway', () => {
  const second = (spec: object): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'older', namespace: 'istio-system' },
    spec: { selector: { istio: 'ingressgateway' }, ...spec },
  })
  const portsOf = ({ cluster }: FakeWorld) => {
    const { rules } = find(cluster, 'AuthorizationPolicy').spec as {
      rules: { to: { operation: { ports: string[] } }[] }[]
    }
    return rules[0]?.to[0]?.operation.ports
  }
  const named = [{ name: 'odd', containerPort: 8083 }]

  for (const [what, spec, port] of [
    ['a ClusterIP', { type: 'ClusterIP', ports: [{ port: 80, targetPort: 8081 }] }, '8081'],
    ['a headless one', { clusterIP: 'None', ports: [{ port: 80, targetPort: 8082 }] }, '8082'],
    ['one with a named port', { ports: [{ port: 80, targetPort: 'odd' }] }, '8083'],
  ] as [string, object, string][]) {
    it(`are all covered by a guard: ${what} with another target of port 80`, async () => {
      const [service, own] = ingressGateway() as [KubeObject, KubeObject & { spec: { containers: object[] } }]
      const withPort = { ...own, spec: { ...own.spec, containers: [{ ...own.spec.containers[0], ports: named }] } }
      const one = world([...grafana(), second(spec), service, withPort])
      await expose({ ...requestFor('grafana'), insecure: true, guard: { cidrs: ['203.0.113.0/24'] } }, one)
      assert.deepEqual(portsOf(one), ['80', '8080', port])
    })
  }

  it('are not covered when they lead to other pods', async () => {
    const other = second({ selector: { app: 'other' }, ports: [{ port: 80, targetPort: 8081 }] })
    const one = world([...grafana(), other, ...ingressGateway()])
    await expose({ ...requestFor('grafana'), insecure: true, guard: { cidrs: ['203.0.113.0/24'] } }, one)
    assert.deepEqual(portsOf(one), ['80', '8080'])
  })
})
