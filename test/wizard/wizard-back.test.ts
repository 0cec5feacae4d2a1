import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { InTurn } from '../fakes/fake-terminal.ts'
import { grafana, ingressGateway, kiali } from '../fakes/mesh.ts'
import {
  ADDONS,
  ADDRESS,
  ANYONE,
  BACK,
  BY_NETWORK,
  conversation,
  DOMAIN,
  ENTER,
  EXPOSE,
  GATEWAY,
  MESH,
  NAMESPACE,
  NETWORKS,
  PASSWORD,
  PORT_FORWARD,
  WAY,
  WHAT_NOW,
  WHO,
} from './wizarding.ts'

/** A mesh in which every question is asked. */
const EVERYTHING = [
  ...MESH,
  ...grafana('observability'),
  ...ingressGateway('edge', 'istio-edge', [{ ip: '198.51.100.9' }]),
]
const OPEN = WHO('grafana')
const ANSWERS: [string, unknown, string][] = [
  [ADDONS, ['grafana'], ''],
  [NAMESPACE, 'observability', BACK],
  [WAY, EXPOSE, BACK],
  [GATEWAY, 'edge/istio-edge', BACK],
  [ADDRESS, '198.51.100.10', '<'],
  [DOMAIN, 'example.com', '<'],
  [OPEN, BY_NETWORK, BACK],
  [NETWORKS, '203.0.113.0/24', ' < '],
]
const COMMAND =
  'expose grafana -n observability --gateway edge/istio-edge --ingress-ip 198.51.100.10 --domain example.com --allow-cidr 203.0.113.0/24'

describe('the way back in the wizard', () => {
  for (const [index, [question, answer, back]] of ANSWERS.entries()) {
    const [before, answerBefore] = ANSWERS[index - 1] ?? []
    if (before === undefined) continue
    it(`leads from "${question}" to "${before}", which remembers its answer`, async () => {
      const answers = Object.fromEntries(ANSWERS.map(([one, said]) => [one, said]))
      const scripted = {
        ...answers,
        [before]: new InTurn(answerBefore, answerBefore),
        [question]: new InTurn(back, answer),
      }
      const { terminal, commands } = await conversation(scripted, EVERYTHING).hold()
      const asked = ANSWERS.map(([one]) => one)
      assert.deepEqual(terminal.asked, [...asked.slice(0, index + 1), before, ...asked.slice(index)])
      assert.deepEqual(terminal.offered[before]?.[1], answerBefore)
      assert.deepEqual(commands, [COMMAND])
    })
  }

  it('leads from the last question to the first', async () => {
    const back = ANSWERS.map(([question, answer, back], index) => [
      question,
      new InTurn(...(index === 0 ? [answer, answer] : [answer, back, answer])),
    ])
    const answers = { ...Object.fromEntries(back), [NETWORKS]: new InTurn('<', '203.0.113.0/24') }
    assert.deepEqual((await conversation(answers, EVERYTHING).hold()).commands, [COMMAND])
  })

  it('skips questions that are not asked', async () => {
    const answers = {
      [ADDONS]: ['grafana'],
      [WAY]: new InTurn(EXPOSE, EXPOSE),
      [ADDRESS]: new InTurn('<', ENTER),
      [DOMAIN]: ENTER,
      [OPEN]: PASSWORD,
    }
    const { terminal, commands } = await conversation(answers).hold()
    assert.deepEqual(terminal.asked, [ADDONS, WAY, ADDRESS, WAY, ADDRESS, DOMAIN, OPEN])
    assert.deepEqual(commands, ['expose grafana --auth basic'])
  })

  it('does not use an answer that no longer applies, and offers it again later', async () => {
    const answers = {
      [ADDONS]: new InTurn(['grafana'], ['kiali'], ['grafana']),
      [NAMESPACE]: new InTurn('observability', BACK, 'observability'),
      [WAY]: new InTurn(BACK, PORT_FORWARD, EXPOSE),
      [WHAT_NOW]: BACK,
      [ADDRESS]: ENTER,
      [DOMAIN]: ENTER,
      [WHO('kiali')]: PASSWORD,
    }
    const one = conversation(answers, [...MESH, ...grafana('observability')])
    one.exitCodes = [1, 0]
    await one.hold()
    assert.deepEqual(one.commands, ['port-forward kiali', 'expose kiali --auth basic'])
    assert.equal(one.choices[1]?.namespace, 'observability')
  })

  it('is offered when the command failed or was declined', async () => {
    const answers = {
      ...{ [ADDONS]: ['grafana'], [WAY]: EXPOSE, [ADDRESS]: ENTER, [DOMAIN]: ENTER },
      [OPEN]: new InTurn(PASSWORD, ANYONE),
      [WHAT_NOW]: BACK,
    }
    const one = conversation(answers)
    one.exitCodes = [1, 0]
    await one.hold()
    assert.deepEqual(one.commands, ['expose grafana --auth basic', 'expose grafana --allow-anonymous'])
    assert.deepEqual(one.terminal.offered[OPEN], [undefined, PASSWORD])
  })

  it('leads to add-ons with a login, for which an earlier answer about access is not used', async () => {
    const objects = [
      ...kiali(),
      ...grafana('istio-system', { GF_AUTH_ANONYMOUS_ENABLED: 'false' }),
      ...ingressGateway(),
    ]
    const answers = {
      [ADDONS]: new InTurn(['kiali'], ['grafana']),
      [WAY]: new InTurn(EXPOSE, BACK, EXPOSE),
      [ADDRESS]: new InTurn(ENTER, '<', ENTER),
      [DOMAIN]: new InTurn(ENTER, '<', ENTER),
      [WHO('kiali')]: new InTurn(ANYONE, BACK),
      [WHAT_NOW]: BACK,
    }
    const one = conversation(answers, objects)
    one.exitCodes = [1, 0]
    assert.deepEqual((await one.hold()).commands, ['expose kiali --allow-anonymous', 'expose grafana'])
  })

  it('can be refused then', async () => {
    const one = conversation({ [ADDONS]: ['grafana'], [WAY]: PORT_FORWARD, [WHAT_NOW]: 'end' })
    one.exitCodes = [1]
    assert.deepEqual((await one.hold()).commands, ['port-forward grafana'])
  })

  it('is not offered after Ctrl-C', async () => {
    const one = conversation({ [ADDONS]: ['grafana'], [WAY]: PORT_FORWARD })
    one.exitCodes = [130]
    assert.deepEqual((await one.hold()).commands, ['port-forward grafana'])
  })
})
