import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { stringify } from 'yaml'
import { MANAGER, ownedLabels } from '../../../src/cluster/ownership.ts'
import { planSidecar } from '../../../src/scraping/methods/sidecar-method.ts'
import { expectGolden } from '../../golden-file.ts'
import { around, NAMESPACE, podOf, scene, service, skipOf, specOf, workload, writingsOf } from '../scenes.ts'

const SELECTOR = { workloadSelector: { labels: { app: 'web' } } }
const plan = (settings = {}, of = workload()) => planSidecar(of, scene(settings))
const planWith = (...others: ReturnType<typeof around>[]) => plan({ others })
const kinds = (planned: ReturnType<typeof plan>) =>
  writingsOf(planned).map(({ manifest, by }) => `${manifest.kind} ${by}`)

describe('planSidecar', () => {
  it('writes what lets the port be asked before the port, and what Prometheus finds it by last', () => {
    const planned = plan({
      wishes: { harden: true, onlyPrometheus: { namespace: 'istio-system', serviceAccount: 'prometheus', labels: {} } },
    })
    expectGolden(
      'scrape-sidecar.yaml',
      writingsOf(planned)
        .map(({ manifest }) => stringify(manifest))
        .join('---\n'),
    )
    assert.deepEqual(kinds(planned), [
      'PeerAuthentication owning',
      'AuthorizationPolicy owning',
      'Sidecar owning',
      'Deployment sharing',
    ])
  })

  describe('labels', () => {
    it('are all of the template’s where its selector takes others’ pods', () => {
      const canary = workload({ labels: { app: 'web', track: 'canary' } })
      const neighbours = [podOf({ app: 'web', track: 'stable' })]
      assert.deepEqual(specOf(plan({ neighbours }, canary), 'Sidecar').workloadSelector, {
        labels: { app: 'web', track: 'canary' },
      })
    })

    it('that are nobody’s own are a reason to leave it alone', () => {
      assert.equal(skipOf(plan({ neighbours: [podOf({ app: 'web', track: 'canary' })] })), 'SELECTOR_SHARED')
    })

    it('of pods that have ended do not count', () => {
      const neighbours = [podOf({ app: 'web' }, { status: { phase: 'Succeeded' } })]
      assert.equal(skipOf(plan({ neighbours })), undefined)
    })
  })

  describe('a Sidecar of others', () => {
    const egress = [{ hosts: ['./*', 'istio-system/*'] }]
    const ingress = [{ port: { number: 7000, protocol: 'TCP' }, defaultEndpoint: '127.0.0.1:7001' }]

    it('for the namespace: what it says is in ours, which takes its place', () => {
      const general = { egress, outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } }
      const spec = specOf(planWith(around('Sidecar', 'default', general)), 'Sidecar')
      assert.deepEqual([spec.egress, spec.outboundTrafficPolicy], [egress, { mode: 'REGISTRY_ONLY' }])
    })

    it('for the namespace with listeners: these are the ones there are', () => {
      const [first, second] = specOf(planWith(around('Sidecar', 'default', { ingress })), 'Sidecar').ingress as object[]
      assert.deepEqual([first, (second as { port: { number: number } }).port.number], [ingress[0], 15091])
    })

    it('for the mesh counts where the namespace has none; of several the oldest', () => {
      const mesh = around('Sidecar', 'mesh', { egress: [{ hosts: ['~/*'] }] }, { namespace: 'istio-system' })
      const late = around('Sidecar', 'a', { egress: [{ hosts: ['late/*'] }] }, { at: '2026-03-01T00:00:00Z' })
      const early = around('Sidecar', 'b', { egress }, { at: '2026-02-01T00:00:00Z' })
      assert.deepEqual(specOf(planWith(mesh), 'Sidecar').egress, [{ hosts: ['~/*'] }])
      assert.deepEqual(specOf(planWith(mesh, late, early), 'Sidecar').egress, egress)
    })

    it('for these pods without listeners gets them from us', () => {
      const planned = planWith(around('Sidecar', 'theirs', { ...SELECTOR, egress }))
      assert.equal(kinds(planned)[2], 'Sidecar sharing')
      assert.deepEqual(Object.keys(specOf(planned, 'Sidecar')), ['ingress'])
      assert.deepEqual(writingsOf(planned)[2]?.manifest.metadata.labels, { 'kubectl-telemetry/scraping': 'true' })
    })

    it('that has them from us gets them again, since the Services may have changed', () => {
      const theirs = around('Sidecar', 'theirs', {
        ...SELECTOR,
        ingress: [{ port: { number: 15091, protocol: 'HTTP' } }],
      })
      theirs.metadata.managedFields = [
        { manager: MANAGER, operation: 'Apply', fieldsV1: { 'f:spec': { 'f:ingress': {} } } },
      ]
      assert.equal((specOf(planWith(theirs), 'Sidecar').ingress as object[]).length, 2)
    })

    it('for these pods with listeners, or for others’ pods as well, is a reason to leave it alone', () => {
      assert.equal(skipOf(planWith(around('Sidecar', 'theirs', { ...SELECTOR, ingress }))), 'SIDECAR_EXISTS')
      const wide = around('Sidecar', 'theirs', { workloadSelector: { labels: { team: 'a' } } })
      const settings = { others: [wide], neighbours: [podOf({ app: 'till', team: 'a' })] }
      assert.equal(skipOf(plan(settings, workload({ labels: { app: 'web', team: 'a' } }))), 'SIDECAR_SHARED')
    })

    it('that has the port as ours has it is left as it is', () => {
      const port = { port: { number: 15091, protocol: 'HTTP', name: 'x' }, defaultEndpoint: '127.0.0.1:15020' }
      const planned = planWith(around('Sidecar', 'theirs', { ...SELECTOR, ingress: [port] }))
      assert.deepEqual(kinds(planned), [
        'PeerAuthentication owning',
        'AuthorizationPolicy owning',
        'Deployment sharing',
      ])
    })
  })

  describe('a PeerAuthentication of others', () => {
    const strict = { selector: { matchLabels: { app: 'web' } }, mtls: { mode: 'STRICT' } }

    it('for these pods gets the port, because Istio takes but one', () => {
      const planned = planWith(around('PeerAuthentication', 'theirs', strict))
      assert.equal(kinds(planned)[0], 'PeerAuthentication sharing')
      assert.deepEqual(specOf(planned, 'PeerAuthentication'), { portLevelMtls: { 15091: { mode: 'STRICT' } } })
    })

    it('that says something else of the port is a reason to leave it alone', () => {
      const theirs = { ...strict, portLevelMtls: { 15091: { mode: 'DISABLE' } } }
      assert.equal(skipOf(planWith(around('PeerAuthentication', 'theirs', theirs))), 'PORT_TAKEN')
    })

    it('for the namespace is inherited: ours says nothing of other ports', () => {
      const planned = planWith(around('PeerAuthentication', 'default', { mtls: { mode: 'DISABLE' } }))
      assert.deepEqual(Object.keys(specOf(planned, 'PeerAuthentication')), ['selector', 'portLevelMtls'])
    })
  })

  it('what others made after ours is nothing that we could add to: Istio goes by ours', () => {
    const name = 'kubectl-telemetry-deployment-web'
    for (const [kind, spec] of [
      ['Sidecar', SELECTOR],
      ['PeerAuthentication', { selector: { matchLabels: { app: 'web' } } }],
    ] as const) {
      const ours = around(kind, name, spec, { labels: ownedLabels() as never })
      assert.equal(skipOf(planWith(ours, around(kind, 'theirs', spec))), 'MADE_BESIDE_OURS')
      assert.equal(skipOf(planWith(ours)), undefined)
    }
  })

  it('is let in where ALLOW policies forbid the rest, also those of the mesh', () => {
    const allow = { rules: [{}] }
    for (const namespace of [NAMESPACE, 'istio-system'])
      assert.deepEqual(
        kinds(planWith(around('AuthorizationPolicy', 'nothing', allow, { namespace })))[2],
        'AuthorizationPolicy owning',
      )
    const elsewhere = { selector: { matchLabels: { app: 'till' } } }
    assert.equal(kinds(planWith(around('AuthorizationPolicy', 'till', elsewhere)))[2], 'Sidecar owning')
    assert.equal(kinds(planWith(around('AuthorizationPolicy', 'deny', { action: 'DENY' })))[2], 'Sidecar owning')
  })

  it('can be hardened later where somebody has a configuration of the proxy: the workload is changed with a record at once', () => {
    const found = workload({ annotations: { 'proxy.istio.io/config': 'concurrency: 1\n' } })
    const first = plan({}, found)
    assert.equal(kinds(first).at(-1), 'Deployment replacing')
    const { object } = found
    const made = writingsOf(first).at(-1)?.manifest ?? assert.fail()
    const second = plan({ wishes: { harden: true } }, { ...found, object: { ...object, ...made } as typeof object })
    assert.match(JSON.stringify(specOf(second, 'Deployment')), /concurrency: 1.*METRICS_LOCALHOST_ACCESS_ONLY/)
  })

  it('whom it was closed to and what was hardened stays so when it is not asked for again', () => {
    const rules = [{ from: [{ source: { notPrincipals: ['*/ns/a/sa/b'] } }] }]
    const ours = around(
      'AuthorizationPolicy',
      'kubectl-telemetry-deployment-web',
      { action: 'DENY', rules },
      { labels: ownedLabels() as never },
    )
    assert.match(
      JSON.stringify(specOf(planWith(ours), 'AuthorizationPolicy')),
      /"notPrincipals":\["\*\/ns\/a\/sa\/b"\]/,
    )
    const config = 'proxyMetadata:\n  METRICS_LOCALHOST_ACCESS_ONLY: "true"\n'
    const hardened = workload({ annotations: { 'proxy.istio.io/config': config } })
    const path = {
      'f:spec': { 'f:template': { 'f:metadata': { 'f:annotations': { 'f:proxy.istio.io/config': {} } } } },
    }
    hardened.object.metadata.managedFields = [{ manager: MANAGER, operation: 'Apply', fieldsV1: path }]
    assert.match(JSON.stringify(specOf(plan({}, hardened), 'Deployment')), /METRICS_LOCALHOST_ACCESS_ONLY/)
  })

  it('a port 15091 that is used for something else is a reason to leave it alone', () => {
    assert.equal(skipOf(plan({ services: [service('web', [{ port: 80, targetPort: 15091 }])] })), 'PORT_TAKEN')
  })

  for (const [annotation, value] of [
    ['sidecar.istio.io/interceptionMode', 'NONE'],
    ['traffic.sidecar.istio.io/includeInboundPorts', '8080,8081'],
    ['traffic.sidecar.istio.io/excludeInboundPorts', '9000, 15091'],
  ] as const)
    it(`${annotation}: ${value} is a reason to leave it alone`, () => {
      assert.equal(skipOf(plan({}, workload({ annotations: { [annotation]: value } }))), 'NOT_CAPTURED')
    })

  it('in the root namespace, where a PeerAuthentication with a selector does nothing, it is left alone', () => {
    assert.equal(skipOf(plan({}, workload({ namespace: 'istio-system' }))), 'ROOT_NAMESPACE')
  })

  it('listeners have the names that Istio’s own have, also where pods have IPv6 alone', () => {
    const pods = [podOf({ app: 'web' }, { status: { podIPs: [{ ip: 'fd00::1' }] } })]
    const [first] = specOf(plan({ pods }), 'Sidecar').ingress as { bind: string }[]
    assert.equal(first?.bind, '::')
  })
})
