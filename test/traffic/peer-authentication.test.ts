import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import type { Pod } from '../../src/cluster/objects.ts'
import { mutualTlsOf } from '../../src/traffic/peer-authentication.ts'
import { pod } from '../fakes/mesh.ts'

const POD = pod('shop', 'cart-1', { app: 'cart', tier: 'back' }, { name: 'cart' }) as Pod

function policy(place: string, spec: object, created = '2026-01-01T00:00:00Z'): KubeObject {
  const [namespace = '', name = ''] = place.split('/')
  const metadata = { name, namespace, creationTimestamp: created }
  return { apiVersion: 'security.istio.io/v1', kind: 'PeerAuthentication', metadata, spec }
}
const mtls = (mode: string) => ({ mtls: { mode } })
const of = (labels: object, rest: object) => ({ selector: { matchLabels: labels }, ...rest })
const mode = (...objects: KubeObject[]) => mutualTlsOf(POD, 8080, objects, 'istio-system')

describe('mutualTlsOf', () => {
  const cases: [what: string, objects: KubeObject[], wanted: { mode: string; from?: string }][] = [
    ['nothing: permissive', [], { mode: 'PERMISSIVE' }],
    ['the mesh', [policy('istio-system/default', mtls('STRICT'))], { mode: 'STRICT', from: 'istio-system/default' }],
    [
      'the namespace before the mesh',
      [policy('istio-system/default', mtls('STRICT')), policy('shop/default', mtls('PERMISSIVE'))],
      { mode: 'PERMISSIVE', from: 'shop/default' },
    ],
    [
      'the pod before the namespace',
      [policy('shop/default', mtls('PERMISSIVE')), policy('shop/cart', of({ app: 'cart' }, mtls('STRICT')))],
      { mode: 'STRICT', from: 'shop/cart' },
    ],
    [
      'the port before the pod',
      [policy('shop/cart', of({ app: 'cart' }, { ...mtls('STRICT'), portLevelMtls: { 8080: { mode: 'DISABLE' } } }))],
      { mode: 'DISABLE', from: 'shop/cart' },
    ],
    [
      'not another port',
      [policy('shop/cart', of({ app: 'cart' }, { portLevelMtls: { 9090: { mode: 'STRICT' } } }))],
      { mode: 'PERMISSIVE' },
    ],
    [
      'UNSET as nothing',
      [policy('shop/cart', of({ app: 'cart' }, mtls('UNSET'))), policy('istio-system/default', mtls('STRICT'))],
      { mode: 'STRICT', from: 'istio-system/default' },
    ],
    [
      'the oldest of several',
      [policy('shop/young', mtls('STRICT'), '2026-02-01T00:00:00Z'), policy('shop/old', mtls('PERMISSIVE'))],
      { mode: 'PERMISSIVE', from: 'shop/old' },
    ],
    [
      'no other pods, namespaces, or labels in the root namespace',
      [
        policy('shop/other', of({ app: 'web' }, mtls('STRICT'))),
        policy('other/default', mtls('STRICT')),
        policy('istio-system/some', of({ app: 'cart' }, mtls('STRICT'))),
      ],
      { mode: 'PERMISSIVE' },
    ],
    [
      'nothing in odd shapes',
      [
        policy('shop/a', { mtls: 'STRICT' }),
        policy('shop/b', { mtls: { mode: 7 }, selector: [] }),
        policy('shop/c', { selector: { matchLabels: { app: { a: 1 } } }, ...mtls('STRICT') }),
        { ...policy('shop/d', {}), spec: undefined },
      ],
      { mode: 'PERMISSIVE' },
    ],
  ]
  for (const [what, objects, wanted] of cases)
    it(`follows ${what}`, () => {
      assert.deepEqual(mode(...objects), wanted)
      assert.deepEqual(mode(...objects.toReversed()), wanted)
    })
})
