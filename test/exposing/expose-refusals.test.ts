import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { interrupted, UserError } from '../../src/errors.ts'
import { expose } from '../../src/exposing/expose.ts'
import type { ExposeRequest } from '../../src/exposing/request.ts'
import { succeeded } from '../../src/exposing/result.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { grafana, ingressGateway, service } from '../fakes/mesh.ts'
import { ACCESS_CHOICES, ANONYMOUS, CONFIRM, refusal, request, world } from './exposing.ts'

/** A gateway that is reachable only inside the cluster. */
function inside(): KubeObject[] {
  const [service, pod] = ingressGateway('edge', 'istio-edge', [])
  assert.ok(service && pod)
  const { ports, ...spec } = service.spec as { ports: { nodePort: number }[] }
  const plain = ports.map(({ nodePort: _, ...port }) => port)
  return [{ ...service, spec: { ...spec, type: 'ClusterIP', ports: plain } }, pod]
}

function ending(objects: KubeObject[]): KubeObject[] {
  const deletionTimestamp = '2026-11-21T12:00:00Z'
  return objects.map((object) => ({ ...object, metadata: { ...object.metadata, deletionTimestamp } }))
}

describe('expose', () => {
  describe('asks', () => {
    it('nothing when flags answer all questions', async () => {
      const one = world(undefined, {})
      await expose(request, one)
      assert.deepEqual(one.terminal.asked, [])
    })

    it('who may enter an add-on that lets anyone in, then for confirmation', async () => {
      const one = world(undefined, { [ANONYMOUS]: ACCESS_CHOICES.anyone, [CONFIRM]: true })
      const { result } = await expose({ ...request, terms: { allowAnonymous: false }, yes: false }, one)
      assert.equal(result.outcome, 'applied')
      assert.deepEqual(one.terminal.asked, [ANONYMOUS, CONFIRM])
    })

    it('and accepts no as the answer', async () => {
      const declined = world(undefined, { [CONFIRM]: false })
      const { result } = await expose({ ...request, yes: false }, declined)
      assert.equal(result.outcome, 'declined')
      assert.equal(succeeded(result), false)
      assert.deepEqual(declined.cluster.writes, [])
      assert.equal(declined.authorities.kept.size, 0)
      const refused = world(undefined, { [ANONYMOUS]: ACCESS_CHOICES.nobody })
      assert.equal((await refusal(expose({ ...request, terms: { allowAnonymous: false } }, refused))).code, 'DECLINED')
      assert.deepEqual(refused.cluster.writes, [])
    })

    it('and ends with 130 on Ctrl-C', async () => {
      const one = world(undefined, { [CONFIRM]: interrupted() })
      assert.equal((await refusal(expose({ ...request, yes: false }, one))).exitCode, 130)
      assert.deepEqual(one.cluster.writes, [])
    })

    it('for the gateway, the add-on, the address and the domain when there is a choice or nothing to choose from', async () => {
      const hostname = [{ hostname: 'lb.example.net' }]
      const objects = [
        ...grafana(),
        ...grafana('other'),
        ...ingressGateway(),
        ...ingressGateway('edge', 'istio-edge', hostname),
      ]
      const one = world(objects, {
        'Which grafana?': 'other/grafana (Grafana)',
        'Which ingress gateway?': 'edge/istio-edge',
        'Domain whose names resolve to lb.example.net:': 'Example.COM',
      })
      one.prober.resolutions['lb.example.net'] = { addresses: [], failure: 'no-such-name' }
      const { result } = await expose(request, one)
      assert.equal(result.exposures[0]?.url, 'https://grafana.example.com/')
      assert.equal(result.exposures[0]?.namespace, 'other')

      const pending = [...grafana(), ...ingressGateway('istio-system', 'istio-ingressgateway', [])]
      const question =
        "Service istio-system/istio-ingressgateway has no external address, and no node's address and node port lead to it. Address of the ingress gateway:"
      const two = await expose(request, world(pending, { [question]: '192.0.2.99' }))
      assert.equal(two.result.gateway.address, '192.0.2.99')
    })
  })

  describe('without a terminal refuses', () => {
    const cases: {
      title: string
      objects?: KubeObject[]
      request?: Partial<ExposeRequest>
      prepare?: (one: FakeWorld) => void
      code: string
      flag?: string
    }[] = [
      {
        title: 'an add-on that lets anyone in',
        request: { terms: { allowAnonymous: false } },
        code: 'ANONYMOUS_ACCESS',
        flag: '--allow-anonymous',
      },
      {
        title: 'an add-on whose access cannot be read',
        objects: [...grafana().slice(0, 1), ...ingressGateway()],
        request: { terms: { allowAnonymous: false } },
        code: 'ANONYMOUS_ACCESS',
        flag: '--allow-anonymous',
      },
      { title: 'without leave', request: { yes: false }, code: 'CONSENT_REQUIRED', flag: '-y' },
      { title: 'when Grafana is absent', objects: ingressGateway(), code: 'ADDON_NOT_FOUND' },
      {
        title: 'when Grafana is in another namespace than the named one',
        request: { namespace: 'default' },
        code: 'ADDON_NOT_FOUND',
        flag: '-n istio-system',
      },
      {
        title: 'two Grafanas',
        objects: [...grafana(), ...grafana('other'), ...ingressGateway()],
        code: 'ADDON_AMBIGUOUS',
        flag: '-n other',
      },
      { title: 'without a gateway', objects: grafana(), code: 'GATEWAY_NOT_FOUND', flag: '--gateway' },
      {
        title: 'two gateways',
        objects: [...grafana(), ...ingressGateway(), ...ingressGateway('edge', 'istio-edge')],
        code: 'GATEWAY_AMBIGUOUS',
        flag: '--gateway edge/istio-edge',
      },
      {
        title: 'a named gateway whose Service is being deleted',
        objects: [...grafana(), ...ingressGateway(), ...ending(ingressGateway('edge', 'istio-edge'))],
        request: { gateway: { namespace: 'edge', name: 'istio-edge' } },
        code: 'GATEWAY_NOT_FOUND',
      },
      {
        title: 'a named gateway that is not there',
        request: { gateway: { namespace: 'x', name: 'y' } },
        code: 'GATEWAY_NOT_FOUND',
      },
      {
        title: 'a named Service that is no gateway',
        request: { gateway: { namespace: 'istio-system', name: 'grafana' } },
        code: 'GATEWAY_NOT_FOUND',
      },
      {
        title: 'a gateway that nothing leads to',
        objects: [...grafana(), ...ingressGateway('istio-system', 'istio-ingressgateway', [])],
        code: 'ADDRESS_NOT_FOUND',
        flag: '--ingress-ip',
      },
      {
        title: 'a host name that does not resolve, without a domain',
        prepare: ({ prober }) => Object.assign(prober, { addresses: [] }),
        objects: [
          ...grafana(),
          ...ingressGateway('istio-system', 'istio-ingressgateway', [{ hostname: 'lb.example.net' }]),
        ],
        code: 'DOMAIN_REQUIRED',
        flag: '--domain',
      },
      {
        title: 'a gateway of type ClusterIP that was named',
        objects: [...grafana(), ...inside()],
        request: { gateway: { namespace: 'edge', name: 'istio-edge' } },
        code: 'ADDRESS_NOT_FOUND',
        flag: 'kubectl telemetry port-forward',
      },
      {
        title: 'a gateway that may not list Secrets',
        prepare: ({ cluster }) => Object.assign(cluster, { secretsReadable: false }),
        code: 'GATEWAY_CANNOT_READ_SECRETS',
      },
      {
        title: 'a cluster without Istio',
        prepare: ({ cluster }) => Object.assign(cluster, { groups: {} }),
        code: 'ISTIO_NOT_FOUND',
      },
      {
        title: 'an object with the same name that kubectl telemetry did not create',
        objects: [
          ...grafana(),
          ...ingressGateway(),
          { ...service('istio-system', 'kubectl-telemetry-tls', {}, {}), kind: 'Secret' },
        ],
        code: 'NOT_OURS',
      },
    ]
    for (const { title, objects, request: changes = {}, prepare, code, flag } of cases) {
      it(`${title} (${code}), and changes nothing`, async () => {
        const one = world(objects)
        prepare?.(one)
        const error = await refusal(expose({ ...request, ...changes }, one))
        assert.equal(error.code, code)
        assert.equal(error.exitCode, 1)
        if (flag !== undefined)
          assert.ok(
            error.suggestions.some((text) => text.startsWith(flag)),
            error.suggestions.join('\n'),
          )
        assert.deepEqual(one.cluster.writes, [])
        assert.equal(one.authorities.kept.size, 0)
      })
    }
  })

  describe('when the API server refuses', () => {
    it('fails in the rehearsal, before the first write', async () => {
      const one = world()
      one.cluster.fail('apply', 'gateways', new UserError('FORBIDDEN', 'cannot patch resource "gateways"'), true)
      assert.equal((await refusal(expose(request, one))).code, 'FORBIDDEN')
      assert.deepEqual(one.cluster.writes, [])
      assert.equal(one.authorities.kept.size, 0)
    })

    it('reports earlier changes when it fails between two writes', async () => {
      const one = world()
      one.cluster.fail('apply', 'gateways', new UserError('SERVER_FAILED', 'etcd is away'), false)
      const { code, message, suggestions } = await refusal(expose(request, one))
      assert.equal(code, 'SERVER_FAILED')
      assert.equal(
        message,
        'etcd is away; changed before that: virtualservice.networking.istio.io/kubectl-telemetry-grafana, secret/kubectl-telemetry-tls',
      )
      assert.ok(suggestions.includes('kubectl telemetry cleanup   # to undo it'))
    })
  })

  describe('when the CA of the domain', () => {
    const DAY = 24 * 3_600_000
    const DOMAIN = '192.0.2.10.nip.io'

    it('has expired, refuses before the first write and names the way to a new CA (CA_EXPIRED)', async () => {
      const one = world()
      await expose(request, one)
      one.cluster.writes.length = 0
      await one.clock.sleep(3_650 * DAY)
      const { code, message, suggestions, exitCode } = await refusal(expose(request, one))
      const directory = `/home/me/.local/share/kubectl-telemetry/authorities/${DOMAIN}`
      assert.deepEqual([code, exitCode], ['CA_EXPIRED', 1])
      assert.equal(message, `the CA of ${DOMAIN} (${directory}/ca.crt) has expired`)
      assert.deepEqual(suggestions, [
        `mv ${directory} ${directory}.expired   # the next expose creates a new CA, which clients must then trust`,
      ])
      assert.deepEqual(one.cluster.writes, [])
    })

    it('expires in two days, still signs a leaf that ends at the same time', async () => {
      const one = world()
      await expose(request, one)
      await one.clock.sleep(3_649 * DAY)
      const { result } = await expose(request, one)
      assert.equal(result.authority?.daysLeft, 1)
      assert.ok(succeeded(result))
    })

    it('was created by another run at the same moment, changes nothing (CA_CONFLICT)', async () => {
      const [one, other] = [world(), world()]
      await expose({ ...request, domain: DOMAIN }, other)
      const winner = other.authorities.kept.get(DOMAIN)
      assert.ok(winner)
      one.authorities.keep = async () => ({ ...winner, certificate: `${winner.certificate}\n` })
      const { code, message } = await refusal(expose(request, one))
      assert.equal(code, 'CA_CONFLICT')
      assert.match(message, /nothing was changed in the cluster$/)
      assert.deepEqual(one.cluster.writes, [])
    })
  })
})
