/** What a Service itself answers at its page: many have none at `/`. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { expose } from '../../src/exposing/expose.ts'
import type { Probe } from '../../src/probing/prober.ts'
import { grafana, ingressGateway } from '../fakes/mesh.ts'
import { request, world } from './exposing.ts'

const METADATA = { name: 'reviews', namespace: 'bookinfo' }

function reviews(): KubeObject[] {
  const labels = { app: 'reviews' }
  return [
    {
      ...{ apiVersion: 'v1', kind: 'Service', metadata: METADATA },
      spec: { clusterIP: '10.0.0.7', selector: labels, ports: [{ name: 'http', port: 9080 }] },
    } as KubeObject,
    {
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { ...METADATA, labels } },
      spec: { containers: [] },
      status: { conditions: [{ type: 'Ready', status: 'True' }] },
    } as KubeObject,
  ]
}

const SERVICE = { addons: { names: [], named: true }, services: [{ name: 'reviews' }], namespace: 'bookinfo' }
const says = (answer: Partial<Probe>): Probe => ({ ok: false, hop: 'upstream', milliseconds: 3, ...answer })

/** What expose reports of its only probe, and the codes of its findings. */
async function reported(answer: Probe, asked: object): Promise<[ok: boolean | undefined, codes: string[]]> {
  const one = world([...grafana(), ...ingressGateway(), ...reviews()])
  one.prober.answers = [answer]
  const { result } = await expose({ ...request, ...asked, timeout: 1 }, one)
  return [result.exposures[0]?.probe?.ok, result.warnings.map(({ code }) => code)]
}

describe('the answer of a Service at its page', () => {
  for (const status of [400, 404, 405, 415])
    it(`${status} shows that the gateway reaches it`, async () => {
      assert.deepEqual(await reported(says({ status }), SERVICE), [true, []])
    })

  const failures: [string, Probe][] = [
    ['404 of the gateway', says({ hop: 'route', status: 404 })],
    ['503', says({ status: 503 })],
    ['no answer', says({})],
    ['400 to plaintext at a port for HTTPS', says({ status: 400, wrongProtocol: 'tls wanted' })],
  ]
  for (const [what, answer] of failures)
    it(`${what} is a failure`, async () => {
      assert.deepEqual(await reported(answer, SERVICE), [false, ['PROBE_FAILED']])
    })

  it('404 is a failure of an add-on, whose page is known', async () => {
    assert.deepEqual(await reported(says({ status: 404 }), {}), [false, ['PROBE_FAILED']])
  })

  it('404 without a login is a guard without effect', async () => {
    const login = { kind: 'basic', users: ['me:{SHA}q/eq1kOINtvlJqojGr3i0O73TUI='] }
    const [ok, codes] = await reported(says({ status: 404 }), { ...SERVICE, guard: { login } })
    assert.deepEqual([ok, codes.includes('GUARD_WITHOUT_EFFECT')], [false, true])
  })
})
