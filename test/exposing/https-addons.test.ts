/** Add-ons that speak HTTPS themselves, before a gateway that sends plain HTTP (bug report C15). */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import { expose } from '../../src/exposing/expose.ts'
import { succeeded } from '../../src/exposing/result.ts'
import type { Finding } from '../../src/findings.ts'
import type { Probe } from '../../src/probing/prober.ts'
import type { WrongProtocol } from '../../src/probing/wrong-protocol.ts'
import { status } from '../../src/status/status.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { grafana, ingressGateway, prometheus } from '../fakes/mesh.ts'
import { find, hosts, refusal, request, world, written } from './exposing.ts'

const HOST = 'grafana.monitoring.svc.cluster.local'
const RULE = JSON.stringify({
  apiVersion: 'networking.istio.io/v1',
  kind: 'DestinationRule',
  metadata: { name: 'monitoring-grafana-tls', namespace: 'istio-system' },
  spec: {
    host: HOST,
    exportTo: ['.'],
    trafficPolicy: {
      portLevelSettings: [{ port: { number: 3000 }, tls: { mode: 'SIMPLE', insecureSkipVerify: true } }],
    },
  },
})
const REMEDIES = [
  `echo '${RULE}' | kubectl apply -f -   # the gateway then speaks TLS to it; docs/https-add-ons.md has the same with its certificate verified`,
  'turn TLS off in the add-on   # the gateway then reaches it over plain HTTP, as it does other add-ons',
]
const SECURE = [...grafana('monitoring', { GF_SERVER_PROTOCOL: 'https' }), ...ingressGateway()]
const PLAIN = [...grafana('monitoring'), ...ingressGateway()]
/** Grafana whose Service calls its port https. */
const NAMED = PLAIN.map((one) =>
  one.kind === 'Service' && one.metadata.name === 'grafana'
    ? { ...one, spec: { ...(one.spec as object), ports: [{ name: 'https', port: 3000 }] } }
    : one,
)

function rule(mode: string, more: { in?: string; host?: string; name?: string } = {}): KubeObject {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { name: more.name ?? 'theirs', namespace: more.in ?? 'monitoring' },
    spec: { host: more.host ?? HOST, trafficPolicy: { tls: { mode } } },
  }
}

async function refused(objects: KubeObject[]): Promise<UserError> {
  const one = world(objects)
  const error = await refusal(expose(request, one))
  assert.equal(error.code, 'ADDON_SPEAKS_HTTPS')
  assert.deepEqual(written(one), [])
  return error
}

describe('an add-on that speaks HTTPS itself', () => {
  it('is refused before the first write, with the DestinationRule that is missing', async () => {
    const { message, suggestions, exitCode } = await refused(SECURE)
    assert.equal(
      message,
      'Grafana in namespace monitoring speaks HTTPS itself (GF_SERVER_PROTOCOL is https), and the gateway would send it plain HTTP, which it refuses',
    )
    assert.deepEqual(suggestions, REMEDIES)
    assert.equal(exitCode, 1)
  })

  it('is left out of all add-ons, with a warning', async () => {
    const one = world([...SECURE, ...prometheus()])
    const { result } = await expose({ ...request, addons: { names: ['grafana', 'prometheus'], named: false } }, one)
    assert.deepEqual(
      result.exposures.map(({ host }) => host),
      hosts('prometheus'),
    )
    const [left] = result.warnings.filter(({ code }) => code === 'ADDON_SPEAKS_HTTPS')
    assert.equal(left?.severity, 'warns')
    assert.ok(succeeded(result))
  })

  const works: [string, KubeObject[]][] = [
    ['of its namespace', [rule('SIMPLE')]],
    ['of the gateway’s namespace', [rule('SIMPLE', { in: 'istio-system', host: '*.local' })]],
    ['with a client certificate', [rule('MUTUAL')]],
    ['before one that turns TLS off', [rule('DISABLE'), rule('SIMPLE', { in: 'istio-system' })]],
  ]
  for (const [what, rules] of works)
    it(`is exposed with a DestinationRule ${what}`, async () => {
      const one = world([...SECURE, ...rules])
      assert.ok(succeeded((await expose(request, one)).result))
      assert.ok(find(one.cluster, 'VirtualService', 'grafana'))
    })

  const unfit: [string, KubeObject[]][] = [
    ['for another host', [rule('SIMPLE', { host: 'kiali.monitoring.svc.cluster.local' })]],
    ['of another namespace', [rule('SIMPLE', { in: 'apps' })]],
    ['with Istio’s own certificates', [rule('ISTIO_MUTUAL')]],
    ['that turns TLS off', [rule('DISABLE')]],
    ['behind one without TLS', [rule('SIMPLE'), rule('DISABLE', { in: 'istio-system', host: '*.local' })]],
  ]
  for (const [what, rules] of unfit)
    it(`is refused with a DestinationRule ${what}`, async () => {
      assert.deepEqual((await refused([...SECURE, ...rules])).suggestions, REMEDIES)
    })

  it('is refused with the rule to change, where a second one would not count', async () => {
    const { suggestions } = await refused([...SECURE, rule('DISABLE', { in: 'istio-system', name: 'it`s' })])
    assert.equal(
      suggestions[0],
      "kubectl -n istio-system edit destinationrules.networking.istio.io 'it`s'   # trafficPolicy: tls mode SIMPLE for port 3000; docs/https-add-ons.md",
    )
  })

  it('is not refused where DestinationRules may not be read: the page decides', async () => {
    const one = world(SECURE)
    one.cluster.fail('list', 'destinationrules', new UserError('FORBIDDEN', 'forbidden'))
    assert.ok(succeeded((await expose(request, one)).result))
  })

  it('costs others no request', async () => {
    const one = world(PLAIN)
    await expose(request, one)
    assert.deepEqual(
      one.cluster.reads.filter((read) => /destinationrules|configmap.* istio$/.test(read)),
      [],
    )
  })

  describe('only by the name of a port', () => {
    it('is refused', async () => {
      assert.match(
        (await refused(NAMED)).message,
        /\(port 3000 of Service monitoring\/grafana is named https\), and the gateway would/,
      )
    })

    it('is exposed if a pod answers plain HTTP', async () => {
      const one = world(NAMED)
      one.cluster.podAnswers = (_, { scheme }) => (scheme === 'http' ? { status: 302, body: '' } : { failed: 'no TLS' })
      assert.ok(succeeded((await expose(request, one)).result))
    })

    it('is refused if a pod refuses plain HTTP', async () => {
      const one = world(NAMED)
      one.cluster.podAnswers = () => ({ status: 400, body: 'Client sent an HTTP request to an HTTPS server.\n' })
      assert.equal((await refusal(expose(request, one))).code, 'ADDON_SPEAKS_HTTPS')
    })
  })
})

/** Grafana with a sidecar, whose port is declared as HTTP. */
const INJECTED = PLAIN.map((one) => {
  const spec = one.spec as { containers: object[]; ports: object[] }
  if (one.metadata.name === 'grafana-abc')
    return { ...one, spec: { ...spec, initContainers: [{ name: 'istio-proxy' }] } }
  if (one.kind !== 'Service' || one.metadata.name !== 'grafana') return one
  return { ...one, spec: { ...spec, ports: [{ name: 'http-web', port: 3000 }] } }
})
const PATCH =
  'kubectl -n monitoring patch service grafana -p \'{"spec":{"ports":[{"port":3000,"appProtocol":"https"}]}}\'   # if it speaks HTTPS itself: the sidecar of its pods then passes TLS on'

const answer = (wrongProtocol: WrongProtocol | undefined, code = 400): Probe => ({
  ok: false,
  hop: 'upstream',
  status: code,
  protocol: 'HTTP/2',
  milliseconds: 3,
  ...(wrongProtocol && { wrongProtocol }),
})

async function failing(
  objects: KubeObject[],
  probe: Probe,
  speaksTls = true,
): Promise<{ one: FakeWorld; failure: Finding; seconds: number }> {
  const one = world(objects)
  one.prober.answers = [probe]
  one.cluster.podAnswers = (_, { scheme }) =>
    scheme === 'https' && speaksTls ? { status: 200, body: '' } : { failed: 'EOF' }
  const started = one.clock.now().getTime()
  const { result } = await expose({ ...request, timeout: 60_000 }, one)
  const [failure] = result.warnings.filter(({ code }) => code === 'PROBE_FAILED')
  assert.ok(failure)
  return { one, failure, seconds: (one.clock.now().getTime() - started) / 1000 }
}

describe('an add-on whose HTTPS only its page shows', () => {
  it('is the cause of a 400, within seconds, and in the status', async () => {
    const { one, failure, seconds } = await failing(PLAIN, answer('tls wanted'))
    assert.match(
      failure.message,
      /does not answer: HTTP 400; Service monitoring\/grafana speaks HTTPS itself, and the gateway sends it plain HTTP$/,
    )
    assert.deepEqual(failure.remedies, REMEDIES)
    assert.ok(seconds < 5, `${seconds} s`)
    const { problems, addons } = await status({ expiresIn: 0 }, one)
    assert.ok(problems.some(({ code, message }) => code === 'PROBE_FAILED' && message === failure.message))
    assert.equal(addons.find(({ name }) => name === 'grafana')?.exposure?.probe?.wrongProtocol, 'tls wanted')
  })

  it('is the cause of an answer that is not HTTP, if a pod speaks TLS', async () => {
    const { failure, seconds } = await failing(PLAIN, answer('no http', 503))
    assert.match(failure.message, /: HTTP 503; Service monitoring\/grafana speaks HTTPS itself/)
    assert.ok(seconds < 5, `${seconds} s`)
    const other = await failing(PLAIN, answer('no http', 503), false)
    assert.doesNotMatch(other.failure.message, /HTTPS itself/)
    assert.ok(other.seconds >= 60)
  })

  it('behind a sidecar: the port of the Service is to be declared, too', async () => {
    const { failure } = await failing(INJECTED, answer('tls wanted'))
    assert.deepEqual(failure.remedies, REMEDIES.toSpliced(1, 0, PATCH))
    const ruled = await failing([...INJECTED, rule('SIMPLE')], answer(undefined, 503), false)
    assert.match(
      ruled.failure.message,
      /tls mode SIMPLE for it, but the sidecar of its pods accepts only Istio's TLS at a port that is declared as HTTP$/,
    )
    assert.equal(ruled.failure.remedies[0], PATCH)
  })

  it('is not the cause of any other 400', async () => {
    const { failure, seconds } = await failing(PLAIN, answer(undefined))
    assert.doesNotMatch(failure.message, /HTTPS itself/)
    assert.ok(seconds >= 60)
  })

  it('is waited for, if a DestinationRule makes TLS that the gateway does not have yet', async () => {
    const one = world([...PLAIN, rule('SIMPLE')])
    const ok: Probe = { ok: true, hop: 'upstream', status: 200, milliseconds: 3 }
    one.prober.answers = [...Array.from({ length: 8 }, () => answer('tls wanted')), ok]
    assert.ok(succeeded((await expose({ ...request, timeout: 60_000 }, one)).result))
  })

  it('whose certificate the gateway does not trust: the rule is named', async () => {
    const { failure, seconds } = await failing([...SECURE, rule('SIMPLE')], answer('not trusted', 503))
    assert.match(
      failure.message,
      /; DestinationRule monitoring\/theirs \(host .*\) has tls mode SIMPLE for it, but the gateway does not trust the certificate of the add-on$/,
    )
    assert.deepEqual(failure.remedies, [
      'kubectl -n monitoring edit destinationrules.networking.istio.io theirs   # credentialName of a Secret with its ca.crt, or insecureSkipVerify: true; docs/https-add-ons.md',
    ])
    assert.ok(seconds < 5, `${seconds} s`)
  })

  it('whose certificate it may not trust, which a newer Envoy does not tell: named when the time is up', async () => {
    const { failure, seconds, one } = await failing([...SECURE, rule('SIMPLE')], answer(undefined, 503))
    const doubt =
      /; DestinationRule monitoring\/theirs .* for it, and the gateway may not trust the certificate of the add-on$/
    assert.match(failure.message, doubt)
    assert.ok(seconds >= 60)
    const { problems } = await status({ expiresIn: 0 }, one)
    assert.ok(problems.some(({ message }) => doubt.test(message)))
  })

  it('is not blamed on a DestinationRule that fits', async () => {
    const fitting = rule('SIMPLE')
    const tls = { mode: 'SIMPLE', insecureSkipVerify: true }
    const { failure } = await failing(
      [...SECURE, { ...fitting, spec: { host: HOST, trafficPolicy: { tls } } }],
      answer(undefined, 503),
    )
    assert.match(failure.message, /: HTTP 503; pods of Service monitoring\/grafana are Ready$/)
    const plain = await failing([...PLAIN, rule('SIMPLE')], answer('no tls', 503), false)
    assert.match(
      plain.failure.message,
      /has tls mode SIMPLE for it, but its pods have no sidecar that could answer TLS/,
    )
  })
})
