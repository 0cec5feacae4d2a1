import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { applyPlan } from '../../src/exposing/apply.ts'
import { expose } from '../../src/exposing/expose.ts'
import type { ExposePlan } from '../../src/exposing/plan.ts'
import { preparePlan, rehearsePlan, surveyMesh } from '../../src/exposing/prepare.ts'
import type { ExposeRequest } from '../../src/exposing/request.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { grafana, ingressGateway, jaeger, kiali, kialiDeployment } from '../fakes/mesh.ts'
import { find, request, requestFor, world } from './exposing.ts'

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value
  Object.freeze(value)
  for (const part of Object.values(value)) frozen(part)
  return value
}

async function planFor(asked: ExposeRequest, mesh: FakeWorld): Promise<ExposePlan> {
  return rehearsePlan(await preparePlan(asked, await surveyMesh(asked, mesh), mesh), mesh)
}

/** A mesh in which cert-manager has issued the certificate. */
async function meshWithIssuedSecret(): Promise<FakeWorld> {
  const elsewhere = world()
  await expose(request, elsewhere)
  const { type, data } = find(elsewhere.cluster, 'Secret') as KubeObject & { type: string; data: object }
  const metadata = { name: 'kubectl-telemetry-issued', namespace: 'istio-system' }
  const mesh = world([...grafana(), ...ingressGateway(), { apiVersion: 'v1', kind: 'Secret', metadata, type, data }])
  mesh.cluster.groups['cert-manager.io'] = ['v1']
  return mesh
}

describe('the plan of an exposure', () => {
  it('has each entry once, for requested and for exposed add-ons, sorted', async () => {
    const mesh = world([...grafana(), ...ingressGateway(), ...jaeger(), ...kiali(), kialiDeployment()])
    await expose(requestFor('tracing', 'grafana'), mesh)
    const { spec } = await planFor(requestFor('kiali', 'grafana'), mesh)
    assert.deepEqual(
      spec.entries.map(({ name }) => name),
      ['grafana', 'kiali', 'tracing'],
    )
    assert.deepEqual(
      spec.hosts,
      spec.entries.map(({ host }) => host),
    )
  })

  it('is not changed by applying it: links get their node ports in the result', async () => {
    const mesh = world([...grafana(), ...ingressGateway(), ...jaeger(), ...kiali(), kialiDeployment()])
    const plan = frozen(await planFor({ ...requestFor('grafana'), layout: 'ports', link: true }, mesh))
    const { changes, exposures } = await applyPlan(plan, mesh)
    assert.deepEqual(
      changes.slice(-2).map(({ manifest }) => manifest.kind),
      ['ConfigMap', 'Deployment'],
    )
    assert.equal(exposures.length, 1)
  })

  it('is not changed by applying it: the certificate of cert-manager is in the result', async () => {
    const mesh = await meshWithIssuedSecret()
    const issuer = { kind: 'ClusterIssuer', name: 'letsencrypt' } as const
    const plan = frozen(await planFor({ ...request, tlsIssuer: issuer }, mesh))
    assert.equal(plan.spec.providedSecret?.chain, '')
    const { providedSecret } = await applyPlan(plan, mesh)
    assert.match(providedSecret?.chain ?? '', /BEGIN CERTIFICATE/)
  })
})
