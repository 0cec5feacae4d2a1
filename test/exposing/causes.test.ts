/** Settings of a mesh that keep the gateway from an add-on whose pods are Ready: all of them are a 503 at the gateway. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { GuardRequest } from '../../src/access/guard.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import { expose } from '../../src/exposing/expose.ts'
import { succeeded } from '../../src/exposing/result.ts'
import type { Finding } from '../../src/findings.ts'
import { OPEN } from '../../src/manifests/probe-paths.ts'
import type { Probe } from '../../src/probing/prober.ts'
import { status } from '../../src/status/status.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { grafana, ingressGateway } from '../fakes/mesh.ts'
import { isClosed, request, world } from './exposing.ts'

const UNREACHED: Probe = {
  ok: false,
  hop: 'upstream',
  status: 503,
  protocol: 'HTTP/2',
  milliseconds: 3,
  message: 'the gateway cannot reach the add-on: 503',
}

function namespace(name: string, labels: Record<string, string> = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }
}

function mesh(text: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'istio', namespace: 'istio-system' },
    data: { mesh: text },
  }
}

function rule(host: string, mode: string, more: { in?: string; spec?: object; policy?: object } = {}): KubeObject {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { name: 'theirs', namespace: more.in ?? 'istio-system' },
    spec: { host, trafficPolicy: more.policy ?? { tls: { mode } }, ...more.spec },
  }
}

const MESH = [...grafana('monitoring'), ...ingressGateway()]

async function exposing(
  objects: KubeObject[],
  probe = UNREACHED,
): Promise<{ one: FakeWorld; failure: Finding; seconds: number }> {
  const one = world(objects)
  one.prober.answers = [probe]
  const started = one.clock.now().getTime()
  const { result } = await expose({ ...request, timeout: 60_000 }, one)
  assert.equal(succeeded(result), false)
  const [failure] = result.warnings.filter(({ code }) => code === 'PROBE_FAILED')
  assert.ok(failure)
  return { one, failure, seconds: (one.clock.now().getTime() - started) / 1000 }
}

/** The grafana pod with a sidecar. */
function injected(objects: KubeObject[]): KubeObject[] {
  return objects.map((one) => {
    if (one.kind !== 'Pod' || one.metadata.name !== 'grafana-abc') return one
    const spec = one.spec as { containers: object[] }
    return { ...one, spec: { ...spec, initContainers: [{ name: 'istio-proxy', args: ['proxy', 'sidecar'] }] } }
  })
}

const DISCOVERY = 'discoverySelectors: [{matchLabels: {team: mesh}}]'

describe('what keeps the gateway from an add-on', () => {
  describe('discoverySelectors', () => {
    const unseen: [string, string, KubeObject[], string][] = [
      [
        'without the label',
        DISCOVERY,
        [namespace('istio-system', { team: 'mesh' }), namespace('monitoring')],
        'monitoring team=mesh',
      ],
      [
        'with another value',
        DISCOVERY,
        [namespace('istio-system', { team: 'mesh' }), namespace('monitoring', { team: 'x' })],
        'monitoring team=mesh',
      ],
      [
        'in an expression',
        'discoverySelectors: [{matchExpressions: [{key: env, operator: In, values: [prod, test]}, {key: off, operator: DoesNotExist}]}]',
        [namespace('istio-system', { env: 'test' }), namespace('monitoring', { off: 'yes' })],
        'monitoring env=prod off-',
      ],
      [
        'of the gateway itself',
        DISCOVERY,
        [namespace('istio-system'), namespace('monitoring', { team: 'mesh' })],
        'istio-system team=mesh',
      ],
    ]
    for (const [what, text, namespaces, words] of unseen)
      it(`${what}: names the namespace and the label, within seconds`, async () => {
        const { failure, seconds } = await exposing([...MESH, mesh(text), ...namespaces])
        const [name] = words.split(' ')
        assert.match(
          failure.message,
          new RegExp(`: 503; istiod does not see namespace ${name}: the discoverySelectors of`),
        )
        assert.equal(failure.remedies[0], `kubectl label namespace ${words} --overwrite   # istiod sees it then`)
        assert.ok(seconds < 5, `${seconds} s`)
      })

    it('of the gateway’s namespace is named also where nothing listens', async () => {
      const tls: Probe = { ok: false, hop: 'tls', message: 'the gateway closed the connection', milliseconds: 1 }
      const { failure } = await exposing(
        [...MESH, mesh(DISCOVERY), namespace('istio-system'), namespace('monitoring')],
        tls,
      )
      assert.match(failure.message, /istiod does not see namespace istio-system/)
    })

    it('that match are no cause', async () => {
      const labelled = ['istio-system', 'monitoring'].map((name) => namespace(name, { team: 'mesh' }))
      const { failure, seconds } = await exposing([...MESH, mesh(DISCOVERY), ...labelled])
      assert.doesNotMatch(failure.message, /istiod/)
      assert.ok(seconds >= 60)
    })
  })

  describe('DestinationRules', () => {
    const HOST = 'grafana.monitoring.svc.cluster.local'
    const blocking: [string, KubeObject][] = [
      ['for *.local', rule('*.local', 'ISTIO_MUTUAL')],
      ['for all hosts', rule('*', 'ISTIO_MUTUAL')],
      ['for the namespace', rule('*.monitoring.svc.cluster.local', 'MUTUAL')],
      ['for the host, in its namespace', rule(HOST, 'SIMPLE', { in: 'monitoring' })],
      ['for a short name, in its namespace', rule('grafana', 'ISTIO_MUTUAL', { in: 'monitoring' })],
      [
        'only for the port',
        rule('*.local', '', {
          policy: { portLevelSettings: [{ port: { number: 3000 }, tls: { mode: 'ISTIO_MUTUAL' } }] },
        }),
      ],
      [
        'for these gateway pods',
        rule('*.local', 'ISTIO_MUTUAL', { spec: { workloadSelector: { matchLabels: { istio: 'ingressgateway' } } } }),
      ],
      [
        'only for its own namespace, which is the gateway’s',
        rule('*.local', 'ISTIO_MUTUAL', { spec: { exportTo: ['.'] } }),
      ],
    ]
    for (const [what, object] of blocking)
      it(`${what}: names it, within seconds`, async () => {
        const { failure, seconds } = await exposing([...MESH, object])
        const { namespace: place } = object.metadata
        assert.match(
          failure.message,
          new RegExp(`: 503; DestinationRule ${place}/theirs \\(host .*\\) has tls mode .* no sidecar`),
        )
        assert.match(
          failure.remedies[0] ?? '',
          new RegExp(`^a DestinationRule for host ${HOST} in namespace istio-system`),
        )
        assert.equal(failure.remedies[1], `kubectl -n ${place} get destinationrules.networking.istio.io theirs -o yaml`)
        assert.ok(seconds < 5, `${seconds} s`)
      })

    const others: [string, KubeObject[]][] = [
      ['for other hosts', [...MESH, rule('*.example.com', 'SIMPLE')]],
      ['with plaintext', [...MESH, rule('*.local', 'DISABLE')]],
      [
        'for other ports',
        [
          ...MESH,
          rule('*.local', 'ISTIO_MUTUAL', {
            policy: { tls: { mode: 'ISTIO_MUTUAL' }, portLevelSettings: [{ port: { number: 3000 } }] },
          }),
        ],
      ],
      ['of a namespace that is neither of them', [...MESH, rule('*.local', 'ISTIO_MUTUAL', { in: 'apps' })]],
      [
        'that the mesh exports to its own namespace only',
        [...MESH, rule('grafana', 'SIMPLE', { in: 'monitoring' }), mesh('defaultDestinationRuleExportTo: ["."]')],
      ],
      [
        'for other clients',
        [...MESH, rule('*.local', 'ISTIO_MUTUAL', { spec: { workloadSelector: { matchLabels: { app: 'x' } } } })],
      ],
      [
        'that is not exported to the gateway',
        [...MESH, rule('grafana', 'SIMPLE', { in: 'monitoring', spec: { exportTo: ['.'] } })],
      ],
      ['for pods with a sidecar', [...injected(MESH), rule('*.local', 'ISTIO_MUTUAL')]],
      [
        'behind a more specific one',
        [
          ...MESH,
          rule('*.local', 'ISTIO_MUTUAL'),
          { ...rule(HOST, 'DISABLE'), metadata: { name: 'plain', namespace: 'istio-system' } },
        ],
      ],
    ]
    for (const [what, objects] of others)
      it(`${what}: is no cause`, async () => {
        const { failure } = await exposing(objects)
        assert.doesNotMatch(failure.message, /DestinationRule/)
      })

    it('with plaintext for a sidecar is named', async () => {
      const { failure } = await exposing([...injected(MESH), rule('*.local', 'DISABLE')])
      assert.match(failure.message, /tls mode DISABLE for it, but its pods have a sidecar/)
    })

    it('is no cause where it may not be read', async () => {
      const one = world([...MESH, rule('*.local', 'ISTIO_MUTUAL')])
      one.prober.answers = [UNREACHED]
      one.cluster.fail('list', 'destinationrules', new UserError('FORBIDDEN', 'forbidden'))
      one.cluster.fail('get', 'configmaps', new UserError('SERVER_FAILED', 'etcd is busy'))
      const { result } = await expose({ ...request, timeout: 3_000 }, one)
      assert.equal(result.warnings.filter(({ code }) => code === 'PROBE_FAILED').length, 1)
    })
  })

  describe('exports of Services', () => {
    const exported = (exportTo: string | undefined, ...more: KubeObject[]) => [
      ...MESH.map((one) =>
        one.kind === 'Service' && one.metadata.name === 'grafana' && exportTo !== undefined
          ? { ...one, metadata: { ...one.metadata, annotations: { 'networking.istio.io/exportTo': exportTo } } }
          : one,
      ),
      ...more,
    ]
    const HIDING = mesh('default_service_export_to: ["."]')
    for (const [what, objects, why] of [
      ['by its annotation', exported('., apps'), 'its annotation networking.istio.io/exportTo'],
      ['to nobody', exported('~'), 'its annotation networking.istio.io/exportTo'],
      ['by the mesh', exported(undefined, HIDING), 'defaultServiceExportTo of the mesh configuration'],
    ] as [string, KubeObject[], string][])
      it(`that leave the gateway out ${what}: named with the command`, async () => {
        const { failure, seconds } = await exposing(objects)
        assert.match(failure.message, /: 503; Service monitoring\/grafana is only exported to /)
        assert.ok(failure.message.includes(`(${why}), so the gateway in namespace istio-system does not see it`))
        assert.equal(
          failure.remedies[0],
          'kubectl -n monitoring annotate service grafana networking.istio.io/exportTo=.,istio-system --overwrite   # the gateway sees it then',
        )
        assert.ok(seconds < 5, `${seconds} s`)
      })

    for (const [what, objects] of [
      ['to all', exported('*', HIDING)],
      ['to the gateway', exported('.,istio-system', HIDING)],
    ] as [string, KubeObject[]][])
      it(`${what} are no cause`, async () => {
        assert.doesNotMatch((await exposing(objects)).failure.message, /exported/)
      })
  })

  describe('of a guarded exposure', () => {
    const LIST = { cidrs: ['203.0.113.0/24'] }
    const GUARDS: [string, GuardRequest][] = [
      ['an allow list', LIST],
      ['a password', { login: { kind: 'basic', users: undefined } }],
      ['both', { ...LIST, login: { kind: 'basic', users: undefined } }],
    ]
    const HIDDEN = [...MESH, mesh(DISCOVERY), namespace('istio-system'), namespace('monitoring', { team: 'mesh' })]
    const CLOSED: Probe = { ok: false, hop: 'tcp', message: 'connection refused', milliseconds: 1 }

    /** Runs with a gateway that answers this to every proof. */
    async function guarding(guard: GuardRequest, objects: KubeObject[], proof: Probe | undefined) {
      const one = world(objects)
      if (proof !== undefined) one.prober.guarding = () => proof
      one.prober.answers = [UNREACHED]
      const started = one.clock.now().getTime()
      const { result } = await expose({ ...request, guard, timeout: 60_000 }, one)
      assert.equal(succeeded(result), false)
      return { one, result, seconds: (one.clock.now().getTime() - started) / 1000 }
    }

    for (const [what, guard] of GUARDS) {
      it(`${what}: a gateway of a namespace that istiod does not see is named within seconds, and the route stays closed`, async () => {
        for (const proof of [CLOSED, { ...UNREACHED, hop: 'route', status: 404 } as Probe]) {
          const { one, result, seconds } = await guarding(guard, HIDDEN, proof)
          const [failure] = result.warnings.filter(({ code }) => code === 'GUARD_NOT_PROVEN')
          assert.match(
            failure?.message ?? '',
            /; istiod does not see namespace istio-system: the discoverySelectors of .*\), so the route is closed for everybody$/,
          )
          assert.deepEqual(failure?.remedies, [
            'kubectl label namespace istio-system team=mesh --overwrite   # istiod sees it then',
            'kubectl -n istio-system edit configmap istio   # discoverySelectors',
            'kubectl telemetry expose grafana   # then opens the route',
          ])
          assert.ok(seconds < 5, `${seconds} s`)
          assert.ok(isClosed(one, 'grafana'))
        }
      })

      it(`${what}: without a cause the wait takes its time`, async () => {
        const { result, seconds, one } = await guarding(guard, MESH, CLOSED)
        assert.match(
          result.warnings.find(({ code }) => code === 'GUARD_NOT_PROVEN')?.message ?? '',
          /\(connection refused\), so/,
        )
        assert.ok(seconds >= 60)
        assert.ok(isClosed(one, 'grafana'))
      })
    }

    it('a guard without effect is that, and nothing else', async () => {
      const { result } = await guarding(LIST, HIDDEN, {
        ...UNREACHED,
        ok: true,
        hop: 'access',
        status: 403,
        header: OPEN,
      })
      assert.deepEqual(
        result.warnings.filter(({ severity }) => severity === 'fails').map(({ code }) => code),
        ['GUARD_WITHOUT_EFFECT'],
      )
    })

    it('what keeps the gateway from the add-on is named after the proof, which needs no add-on', async () => {
      const causes: [RegExp, KubeObject[]][] = [
        [/; DestinationRule istio-system\/theirs /, [...MESH, rule('*.local', 'ISTIO_MUTUAL')]],
        [/; Service monitoring\/grafana is only exported to \./, [...MESH, mesh('defaultServiceExportTo: ["."]')]],
      ]
      for (const [words, objects] of causes) {
        const { one, result, seconds } = await guarding(LIST, objects, undefined)
        assert.match(result.warnings.find(({ code }) => code === 'PROBE_FAILED')?.message ?? '', words)
        assert.ok(!isClosed(one, 'grafana'))
        assert.ok(seconds < 8, `${seconds} s`)
      }
    })
  })

  it('of a mesh without automatic mutual TLS, for pods with a sidecar', async () => {
    const { failure } = await exposing([...injected(MESH), mesh('enableAutoMtls: false')])
    assert.match(
      failure.message,
      /: 503; the mesh configuration has enableAutoMtls: false, so the gateway sends plaintext/,
    )
    assert.doesNotMatch((await exposing([...MESH, mesh('enableAutoMtls: false')])).failure.message, /enableAutoMtls/)
  })

  it('is not "is it Ready?" where it is Ready: networks and the gateway’s log come next', async () => {
    const { failure } = await exposing(MESH)
    assert.match(failure.message, /: 503; pods of Service monitoring\/grafana are Ready$/)
    assert.deepEqual(failure.remedies, [
      "kubectl -n istio-system logs istio-ingressgateway-xyz --tail=20   # the gateway's access log has the reason",
      'kubectl -n monitoring get networkpolicies   # does one of them keep the gateway out?',
    ])
  })

  it('and "is it Ready?" where it is not', async () => {
    const objects = MESH.map((one) => (one.metadata.name === 'grafana-abc' ? { ...one, status: {} } : one))
    assert.deepEqual((await exposing(objects)).failure.remedies, [
      'kubectl -n monitoring get pods   # is grafana Ready?',
    ])
  })

  it('is in the status as well', async () => {
    const { one } = await exposing([...MESH, rule('*.local', 'ISTIO_MUTUAL')])
    const { problems } = await status({ expiresIn: 0 }, one)
    const [failure] = problems.filter(({ code }) => code === 'PROBE_FAILED')
    assert.match(failure?.message ?? '', /DestinationRule istio-system\/theirs/)
  })
})
