/** Which istiod serves a proxy, with the environments that Istio's injector, istioctl and other programs write. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { Pod } from '../../src/cluster/objects.ts'
import { meshConfigMap } from '../../src/gateways/mesh.ts'
import { controlPlaneOf, isRead, isReadFor } from '../../src/workloads/control-plane.ts'

const pod = (env: Record<string, string>, place: 'containers' | 'initContainers' = 'containers'): Pod => {
  const proxy = { name: 'istio-proxy', env: Object.entries(env).map(([name, value]) => ({ name, value })) }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    // The injector keeps the label of the pod, which may be the name of a tag.
    metadata: { name: 'gateway', labels: { 'istio.io/rev': 'prod' } },
    spec: { containers: [], [place]: [proxy] },
  }
}
const discovery = (address: unknown) => JSON.stringify({ discoveryAddress: address })

describe('the control plane of a proxy', () => {
  const cases: [string, Record<string, string>, revision: string, namespace?: string, configMap?: string][] = [
    ['of the default revision', { CA_ADDR: 'istiod.istio-system.svc:15012' }, 'default'],
    ['of a revision, whatever tag the pod names', { CA_ADDR: 'istiod-canary.istio-system.svc:15012' }, 'canary'],
    ['of a revision that has a version as its name', { CA_ADDR: 'istiod-1-31-0.mesh.svc:15012' }, '1-31-0', 'mesh'],
    [
      'of a chart with the revision "default": istiod reads the ConfigMap without a revision',
      { CA_ADDR: 'istiod-default.istio-system.svc:15012' },
      'default',
    ],
    [
      'behind cert-manager’s istio-csr',
      {
        CA_ADDR: 'cert-manager-istio-csr.cert-manager.svc:443',
        PROXY_CONFIG: discovery('istiod-canary.mesh.svc:15012'),
      },
      'canary',
      'mesh',
    ],
    [
      'behind istio-csr, of the default revision: PROXY_CONFIG has no defaults',
      { CA_ADDR: 'cert-manager-istio-csr.cert-manager.svc:443', PROXY_CONFIG: '{}\n' },
      'default',
    ],
    ['without an environment', {}, 'default'],
    ['at another place', { CA_ADDR: 'istiod.example.com:15012' }, 'default'],
    ['with an address that is none of a Service', { CA_ADDR: 'istiod-../../secrets.istio-system.svc' }, 'default'],
    ['with other shapes', { PROXY_CONFIG: discovery(['istiod-x.y.svc']), CA_ADDR: '' }, 'default'],
  ]
  for (const [what, env, revision, namespace = 'istio-system'] of cases)
    it(what, () => {
      const pods = [pod(env)]
      assert.deepEqual(controlPlaneOf(pods), { revision, namespace })
      assert.deepEqual(controlPlaneOf([pod(env, 'initContainers')]), { revision, namespace })
      assert.deepEqual(meshConfigMap({ pods }), {
        name: revision === 'default' ? 'istio' : `istio-${revision}`,
        namespace,
      })
    })
})

describe('objects with a label istio.io/rev', () => {
  const object = (revision?: string) => ({
    apiVersion: 'networking.istio.io/v1',
    kind: 'Gateway',
    metadata: { name: 'theirs', labels: revision === undefined ? {} : { 'istio.io/rev': revision } },
  })
  const cases: [label: string | undefined, revision: string, read: boolean][] = [
    [undefined, 'canary', true],
    ['canary', 'canary', true],
    ['default', 'default', true],
    ['default', 'canary', false],
    // A tag is no revision.
    ['prod', 'canary', false],
    ['', 'default', false],
  ]
  for (const [label, revision, read] of cases)
    it(`${label === undefined ? 'that have none' : `"${label}"`}: ${read ? 'read' : 'not read'} by revision ${revision}`, () =>
      assert.equal(isRead(object(label), { revision }), read))

  it('are read for a gateway when one of its pods is of their revision', () => {
    const [old, next] = ['istiod.istio-system.svc:15012', 'istiod-canary.istio-system.svc:15012'].map((CA_ADDR) =>
      pod({ CA_ADDR }),
    )
    assert.ok(old && next)
    assert.equal(isReadFor(object('canary'), [old, next]), true)
    assert.equal(isReadFor(object('canary'), [old]), false)
  })
})
