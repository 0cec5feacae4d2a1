import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { stringify } from 'yaml'
import { reverting } from '../../../src/changes/edits.ts'
import { ownedLabels, SCRAPING } from '../../../src/cluster/ownership.ts'
import { ACCESS_FRAGMENTS } from '../../../src/scraping/methods/access.ts'
import { planSidecar } from '../../../src/scraping/methods/sidecar-method.ts'
import { expectGolden } from '../../golden-file.ts'
import { meshObject, NAMESPACE, podOf, scene, service, skipOf, specOf, workload, writingsOf } from '../scenes.ts'

const SELECTOR = { workloadSelector: { labels: { app: 'web' } } }
const plan = (settings = {}, of = workload()) => planSidecar(of, scene(settings))
const planWith = (...objects: ReturnType<typeof meshObject>[]) => plan({ objects })
const kinds = (planned: ReturnType<typeof plan>) =>
  writingsOf(planned).map(({ manifest, by }) => `${manifest.kind} ${by}`)

describe('planSidecar', () => {
  it('writes the policies before the port, and the annotation for Prometheus last', () => {
    const planned = plan({
      options: {
        harden: true,
        onlyPrometheus: { namespace: 'istio-system', serviceAccount: 'prometheus', labels: {} },
      },
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
    it('are all labels of the template if its selector selects other pods', () => {
      const canary = workload({ labels: { app: 'web', track: 'canary' } })
      const neighbours = [podOf({ app: 'web', track: 'stable' })]
      assert.deepEqual(specOf(plan({ neighbours }, canary), 'Sidecar').workloadSelector, {
        labels: { app: 'web', track: 'canary' },
      })
    })

    it('that other pods have too are a reason to skip the workload', () => {
      assert.equal(skipOf(plan({ neighbours: [podOf({ app: 'web', track: 'canary' })] })), 'SELECTOR_SHARED')
    })

    it('of pods that have ended do not count', () => {
      const neighbours = [podOf({ app: 'web' }, { status: { phase: 'Succeeded' } })]
      assert.equal(skipOf(plan({ neighbours })), undefined)
    })
  })

  describe('a Sidecar of the user', () => {
    const egress = [{ hosts: ['./*', 'istio-system/*'] }]
    const ingress = [{ port: { number: 7000, protocol: 'TCP' }, defaultEndpoint: '127.0.0.1:7001' }]

    it('for the namespace: ours inherits its fields, because it replaces it', () => {
      const general = { egress, outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } }
      const spec = specOf(planWith(meshObject('Sidecar', 'default', general)), 'Sidecar')
      assert.deepEqual([spec.egress, spec.outboundTrafficPolicy], [egress, { mode: 'REGISTRY_ONLY' }])
    })

    it('for the namespace with listeners: ours inherits them', () => {
      const [first, second] = specOf(planWith(meshObject('Sidecar', 'default', { ingress })), 'Sidecar')
        .ingress as object[]
      assert.deepEqual([first, (second as { port: { number: number } }).port.number], [ingress[0], 15091])
    })

    it('for the mesh counts if the namespace has none; of several the oldest', () => {
      const mesh = meshObject('Sidecar', 'mesh', { egress: [{ hosts: ['~/*'] }] }, { namespace: 'istio-system' })
      const late = meshObject('Sidecar', 'a', { egress: [{ hosts: ['late/*'] }] }, { at: '2026-03-01T00:00:00Z' })
      const early = meshObject('Sidecar', 'b', { egress }, { at: '2026-02-01T00:00:00Z' })
      assert.deepEqual(specOf(planWith(mesh), 'Sidecar').egress, [{ hosts: ['~/*'] }])
      assert.deepEqual(specOf(planWith(mesh, late, early), 'Sidecar').egress, egress)
    })

    it('for these pods without listeners gets listeners', () => {
      const planned = planWith(meshObject('Sidecar', 'users', { ...SELECTOR, egress }))
      assert.equal(kinds(planned)[2], 'Sidecar sharing')
      assert.deepEqual(Object.keys(specOf(planned, 'Sidecar')), ['ingress'])
      assert.deepEqual(writingsOf(planned)[2]?.manifest.metadata.labels, { 'kubectl-telemetry/scraping': 'true' })
    })

    it('with our listeners gets them again, since the Services may have changed', () => {
      const usersObject = meshObject('Sidecar', 'users', {
        ...SELECTOR,
        ingress: [{ port: { number: 15091, protocol: 'HTTP' } }],
      })
      usersObject.metadata.managedFields = [
        { manager: SCRAPING.manager, operation: 'Apply', fieldsV1: { 'f:spec': { 'f:ingress': {} } } },
      ]
      assert.equal((specOf(planWith(usersObject), 'Sidecar').ingress as object[]).length, 2)
    })

    it('for these pods with listeners, or for other pods too, is a reason to skip the workload', () => {
      assert.equal(skipOf(planWith(meshObject('Sidecar', 'users', { ...SELECTOR, ingress }))), 'SIDECAR_EXISTS')
      const wide = meshObject('Sidecar', 'users', { workloadSelector: { labels: { team: 'a' } } })
      const settings = { objects: [wide], neighbours: [podOf({ app: 'till', team: 'a' })] }
      assert.equal(skipOf(plan(settings, workload({ labels: { app: 'web', team: 'a' } }))), 'SIDECAR_SHARED')
    })

    it('whose selector may take pods that come later: the policies take them too', () => {
      const found = workload({ labels: { app: 'web', track: 'v1' }, selector: { app: 'web', track: 'v1' } })
      const planned = plan({ objects: [meshObject('Sidecar', 'users', SELECTOR)] }, found)
      for (const kind of ['PeerAuthentication', 'AuthorizationPolicy'])
        assert.deepEqual(specOf(planned, kind).selector, { matchLabels: { app: 'web' } })
      const narrow = { workloadSelector: { labels: { app: 'web', track: 'v1' } } }
      const kept = plan({ objects: [meshObject('Sidecar', 'users', narrow)] }, found)
      assert.deepEqual(specOf(kept, 'PeerAuthentication').selector, { matchLabels: { app: 'web', track: 'v1' } })
      // Only pods of an earlier template have the label, so new ones would have no policy.
      const former = meshObject('Sidecar', 'users', { workloadSelector: { labels: { old: 'yes' } } })
      const settings = { objects: [former], pods: [podOf({ app: 'web', old: 'yes' })] }
      assert.equal(skipOf(plan(settings)), 'SIDECAR_SHARED')
    })

    it('that already has the same port stays unchanged', () => {
      const port = { port: { number: 15091, protocol: 'HTTP', name: 'x' }, defaultEndpoint: '127.0.0.1:15020' }
      const planned = planWith(meshObject('Sidecar', 'users', { ...SELECTOR, ingress: [port] }))
      assert.deepEqual(kinds(planned), [
        'PeerAuthentication owning',
        'AuthorizationPolicy owning',
        'Deployment sharing',
      ])
    })
  })

  describe('a PeerAuthentication of the user', () => {
    const strict = { selector: { matchLabels: { app: 'web' } }, mtls: { mode: 'STRICT' } }

    it('for these pods gets the port, because Istio uses only one', () => {
      const planned = planWith(meshObject('PeerAuthentication', 'users', strict))
      assert.equal(kinds(planned)[0], 'PeerAuthentication sharing')
      assert.deepEqual(specOf(planned, 'PeerAuthentication'), { portLevelMtls: { 15091: { mode: 'STRICT' } } })
    })

    it('with another mode for the port is a reason to skip the workload', () => {
      const otherMode = { ...strict, portLevelMtls: { 15091: { mode: 'DISABLE' } } }
      assert.equal(skipOf(planWith(meshObject('PeerAuthentication', 'users', otherMode))), 'POD_PORT_TAKEN')
    })

    it('for the namespace is inherited: ours does not set other ports', () => {
      const planned = planWith(meshObject('PeerAuthentication', 'default', { mtls: { mode: 'DISABLE' } }))
      assert.deepEqual(Object.keys(specOf(planned, 'PeerAuthentication')), ['selector', 'portLevelMtls'])
    })
  })

  describe('an object that the user has added since ours, for the same pods', () => {
    const name = 'kubectl-telemetry-deployment-web'
    const ours = (kind: string, spec: object) =>
      meshObject(kind, name, spec, { labels: ownedLabels(SCRAPING) as never })

    it('gets what ours has, and ours goes: Istio uses only the older', () => {
      const selector = { selector: { matchLabels: { app: 'web' } } }
      for (const [kind, spec] of [
        ['Sidecar', SELECTOR],
        ['PeerAuthentication', selector],
      ] as const) {
        const planned = kinds(planWith(ours(kind, spec), meshObject(kind, 'users', spec)))
        assert.deepEqual(
          planned.filter((one) => one.startsWith(kind)),
          [`${kind} sharing`, `${kind} removing`],
        )
        assert.deepEqual(
          kinds(planWith(ours(kind, spec))).filter((one) => one.startsWith(kind)),
          [`${kind} owning`],
        )
      }
    })

    it('is a reason to skip the workload if it has its own listeners', () => {
      const ingress = [{ port: { number: 7000, protocol: 'TCP' } }]
      const planned = planWith(ours('Sidecar', SELECTOR), meshObject('Sidecar', 'users', { ...SELECTOR, ingress }))
      assert.equal(skipOf(planned), 'OBJECT_SINCE_ADDED')
    })
  })

  describe('where ALLOW policies of the user deny all others', () => {
    const RULE = { to: [{ operation: { ports: ['15091'], paths: ['/stats/prometheus'] } }] }
    const theirs = { from: [{ source: { namespaces: ['shop'] } }] }
    const policy = (name: string, spec: object, namespace = NAMESPACE) =>
      meshObject('AuthorizationPolicy', name, spec, { namespace })
    const rulesIn = (planned: ReturnType<typeof plan>) =>
      writingsOf(planned).flatMap(({ manifest, by }) =>
        manifest.kind === 'AuthorizationPolicy' && by === 'replacing'
          ? [[manifest.metadata.name, (manifest.spec as { rules: object[] }).rules] as const]
          : [],
      )

    it('adds a rule to one of them and creates none, which would deny everything once theirs is deleted', () => {
      for (const namespace of [NAMESPACE, 'istio-system'])
        assert.deepEqual(rulesIn(planWith(policy('theirs', { rules: [theirs] }, namespace))), [
          ['theirs', [theirs, RULE]],
        ])
      const own = writingsOf(planWith(policy('nothing', {})))
      assert.deepEqual(
        own.filter(({ by }) => by === 'owning').map(({ manifest }) => (manifest.spec as { action?: string }).action),
        [undefined, 'DENY', undefined],
      )
    })

    it('chooses the narrowest policy, and adds the rule once', () => {
      const narrow = policy('web', { selector: { matchLabels: { app: 'web' } }, rules: [theirs] })
      const all = [policy('mesh', {}, 'istio-system'), policy('namespace', { rules: [theirs] }), narrow]
      const [[name] = []] = rulesIn(planWith(...all))
      assert.equal(name, 'web')
      const edited = writingsOf(planWith(...all)).find(({ by }) => by === 'replacing')?.manifest ?? assert.fail()
      assert.deepEqual(rulesIn(planWith(...all.slice(0, 2), edited)), [['web', [theirs, RULE]]])
      assert.deepEqual(
        rulesIn(planWith(edited, policy('a-narrow-one', { selector: { matchLabels: { app: 'web' } } })))[0]?.[0],
        'web',
      )
    })

    it('changes none if one allows everything, is for other pods, for a waypoint, or denies', () => {
      const others: object[] = [
        { rules: [theirs, {}] },
        { selector: { matchLabels: { app: 'till' } } },
        { targetRefs: [{ kind: 'Gateway', name: 'waypoint' }] },
        { action: 'DENY' },
      ]
      for (const spec of others) assert.deepEqual(rulesIn(planWith(policy('one', spec))), [], JSON.stringify(spec))
    })

    it('admits only Prometheus if it is the only one that may ask', () => {
      const options = { harden: false, onlyPrometheus: { namespace: 'a', serviceAccount: 'b', labels: {} } }
      const planned = plan({ options, objects: [policy('theirs', { rules: [theirs, RULE] })] })
      const from = [{ source: { principals: ['*/ns/a/sa/b'] } }]
      assert.deepEqual(rulesIn(planned), [['theirs', [theirs, { from, ...RULE }]]])
    })

    it('is restored, also after the user has edited it', () => {
      const before = policy('theirs', { rules: [theirs] })
      const edited = writingsOf(planWith(before)).find(({ by }) => by === 'replacing')?.manifest ?? assert.fail()
      assert.deepEqual(reverting(edited, SCRAPING, ACCESS_FRAGMENTS)?.values.spec, before.spec)
      const more = { to: [{ operation: { ports: ['80'] } }] }
      const since = { ...edited, spec: { rules: [more, RULE, theirs] } }
      assert.deepEqual(reverting(since, SCRAPING, ACCESS_FRAGMENTS)?.values.spec, { rules: [more, theirs] })
      const nothing = writingsOf(planWith(policy('nothing', {}))).find(({ by }) => by === 'replacing')?.manifest
      assert.deepEqual(reverting(nothing ?? assert.fail(), SCRAPING, ACCESS_FRAGMENTS)?.values.spec, {})
    })

    it('removes the policy of the version before', () => {
      const name = 'kubectl-telemetry-deployment-web-allow'
      const former = meshObject('AuthorizationPolicy', name, {}, { labels: ownedLabels(SCRAPING) as never })
      assert.ok(kinds(planWith(former)).includes('AuthorizationPolicy removing'))
    })

    it('skips a workload whose policy has an invalid record', () => {
      const broken = policy('theirs', { rules: [theirs] })
      broken.metadata.annotations = { 'kubectl-telemetry/before-scraping': '{' }
      assert.equal(skipOf(planWith(broken)), 'RECORD_INVALID')
    })
  })

  it('writes with a record if the user has a proxy configuration, so that it can be hardened later', () => {
    const found = workload({ annotations: { 'proxy.istio.io/config': 'concurrency: 1\n' } })
    const first = plan({}, found)
    assert.equal(kinds(first).at(-1), 'Deployment replacing')
    const { object } = found
    const made = writingsOf(first).at(-1)?.manifest ?? assert.fail()
    const second = plan({ options: { harden: true } }, { ...found, object: { ...object, ...made } as typeof object })
    assert.match(JSON.stringify(specOf(second, 'Deployment')), /concurrency: 1.*METRICS_LOCALHOST_ACCESS_ONLY/)
  })

  it('keeps --only-prometheus and --harden of an earlier run', () => {
    const rules = [{ from: [{ source: { notPrincipals: ['*/ns/a/sa/b'] } }] }]
    const ours = meshObject(
      'AuthorizationPolicy',
      'kubectl-telemetry-deployment-web',
      { action: 'DENY', rules },
      { labels: ownedLabels(SCRAPING) as never },
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
    hardened.object.metadata.managedFields = [{ manager: SCRAPING.manager, operation: 'Apply', fieldsV1: path }]
    assert.match(JSON.stringify(specOf(plan({}, hardened), 'Deployment')), /METRICS_LOCALHOST_ACCESS_ONLY/)
  })

  it('skips a workload that uses port 15091 for something else', () => {
    assert.equal(skipOf(plan({ services: [service('web', [{ port: 80, targetPort: 15091 }])] })), 'POD_PORT_TAKEN')
  })

  for (const [annotation, value] of [
    ['sidecar.istio.io/interceptionMode', 'NONE'],
    ['traffic.sidecar.istio.io/includeInboundPorts', '8080,8081'],
    ['traffic.sidecar.istio.io/excludeInboundPorts', '9000, 15091'],
  ] as const)
    it(`skips a workload with ${annotation}: ${value}`, () => {
      assert.equal(skipOf(plan({}, workload({ annotations: { [annotation]: value } }))), 'NOT_CAPTURED')
    })

  it('skips a workload in the root namespace, where a PeerAuthentication with a selector has no effect', () => {
    assert.equal(skipOf(plan({}, workload({ namespace: 'istio-system' }))), 'ROOT_NAMESPACE')
  })

  it('gives listeners the names of Istio’s own, also if pods have only IPv6', () => {
    const pods = [podOf({ app: 'web' }, { status: { podIPs: [{ ip: 'fd00::1' }] } })]
    const [first] = specOf(plan({ pods }), 'Sidecar').ingress as { bind: string }[]
    assert.equal(first?.bind, '::')
  })
})
