// Objects with our labels that somebody else created decide nothing: neither in another namespace, nor beside ours.
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { guardsIn } from '../../src/access/guard-reader.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { expose } from '../../src/exposing/expose.ts'
import { succeeded } from '../../src/exposing/result.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import {
  certificateHosts,
  createdObjects,
  find,
  fullMesh,
  gatewayHosts,
  HOST,
  hosts,
  refusal,
  requestFor,
  written,
} from './exposing.ts'
import { claimed } from './planted.ts'

const CIDRS = ['203.0.113.0/24']

async function exposed(): Promise<FakeWorld> {
  const one = fullMesh()
  await expose({ ...requestFor('grafana'), guard: { cidrs: CIDRS } }, one)
  one.cluster.writes.length = 0
  return one
}

/** An object of ours under another name, with other content. Its namespace or its place in the list comes first. */
function plant({ cluster }: FakeWorld, kind: string, namespace: string, name: string, spec: object): KubeObject {
  const copy = claimed(find(cluster, kind), namespace)
  const planted = { ...copy, metadata: { ...copy.metadata, name }, spec: { ...(copy.spec as object), ...spec } }
  cluster.objects.unshift(planted)
  return structuredClone(planted)
}

const serving = (host: string, credentialName: string) => ({
  servers: [
    {
      port: { number: 443, name: 'https-telemetry', protocol: 'HTTPS' },
      hosts: [host],
      tls: { mode: 'SIMPLE', credentialName },
    },
  ],
})

describe('expose and objects that only look like those of kubectl telemetry', () => {
  for (const [namespace, name] of [
    ['adversary', 'kubectl-telemetry'],
    ['istio-system', 'evil'],
  ] as const)
    it(`takes neither Secret, layout nor domain from Gateway ${namespace}/${name}`, async () => {
      const one = await exposed()
      plant(one, 'Gateway', namespace, name, serving('kiali.evil.example', 'shop-tls'))
      const { result } = await expose({ ...requestFor('kiali') }, one)
      assert.ok(succeeded(result), JSON.stringify(result.warnings))
      const [own] = createdObjects(one.cluster, 'istio-system').filter(({ kind }) => kind === 'Gateway')
      const { servers } = own?.spec as { servers: { tls?: { credentialName?: string } }[] }
      assert.deepEqual(servers.map(({ tls }) => tls?.credentialName).filter(Boolean), ['kubectl-telemetry-tls'])
      assert.deepEqual(certificateHosts(one.cluster), hosts('grafana', 'kiali'))
    })

  it('is refused where such a Gateway serves the host on the same pods (HOST_TAKEN)', async () => {
    const one = await exposed()
    plant(one, 'Gateway', 'adversary', 'kubectl-telemetry', serving(HOST, 'x'))
    const { code, message } = await refusal(expose(requestFor('grafana'), one))
    assert.deepEqual([code, message.slice(0, 35)], ['HOST_TAKEN', 'Gateway adversary/kubectl-telemetry'])
    assert.deepEqual(written(one), [])
  })

  it('exposes no add-on because of a VirtualService that another name shows not to be ours', async () => {
    const one = await exposed()
    const labels = { ...find(one.cluster, 'VirtualService').metadata.labels, 'app.kubernetes.io/component': 'kiali' }
    const planted = plant(one, 'VirtualService', 'istio-system', 'evil', { hosts: hosts('kiali') })
    Object.assign(one.cluster.objects[0]?.metadata ?? {}, { labels })
    const { result } = await expose(requestFor('prometheus'), one)
    assert.ok(succeeded(result), JSON.stringify(result.warnings))
    assert.deepEqual(gatewayHosts(one.cluster), hosts('grafana', 'prometheus'))
    assert.deepEqual(one.cluster.objects[0]?.spec, planted.spec)
  })

  it('keeps the guard, whatever a policy of another name allows, and does not delete that policy', async () => {
    const one = await exposed()
    const rules = [{ from: [{ source: { notRemoteIpBlocks: ['0.0.0.0/0'] } }] }]
    const planted = plant(one, 'AuthorizationPolicy', 'istio-system', 'z', { rules })
    one.cluster.objects.push(...one.cluster.objects.splice(0, 1))
    const policies = () => one.cluster.objects.filter(({ kind }) => kind === 'AuthorizationPolicy')
    for (const names of [['grafana'], ['kiali']]) {
      await expose({ ...requestFor(...names), guard: {} }, one)
      assert.deepEqual(guardsIn(policies()), { grafana: { cidrs: CIDRS } })
    }
    await expose({ ...requestFor('grafana'), guard: { cidrs: 'any' } }, one)
    assert.deepEqual(
      policies().map(({ metadata, spec }) => [metadata.name, spec]),
      [['z', planted.spec]],
    )
  })
})
