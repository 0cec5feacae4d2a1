import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { requireAddons } from '../../src/addons/catalog.ts'
import { succeeded } from '../../src/changes/undo.ts'
import { cleanup } from '../../src/cleaning/cleanup.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { expose } from '../../src/exposing/expose.ts'
import { request, world } from '../exposing/exposing.ts'
import { claimed, copied } from '../exposing/planted.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { grafana, ingressGateway } from '../fakes/mesh.ts'

const KINDS = ['Gateway', 'VirtualService', 'Secret']
const EVERYTHING = { addons: requireAddons([]), yes: true, dryRun: 'none' } as const

async function exposed(): Promise<FakeWorld> {
  const one = world([...grafana(), ...ingressGateway()])
  await expose(request, one)
  return one
}

const ours = ({ cluster }: FakeWorld) =>
  cluster.objects.filter(({ kind, metadata }) => KINDS.includes(kind) && metadata.namespace === 'istio-system')

async function cleaned(one: FakeWorld, added: KubeObject[]) {
  one.cluster.objects.push(...added)
  const before = structuredClone(one.cluster.objects.filter(({ metadata }) => metadata.namespace !== 'istio-system'))
  const result = await cleanup(EVERYTHING, one)
  const others = one.cluster.objects.filter(({ metadata }) => metadata.namespace !== 'istio-system')
  assert.deepEqual(others, before)
  assert.deepEqual(ours(one), [])
  assert.ok(succeeded(result))
  return result.warnings
}

describe('cleanup and objects that only look like those of kubectl telemetry', () => {
  it('leaves copies in a namespace without a gateway unchanged, and reports each once', async () => {
    const one = await exposed()
    const copies = ours(one).map((object) => copied(object, 'team'))
    const warnings = await cleaned(one, copies)
    assert.deepEqual(
      warnings.map(({ code }) => code),
      ['OBJECT_NOT_TRUSTED', 'OBJECT_NOT_TRUSTED', 'OBJECT_NOT_TRUSTED'],
    )
    const secret = warnings.find(({ message }) =>
      message.startsWith('Secret team/kubectl-telemetry-tls is not trusted'),
    )
    assert.match(secret?.message ?? '', /no ingress gateway runs in namespace team; it was left unchanged$/)
    assert.deepEqual(secret?.remedies, ['kubectl -n team describe secret kubectl-telemetry-tls   # look at it'])
  })

  it('does not believe the name of its field manager', async () => {
    const one = await exposed()
    const warnings = await cleaned(
      one,
      ours(one).map((object) => claimed(object, 'team')),
    )
    assert.equal(warnings.length, 3)
  })

  it('leaves copies at another gateway unchanged: kubectl telemetry did not apply them', async () => {
    const one = await exposed()
    const warnings = await cleaned(one, [
      ...ingressGateway('edge', 'edge-gateway'),
      ...ours(one).map((object) => copied(object, 'edge')),
    ])
    assert.equal(warnings.length, 3)
    assert.match(warnings[0]?.message ?? '', /something else created it/)
  })

  it('reports a ConfigMap with the marks of links of both versions once', async () => {
    const one = await exposed()
    const labels = { 'kubectl-telemetry/exposing': 'true', 'kubectl-telemetry/linked': 'true' }
    const annotations = { 'kubectl-telemetry/before-exposing': '{', 'kubectl-telemetry/before-link': '{' }
    const metadata = { name: 'kiali', namespace: 'team', uid: 'tenants', labels, annotations }
    const warnings = await cleaned(one, [{ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: {} }])
    assert.deepEqual(
      warnings.map(({ code }) => code),
      ['RECORD_INVALID'],
    )
  })

  it('removes exposures at a gateway that is scaled to zero', async () => {
    const one = await exposed()
    const { objects } = one.cluster
    objects.splice(0, objects.length, ...objects.filter(({ kind }) => kind !== 'Pod'))
    assert.deepEqual(
      (await cleaned(one, [])).map(({ code }) => code),
      [],
    )
  })

  const spoilt: [string, (object: KubeObject) => KubeObject][] = [
    ['a name that kubectl telemetry does not give', (one) => renamed(one, 'mine')],
    ['a host of somebody else', (one) => ({ ...one, spec: { ...(one.spec as object), hosts: ['sso.example.com'] } })],
    ['a host that is a path', (one) => ({ ...one, spec: { ...(one.spec as object), hosts: ['grafana.../../x'] } })],
    ['another Gateway', (one) => ({ ...one, spec: { ...(one.spec as object), gateways: ['public'] } })],
  ]
  for (const [what, spoil] of spoilt)
    it(`leaves a VirtualService with ${what} unchanged at another gateway`, async () => {
      const one = await exposed()
      const route = ours(one).filter(({ kind }) => kind === 'VirtualService')
      const added = route.map((object) => spoil(claimed(object, 'edge')))
      const warnings = await cleaned(one, [...ingressGateway('edge', 'edge-gateway'), ...added])
      assert.deepEqual(
        warnings.map(({ code }) => code),
        ['OBJECT_NOT_TRUSTED'],
      )
    })
})

function renamed(object: KubeObject, name: string): KubeObject {
  return { ...object, metadata: { ...object.metadata, name } }
}
