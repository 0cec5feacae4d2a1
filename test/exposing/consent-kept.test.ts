import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { expose } from '../../src/exposing/expose.ts'
import type { ExposeRequest } from '../../src/exposing/request.ts'
import { status } from '../../src/status/status.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { grafana, ingressGateway, kiali } from '../fakes/mesh.ts'
import { ACCESS_CHOICES, find, refusal, requestFor, world } from './exposing.ts'

const CONSENT = 'kubectl-telemetry/allow-anonymous'
const silent = (...names: string[]): ExposeRequest => ({ ...requestFor(...names), terms: { allowAnonymous: false } })
const consentOf = ({ cluster }: FakeWorld, addon: string) =>
  find(cluster, 'VirtualService', addon).metadata.annotations?.[CONSENT]

function setConsent(one: FakeWorld, addon: string, value: string): void {
  const { metadata } = find(one.cluster, 'VirtualService', addon)
  metadata.annotations = { ...metadata.annotations, [CONSENT]: value }
}

/** Another Grafana in place of the present one. */
function reconfigure(one: FakeWorld, ...objects: KubeObject[]): void {
  for (const object of objects) {
    const { kind, metadata } = object
    const at = one.cluster.objects.findIndex((other) => other.kind === kind && other.metadata.name === metadata.name)
    one.cluster.objects.splice(at, 1, object)
  }
}
const grafanaAs = (role: string, enabled = 'true') =>
  grafana('istio-system', { GF_AUTH_ANONYMOUS_ENABLED: enabled, GF_AUTH_ANONYMOUS_ORG_ROLE: role })

async function exposedAs(
  role: string,
  asked = requestFor('grafana'),
  answers?: Record<string, unknown>,
): Promise<FakeWorld> {
  const one = world([...grafanaAs(role), ...kiali(), ...ingressGateway()], answers)
  await expose(asked, one)
  return one
}

describe('consent to expose an add-on that lets anyone in', () => {
  it('names who is let in and by which scheme, and holds for exactly that', async () => {
    const one = await exposedAs('Viewer')
    assert.equal(consentOf(one, 'grafana'), 'Viewer over HTTPS')
    await expose(silent('grafana'), one)
    assert.equal(consentOf(one, 'grafana'), 'Viewer over HTTPS')
    assert.deepEqual((await status({ expiresIn: 0 }, one)).problems, [])
  })

  it('does not hold for another role, and status says so', async () => {
    const one = await exposedAs('Viewer')
    reconfigure(one, ...grafanaAs('Admin'))
    const { code, message } = await refusal(expose(silent('grafana'), one))
    assert.equal(code, 'ANONYMOUS_ACCESS')
    assert.match(message, /lets anyone in as Admin/)
    const { problems } = await status({ expiresIn: 0 }, one)
    assert.deepEqual(
      problems.map((problem) => problem.code),
      ['OPEN_TO_ANYONE'],
    )
    await expose(requestFor('grafana'), one)
    assert.equal(consentOf(one, 'grafana'), 'Admin over HTTPS')
  })

  it('does not hold when it is no longer known who is let in', async () => {
    const one = await exposedAs('Viewer')
    const pod = grafanaAs('Viewer')[1] as KubeObject & { spec: { containers: object[] } }
    const hidden = [{ name: 'grafana', env: [{ name: 'GF_AUTH_ANONYMOUS_ENABLED', valueFrom: {} }] }]
    reconfigure(one, { ...pod, spec: { ...pod.spec, containers: hidden } })
    assert.match((await refusal(expose(silent('grafana'), one))).message, /cannot read whether Grafana/)
  })

  it('does not hold for HTTP if it was given for HTTPS, but the other way round', async () => {
    const one = await exposedAs('Viewer')
    assert.equal((await refusal(expose({ ...silent('grafana'), insecure: true }, one))).code, 'ANONYMOUS_ACCESS')
    await expose({ ...requestFor('grafana'), insecure: true }, one)
    assert.equal(consentOf(one, 'grafana'), 'Viewer over HTTP')
    await expose(silent('grafana'), one)
    assert.equal(consentOf(one, 'grafana'), 'Viewer over HTTPS')
    assert.equal((await refusal(expose({ ...silent('grafana'), insecure: true }, one))).code, 'ANONYMOUS_ACCESS')
  })

  for (const value of ['true', 'admin over https', 'Admin over HTTPS\n', '{', '', 'x'.repeat(900_000)]) {
    it(`is compared, not parsed: ${JSON.stringify(value.slice(0, 20))} is no consent`, async () => {
      const one = await exposedAs('Admin')
      setConsent(one, 'grafana', value)
      assert.equal((await refusal(expose(silent('grafana'), one))).code, 'ANONYMOUS_ACCESS')
    })
  }

  it('is short for a role of any length, and differs for different ones', async () => {
    const one = await exposedAs(`${'x'.repeat(100_000)}1`)
    assert.ok((consentOf(one, 'grafana') ?? '').length < 100)
    await expose(silent('grafana'), one)
    reconfigure(one, ...grafanaAs(`${'x'.repeat(100_000)}2`))
    assert.equal((await refusal(expose(silent('grafana'), one))).code, 'ANONYMOUS_ACCESS')
  })

  it('has none of the control characters of a role: the API server reads it as YAML', async () => {
    const one = await exposedAs('Viewer\u009b2J\u001b')
    assert.match(consentOf(one, 'grafana') ?? '', /^role [0-9a-f]{64} over HTTPS$/)
  })

  it('is dropped when a guard protects the add-on', async () => {
    const one = await exposedAs('Viewer')
    await expose({ ...silent('grafana'), guard: { cidrs: ['10.0.0.0/8'] } }, one)
    assert.equal(consentOf(one, 'grafana'), undefined)
    assert.equal(
      (await refusal(expose({ ...silent('grafana'), guard: { cidrs: 'any' } }, one))).code,
      'ANONYMOUS_ACCESS',
    )
  })
})

describe('an add-on that moves with the named ones', () => {
  const moved = (asked: ExposeRequest): ExposeRequest => ({ ...asked, domain: 'example.com' })

  it('moves with its consent while that holds', async () => {
    const one = await exposedAs('Viewer')
    await expose(moved(requestFor('kiali')), one)
    assert.equal(consentOf(one, 'grafana'), 'Viewer over HTTPS')
  })

  it('is asked about when its consent does not hold: --allow-anonymous is for the named add-ons', async () => {
    const one = await exposedAs('Viewer')
    reconfigure(one, ...grafanaAs('Admin'))
    one.cluster.writes.length = 0
    const { code, message, suggestions } = await refusal(expose(moved(requestFor('kiali')), one))
    assert.equal(code, 'ANONYMOUS_ACCESS')
    assert.match(message, /^grafana would move with the named add-ons.*lets anyone in as Admin/)
    assert.match(suggestions[0] ?? '', /^kubectl telemetry expose kiali grafana/)
    assert.deepEqual(one.cluster.writes, [])
    await expose(moved(requestFor('kiali', 'grafana')), one)
    assert.equal(consentOf(one, 'grafana'), 'Admin over HTTPS')
  })

  it('is asked about when it asked for a login until now', async () => {
    const one = world([...grafanaAs('Admin', 'false'), ...kiali(), ...ingressGateway()])
    await expose(silent('grafana'), one)
    reconfigure(one, ...grafanaAs('Admin'))
    assert.match((await refusal(expose(moved(requestFor('kiali')), one))).message, /^grafana would move/)
  })

  it('is asked about when it moves to HTTP', async () => {
    const one = await exposedAs('Viewer')
    const { message } = await refusal(expose({ ...requestFor('kiali'), insecure: true }, one))
    assert.match(message, /^grafana would move/)
  })

  const answers: [string, string, (one: FakeWorld) => void][] = [
    ['anyone', ACCESS_CHOICES.anyone, (one) => assert.equal(consentOf(one, 'grafana'), 'Admin over HTTPS')],
    ['a password', ACCESS_CHOICES.password, (one) => assert.ok(find(one.cluster, 'EnvoyFilter', 'grafana'))],
  ]
  for (const [what, choice, assertAnswered] of answers) {
    it(`on a terminal, the answer ${what} is for it, and the flags stay for the named ones`, async () => {
      const question = 'Who may enter https://grafana.example.com/?'
      const one = await exposedAs('Viewer', requestFor('grafana'), { [question]: choice })
      one.prober.answers = [{ ok: true, hop: 'access', status: 401, protocol: 'HTTP/2', milliseconds: 1 }]
      reconfigure(one, ...grafanaAs('Admin'))
      const { result } = await expose(moved({ ...silent('kiali'), guard: { cidrs: ['10.0.0.0/8'] } }), one)
      assert.deepEqual(one.terminal.asked, [question])
      assertAnswered(one)
      assert.deepEqual(result.exposures.find(({ addon }) => addon === 'kiali')?.guard, { cidrs: ['10.0.0.0/8'] })
    })
  }

  it('is not read where nothing moves', async () => {
    const one = await exposedAs('Viewer')
    reconfigure(one, ...grafanaAs('Admin'))
    await expose(requestFor('kiali'), one)
    assert.ok(find(one.cluster, 'VirtualService', 'kiali'))
  })
})
