import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { requireAddons } from '../../src/addons/catalog.ts'
import { succeeded } from '../../src/changes/undo.ts'
import { type CleanupRequest, cleanup } from '../../src/cleaning/cleanup.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import { expose } from '../../src/exposing/expose.ts'
import { hostHere } from '../../src/manifests/gateway.ts'
import {
  certificateHosts,
  createdObjects,
  DOMAIN,
  find,
  fullMesh,
  gatewayHosts,
  hosts,
  refusal,
  requestFor,
  world,
  written,
} from '../exposing/exposing.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { type FakeWorld, fakeWorld } from '../fakes/fake-world.ts'
import { grafana, ingressGateway, kiali } from '../fakes/mesh.ts'

function without(...words: string[]): CleanupRequest {
  return { addons: requireAddons(words), yes: true, dryRun: 'none' }
}

async function exposing(...names: string[]): Promise<FakeWorld> {
  const one = fullMesh()
  await expose(requestFor(...names), one)
  one.cluster.writes.length = 0
  return one
}

/** Another machine with the same cluster: it has no CA. */
function elsewhere({ cluster }: FakeWorld, answers?: Record<string, unknown>): FakeWorld {
  return fakeWorld(cluster, new FakeTerminal(answers))
}

const names = (objects: { kind: string; name: string }[]) => objects.map(({ kind, name }) => `${kind}/${name}`)
const actions = (objects: { kind: string; action: string }[]) => objects.map(({ kind, action }) => `${kind} ${action}`)

describe('cleanup of one add-on of several', () => {
  it('removes its host from the Gateway, then its route, then its name from the certificate', async () => {
    const one = await exposing('grafana', 'kiali', 'prometheus')
    const result = await cleanup(without('grafana'), one)
    assert.deepEqual(written(one), [
      'Gateway/kubectl-telemetry',
      '-VirtualService/kubectl-telemetry-grafana',
      'Secret/kubectl-telemetry-tls',
    ])
    assert.deepEqual(gatewayHosts(one.cluster), hosts('kiali', 'prometheus'))
    assert.deepEqual(certificateHosts(one.cluster), hosts('kiali', 'prometheus'))
    assert.deepEqual(names(result.deleted), ['VirtualService/kubectl-telemetry-grafana'])
    assert.deepEqual(actions(result.changed), ['Gateway configured', 'Secret configured'])
    assert.deepEqual([result.outcome, result.remaining, result.warnings], ['applied', [], []])
    assert.ok(succeeded(result))
  })

  it('leaves the other routes and the rest of the Gateway unchanged', async () => {
    const one = await exposing('grafana', 'kiali')
    const [route, gateway] = [find(one.cluster, 'VirtualService', 'kiali'), find(one.cluster, 'Gateway')]
    await cleanup(without('grafana'), one)
    assert.equal(find(one.cluster, 'VirtualService', 'kiali'), route)
    const { servers: before, ...rest } = gateway.spec as { servers: object[] }
    const { servers: after, ...still } = find(one.cluster, 'Gateway').spec as { servers: object[] }
    assert.deepEqual(still, rest)
    assert.deepEqual(
      after,
      before.map((server) => ({ ...server, hosts: hosts('kiali').map(hostHere) })),
    )
  })

  it('leaves the same objects as an exposure of only the others', async () => {
    const one = await exposing('grafana', 'kiali')
    await cleanup(without('grafana'), one)
    one.cluster.writes.length = 0
    await expose(requestFor('kiali'), one)
    assert.deepEqual(written(one), [])
  })

  it('removes several at once', async () => {
    const one = await exposing('grafana', 'kiali', 'prometheus', 'tracing')
    const result = await cleanup(without('kiali', 'jaeger'), one)
    assert.deepEqual(names(result.deleted), [
      'VirtualService/kubectl-telemetry-kiali',
      'VirtualService/kubectl-telemetry-tracing',
    ])
    assert.deepEqual(gatewayHosts(one.cluster), hosts('grafana', 'prometheus'))
  })

  it('removes everything with the last one', async () => {
    const one = await exposing('grafana', 'kiali')
    await cleanup(without('grafana'), one)
    const result = await cleanup(without('kiali'), one)
    assert.deepEqual(names(result.deleted), [
      'Gateway/kubectl-telemetry',
      'VirtualService/kubectl-telemetry-kiali',
      'Secret/kubectl-telemetry-tls',
    ])
    assert.deepEqual(result.changed, [])
    assert.deepEqual(createdObjects(one.cluster), [])
  })

  it('removes everything when all of them are named', async () => {
    const one = await exposing('grafana', 'kiali')
    await cleanup(without('kiali', 'grafana'), one)
    assert.deepEqual(createdObjects(one.cluster), [])
  })

  it('does nothing if it is not exposed, and leaves the others unchanged', async () => {
    const one = await exposing('kiali')
    const result = await cleanup({ ...without('grafana'), yes: false }, one)
    assert.deepEqual([result.outcome, result.deleted, result.changed], ['applied', [], []])
    assert.deepEqual(
      result.warnings.map(({ code, message }) => [code, message]),
      [['NOT_EXPOSED', 'grafana is not exposed']],
    )
    assert.ok(succeeded(result))
    assert.deepEqual(written(one), [])
  })

  it('keeps names that nothing serves on a machine without the CA, and reports that', async () => {
    const one = await exposing('grafana', 'kiali')
    const secret = find(one.cluster, 'Secret')
    const result = await cleanup(without('grafana'), elsewhere(one))
    assert.equal(find(one.cluster, 'Secret'), secret)
    assert.deepEqual(gatewayHosts(one.cluster), hosts('kiali'))
    assert.deepEqual(actions(result.changed), ['Gateway configured'])
    assert.deepEqual(result.warnings, [
      {
        code: 'CERTIFICATE_KEPT',
        severity: 'notes',
        message: `the CA of ${DOMAIN} is not on this machine, so the certificate keeps the names of the removed hosts`,
        remedies: [
          'run kubectl telemetry expose on the machine that has the CA, to reissue the certificate; the present one keeps working',
        ],
      },
    ])
    assert.ok(succeeded(result))
  })

  for (const dryRun of ['client', 'server'] as const) {
    it(`writes nothing in a dry run (${dryRun})`, async () => {
      const one = await exposing('grafana', 'kiali')
      const result = await cleanup({ ...without('grafana'), yes: false, dryRun }, one)
      assert.equal(result.outcome, 'planned')
      assert.deepEqual(names(result.deleted), ['VirtualService/kubectl-telemetry-grafana'])
      assert.deepEqual(actions(result.changed), ['Gateway configured', 'Secret configured'])
      assert.deepEqual(written(one), [])
    })
  }

  it('reports in a server dry run that the permission to change the Gateway is missing', async () => {
    const one = await exposing('grafana', 'kiali')
    one.cluster.fail('apply', 'gateways', new UserError('FORBIDDEN', 'cannot patch resource "gateways"'), true)
    assert.equal((await refusal(cleanup({ ...without('grafana'), dryRun: 'server' }, one))).code, 'FORBIDDEN')
    await cleanup({ ...without('grafana'), dryRun: 'client' }, one)
  })

  it('shows what is removed and changed, asks, and accepts no as an answer', async () => {
    const question = 'Clean up these 3 objects?'
    const one = await exposing('grafana', 'kiali')
    const declining = { ...elsewhere(one, { [question]: false }), authorities: one.authorities }
    const result = await cleanup({ ...without('grafana'), yes: false }, declining)
    assert.equal(result.outcome, 'declined')
    assert.deepEqual([result.deleted, result.changed], [[], []])
    assert.equal(succeeded(result), false)
    assert.deepEqual(declining.terminal.notes, [
      '  Gateway istio-system/kubectl-telemetry: change',
      '  VirtualService istio-system/kubectl-telemetry-grafana: delete',
      '  Secret istio-system/kubectl-telemetry-tls: change, with the key for kiali.192.0.2.10.nip.io',
    ])
    assert.deepEqual(written(one), [])
  })

  it('needs -y without a terminal', async () => {
    const one = await exposing('grafana', 'kiali')
    assert.equal((await refusal(cleanup({ ...without('grafana'), yes: false }, one))).code, 'CONSENT_REQUIRED')
    assert.deepEqual(written(one), [])
  })

  it('stops if the Gateway cannot be changed: no host is served by an incomplete exposure', async () => {
    const one = await exposing('grafana', 'kiali')
    one.cluster.fail('apply', 'gateways', new UserError('FORBIDDEN', 'cannot patch resource "gateways"'))
    assert.equal((await refusal(cleanup(without('grafana'), one))).code, 'FORBIDDEN')
    assert.deepEqual(written(one), [])
  })

  it('finishes a run that was interrupted after the Gateway', async () => {
    const one = await exposing('grafana', 'kiali')
    const gateway = find(one.cluster, 'Gateway')
    const cutOff: KubeObject = structuredClone(gateway)
    const { servers, ...spec } = cutOff.spec as { servers: object[] }
    cutOff.spec = { ...spec, servers: [{ ...servers[0], hosts: hosts('kiali').map(hostHere) }] }
    one.cluster.objects.splice(one.cluster.objects.indexOf(gateway), 1, cutOff)
    const result = await cleanup(without('grafana'), one)
    assert.deepEqual(actions(result.changed), ['Gateway unchanged', 'Secret configured'])
    assert.deepEqual(written(one), ['-VirtualService/kubectl-telemetry-grafana', 'Secret/kubectl-telemetry-tls'])
  })

  it('reports a route that still exists, and nothing that should stay', async () => {
    const one = await exposing('grafana', 'kiali')
    one.cluster.delete = async () => 'deleted' // a finalizer holds it
    const result = await cleanup(without('grafana'), one)
    assert.deepEqual(names(result.remaining), ['VirtualService/kubectl-telemetry-grafana'])
    assert.equal(succeeded(result), false)
  })
})

describe('cleanup of Gateways in two namespaces', () => {
  async function twoGateways(): Promise<FakeWorld> {
    const second = ingressGateway('edge', 'istio-edge', [{ ip: '192.0.2.20' }])
    const one = world([...grafana(), ...kiali(), ...ingressGateway(), ...second])
    const through = (namespace: string, name: string) => ({ gateway: { namespace, name } })
    await expose({ ...requestFor('grafana', 'kiali'), ...through('istio-system', 'istio-ingressgateway') }, one)
    await expose({ ...requestFor('grafana'), ...through('edge', 'istio-edge') }, one)
    one.cluster.writes.length = 0
    return one
  }

  it('removes the add-on at both: all objects at one, only its host at the other', async () => {
    const one = await twoGateways()
    const result = await cleanup(without('grafana'), one)
    assert.ok(succeeded(result))
    assert.deepEqual(createdObjects(one.cluster, 'edge'), [])
    assert.deepEqual(gatewayHosts(one.cluster), hosts('kiali'))
    assert.deepEqual(certificateHosts(one.cluster), hosts('kiali'))
  })

  it('leaves the other Gateway unchanged if it does not serve the add-on', async () => {
    const one = await twoGateways()
    const before = structuredClone(createdObjects(one.cluster, 'edge'))
    await cleanup(without('kiali'), one)
    assert.deepEqual(createdObjects(one.cluster, 'edge'), before)
  })

  it('removes all at both when none is named', async () => {
    const one = await twoGateways()
    await cleanup(without(), one)
    assert.deepEqual(createdObjects(one.cluster), [])
  })
})
