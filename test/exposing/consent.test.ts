import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { expose } from '../../src/exposing/expose.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { grafana, ingressGateway, kiali } from '../fakes/mesh.ts'
import { ANONYMOUS, find, hosts, ours, refusal, requestFor, WAYS, world } from './exposing.ts'

const silent = (...names: string[]) => ({ ...requestFor(...names), terms: { allowAnonymous: false } })
const kinds = ({ cluster }: FakeWorld) => ours(cluster).map(({ kind, metadata }) => `${kind}/${metadata.name}`)
const ADDRESSES = 'Addresses or networks, such as 203.0.113.0/24:'
const [, KIALI] = hosts('grafana', 'kiali')

/** @param guarded whether strangers are turned away */
function answering(answers: Record<string, unknown>, guarded = false, objects = [...grafana(), ...ingressGateway()]) {
  const one = world(objects, answers)
  one.prober.probe = async ({ authorization }) =>
    guarded && authorization === undefined
      ? { ok: true, hop: 'access', status: 401, milliseconds: 1 }
      : { ok: true, hop: 'upstream', status: 200, milliseconds: 1 }
  return one
}

describe('an add-on that lets anyone in, on a terminal', () => {
  it('is told of: what it lets a visitor do', async () => {
    const one = answering({ [ANONYMOUS]: WAYS.asItIs })
    await expose(silent('grafana'), one)
    assert.deepEqual(one.terminal.notes, [
      'Grafana in namespace istio-system lets anyone in as Admin, without a login: a visitor may change dashboards, data sources and users',
    ])
  })

  it('as it is: is exposed, and the answer remembered', async () => {
    const one = answering({ [ANONYMOUS]: WAYS.asItIs })
    const { result } = await expose(silent('grafana'), one)
    assert.equal(result.exposures[0]?.anonymous, true)
    await expose(silent('grafana'), one)
    assert.deepEqual(one.terminal.asked, [ANONYMOUS])
  })

  it('with a password: gets one, which is shown', async () => {
    const one = answering({ [ANONYMOUS]: WAYS.password }, true)
    const { result } = await expose(silent('grafana'), one)
    assert.deepEqual(result.credentials?.addons, ['grafana'])
    assert.match(JSON.stringify(find(one.cluster, 'EnvoyFilter')), /telemetry:\{SHA\}/)
    assert.equal(result.exposures[0]?.anonymous, undefined)
  })

  it('from some addresses: they are asked for, and checked', async () => {
    const one = answering({ [ANONYMOUS]: WAYS.addresses, [ADDRESSES]: '203.0.113.0/24, 2001:db8::1 203.0.113.0/24' })
    const { result } = await expose(silent('grafana'), one)
    assert.deepEqual(result.exposures[0]?.guard, { cidrs: ['2001:db8::1/128', '203.0.113.0/24'] })
    assert.deepEqual(
      result.warnings.map(({ code }) => code),
      ['CLIENT_ADDRESS_HIDDEN'],
    )
    const wrong = answering({ [ANONYMOUS]: WAYS.addresses, [ADDRESSES]: '10.0.0.0/33' })
    await assert.rejects(expose(silent('grafana'), wrong), /a prefix longer than 32 bits/)
  })

  it('not at all: nothing is changed', async () => {
    const one = answering({ [ANONYMOUS]: WAYS.notAtAll })
    assert.equal((await refusal(expose(silent('grafana'), one))).code, 'DECLINED')
    assert.deepEqual(one.cluster.writes, [])
  })

  it('is asked about alone: those that ask for a login, or have a guard, stay as they are', async () => {
    const objects = [...grafana('istio-system', {}), ...kiali(), ...ingressGateway()]
    const one = answering({ [`Who may enter https://${KIALI}/kiali/?`]: WAYS.password }, true, objects)
    await expose(silent('grafana', 'kiali'), one)
    assert.deepEqual(
      kinds(one).filter((name) => name.startsWith('EnvoyFilter')),
      ['EnvoyFilter/kubectl-telemetry-kiali'],
    )
    assert.deepEqual(one.terminal.asked.length, 1)
  })

  it('chooses what is ambiguous once, before and not again after', async () => {
    const objects = [...grafana(), ...ingressGateway(), ...ingressGateway('edge', 'istio-edge', [{ ip: '192.0.2.10' }])]
    const answers = { 'Which ingress gateway?': 'edge/istio-edge', [ANONYMOUS]: WAYS.asItIs }
    const one = answering(answers, false, objects)
    await expose(silent('grafana'), one)
    assert.deepEqual(one.terminal.asked, ['Which ingress gateway?', ANONYMOUS])
  })
})
