import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { expose } from '../../src/exposing/expose.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { grafana, ingressGateway, kiali } from '../fakes/mesh.ts'
import { ACCESS_CHOICES, ANONYMOUS, createdObjects, find, hosts, refusal, requestFor, world } from './exposing.ts'

const silent = (...names: string[]) => ({ ...requestFor(...names), terms: { allowAnonymous: false } })
const kinds = ({ cluster }: FakeWorld) =>
  createdObjects(cluster).map(({ kind, metadata }) => `${kind}/${metadata.name}`)
const ADDRESSES = 'Addresses or networks, such as 203.0.113.0/24:'
const [, KIALI] = hosts('grafana', 'kiali')

/** @param guarded whether the gateway asks for a login */
function answering(answers: Record<string, unknown>, guarded = false, objects = [...grafana(), ...ingressGateway()]) {
  const one = world(objects, answers)
  one.prober.page = ({ authorization }) =>
    guarded && authorization === undefined
      ? { ok: true, hop: 'access', status: 401, milliseconds: 1 }
      : { ok: true, hop: 'upstream', status: 200, milliseconds: 1 }
  return one
}

describe('an add-on that lets anyone in, on a terminal', () => {
  it('is described: what a visitor could do', async () => {
    const one = answering({ [ANONYMOUS]: ACCESS_CHOICES.anyone })
    await expose(silent('grafana'), one)
    assert.deepEqual(one.terminal.notes, [
      'Grafana in namespace istio-system lets anyone in as Admin, without a login: a visitor may change dashboards, data sources and users',
    ])
  })

  it('anyone: is exposed, and the answer is stored', async () => {
    const one = answering({ [ANONYMOUS]: ACCESS_CHOICES.anyone })
    const { result } = await expose(silent('grafana'), one)
    assert.equal(result.exposures[0]?.anonymous, true)
    await expose(silent('grafana'), one)
    assert.deepEqual(one.terminal.asked, [ANONYMOUS])
  })

  it('with a password: gets a generated one, which is shown', async () => {
    const one = answering({ [ANONYMOUS]: ACCESS_CHOICES.password }, true)
    const { result } = await expose(silent('grafana'), one)
    assert.deepEqual(result.credentials?.addons, ['grafana'])
    assert.match(JSON.stringify(find(one.cluster, 'EnvoyFilter')), /telemetry:\{SHA\}/)
    assert.equal(result.exposures[0]?.anonymous, undefined)
  })

  it('from some addresses: asks for them, and checks them', async () => {
    const one = answering({
      [ANONYMOUS]: ACCESS_CHOICES.addresses,
      [ADDRESSES]: '203.0.113.0/24, 2001:db8::1 203.0.113.0/24',
    })
    const { result } = await expose(silent('grafana'), one)
    assert.deepEqual(result.exposures[0]?.guard, { cidrs: ['2001:db8::1/128', '203.0.113.0/24'] })
    assert.deepEqual(
      result.warnings.map(({ code }) => code),
      ['CLIENT_ADDRESS_HIDDEN'],
    )
    const wrong = answering({ [ANONYMOUS]: ACCESS_CHOICES.addresses, [ADDRESSES]: '10.0.0.0/33' })
    await assert.rejects(expose(silent('grafana'), wrong), /a prefix longer than 32 bits/)
  })

  it('nobody: nothing is changed', async () => {
    const one = answering({ [ANONYMOUS]: ACCESS_CHOICES.nobody })
    assert.equal((await refusal(expose(silent('grafana'), one))).code, 'DECLINED')
    assert.deepEqual(one.cluster.writes, [])
  })

  it('is the only subject of the question: add-ons with a login or a guard stay unchanged', async () => {
    const objects = [...grafana('istio-system', {}), ...kiali(), ...ingressGateway()]
    const one = answering({ [`Who may enter https://${KIALI}/kiali/?`]: ACCESS_CHOICES.password }, true, objects)
    await expose(silent('grafana', 'kiali'), one)
    assert.deepEqual(
      kinds(one).filter((name) => name.startsWith('EnvoyFilter')),
      ['EnvoyFilter/kubectl-telemetry-kiali'],
    )
    assert.deepEqual(one.terminal.asked.length, 1)
  })

  it('asks about an ambiguous add-on only once', async () => {
    const objects = [...grafana(), ...ingressGateway(), ...ingressGateway('edge', 'istio-edge', [{ ip: '192.0.2.10' }])]
    const answers = { 'Which ingress gateway?': 'edge/istio-edge', [ANONYMOUS]: ACCESS_CHOICES.anyone }
    const one = answering(answers, false, objects)
    await expose(silent('grafana'), one)
    assert.deepEqual(one.terminal.asked, ['Which ingress gateway?', ANONYMOUS])
  })
})
