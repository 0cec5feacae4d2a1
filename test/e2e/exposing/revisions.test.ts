/** Two control planes in one mesh, as during a canary upgrade: a gateway and a workload of the other one (decision 30). */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { difference, dump } from '../dump.ts'
import { gatewayObjects } from '../gateway-objects.ts'
import { Workplace } from '../mesh.ts'
import { MeshSettings } from '../mesh-settings.ts'
import { HTTPBIN, inboundChains, meshWorkload, waitUntilReady } from '../mesh-workloads.ts'
import { NodeServer } from '../node-server.ts'
import { assertOneError } from '../one-error.ts'
import { SecondIstiod } from '../second-istiod.ts'

const EDGE = 'telemetry-e2e-canary'
const SHOP = 'telemetry-e2e-shop'
const LABELS = { app: 'edge', istio: 'edge' }
const EXPOSE = ['expose', 'grafana', '--gateway', `${EDGE}/edge`, '-y']
const OPEN = [...EXPOSE, '--allow-anonymous']
const AUTHORIZER = `response.writeHead(302, { location: 'https://login.example.com/' }).end()`

/** An object of the user that names the istiod that shall read it. */
const labelled = (kind: string, revision: string, namespace: string, spec: object) => ({
  apiVersion: 'networking.istio.io/v1',
  kind,
  metadata: { name: 'theirs', namespace, labels: { 'istio.io/rev': revision } },
  spec,
})

describe('a gateway and a workload of another revision, on the real mesh', () => {
  const workplace = new Workplace()
  let istiod: SecondIstiod
  let authorizer: NodeServer
  let untouched: Map<string, string>

  before(async function () {
    this.timeout(180_000)
    const settings = ['values.global.proxy.excludeInboundPorts=7777,7778', 'values.pilot.env.SHARED_MESH_CONFIG=shared']
    istiod = SecondIstiod.start(workplace, { revision: 'canary', tag: 'prod', settings })
    authorizer = await NodeServer.start(workplace, 'authorizer', AUTHORIZER)
    const provider = `envoyExtAuthzHttp: {service: ${authorizer.host}, port: 8080}`
    workplace.apply({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'shared', namespace: 'istio-system' },
      data: { mesh: `extensionProviders:\n- name: shared-one\n  ${provider}\n` },
    })
    istiod.awaitReady()
    const [, ...gateway] = gatewayObjects({ namespace: EDGE, labels: LABELS })
    const namespaces = [EDGE, SHOP].map((name) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { 'istio.io/rev': 'prod' } },
    }))
    const web = meshWorkload({ name: 'web', namespace: SHOP, image: HTTPBIN })
    workplace.apply(...namespaces, ...gateway, ...web)
    waitUntilReady(workplace, EDGE, 'deploy/edge')
    waitUntilReady(workplace, SHOP, 'deploy/web')
    untouched = dump(workplace)
  })
  afterEach(() => {
    workplace.telemetry('cleanup', '-y')
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })
  after(function () {
    this.timeout(180_000)
    workplace.kubectl('delete', 'namespace', EDGE, SHOP, '--ignore-not-found', '--wait=true', '--timeout=85s')
    istiod?.remove()
    workplace.kubectl('-n', 'istio-system', 'delete', 'configmap', 'shared')
    authorizer?.end()
    workplace.end()
  })

  function expose(...words: string[]): ExposeResult & { exitCode: number } {
    const { stdout, stderr, exitCode } = workplace.telemetry(...words, '-o', 'json')
    assert.notEqual(stdout, '', stderr)
    return { ...(JSON.parse(stdout) as ExposeResult), exitCode }
  }

  /** Runs with objects of others in the mesh. */
  function beside(objects: object[], run: () => void): void {
    workplace.apply(...objects)
    try {
      run()
    } finally {
      workplace.telemetry('cleanup', '-y')
      workplace.delete(...objects)
    }
  }

  it('finds the provider in the ConfigMap that the istiod of the gateway shares (C26)', () => {
    const { exposures, exitCode } = expose(...EXPOSE, '--auth', 'ext-authz=shared-one')
    assert.deepEqual([exitCode, exposures[0]?.probe?.status], [0, 302])
    assertOneError(
      workplace.telemetry(...EXPOSE, '--auth', 'ext-authz=nobody'),
      'PROVIDER_UNKNOWN',
      /; known: shared-one.*kubectl -n istio-system edit configmap istio-canary /s,
    )
  })

  it('Gateways of another revision, or of a tag, are not in the way; those of its own are', () => {
    const port = { number: 443, name: 'http', protocol: 'HTTP' }
    const spec = { selector: LABELS, servers: [{ port, hosts: ['shop.example.com'] }] }
    for (const revision of ['default', 'prod'])
      beside([labelled('Gateway', revision, EDGE, spec)], () => {
        const { exposures, exitCode } = expose(...OPEN)
        assert.deepEqual([exitCode, exposures[0]?.probe?.status], [0, 200])
      })
    beside([labelled('Gateway', 'canary', EDGE, spec)], () =>
      assertOneError(
        workplace.telemetry(...OPEN),
        'GATEWAY_PORT_OTHER_PROTOCOL',
        /Gateway telemetry-e2e-canary\/theirs/,
      ),
    )
  })

  it('DestinationRules of another revision are no cause; those of its own are', () => {
    const tls = { host: '*.local', trafficPolicy: { tls: { mode: 'ISTIO_MUTUAL' } } }
    beside([labelled('DestinationRule', 'default', EDGE, tls)], () => {
      const { exposures } = expose(...OPEN)
      assert.equal(exposures[0]?.probe?.status, 200)
    })
    beside([labelled('DestinationRule', 'canary', EDGE, tls)], () => {
      const { warnings } = expose(...OPEN)
      assert.match(
        warnings.map(({ message }) => message).join('\n'),
        /; DestinationRule telemetry-e2e-canary\/theirs \(host \*\.local\) has tls mode ISTIO_MUTUAL/,
      )
    })
  })

  it('a gateway that istiod does not see is named as the cause before a guard is proven, and nothing is open (C14)', () => {
    const mesh = new MeshSettings(workplace, 'istio-canary')
    const matchExpressions = [
      { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: [EDGE] },
      { key: 'e2e-hidden', operator: 'DoesNotExist' },
    ]
    try {
      mesh.set({ discoverySelectors: [{ matchExpressions }] })
      // The run would be ended long before this time.
      const { warnings, exitCode } = expose(...EXPOSE, '--allow-cidr', '0.0.0.0/0', '--timeout', '10m')
      const failure = warnings.find(({ code }) => code === 'GUARD_NOT_PROVEN')
      assert.match(
        failure?.message ?? JSON.stringify(warnings),
        /; istiod does not see namespace telemetry-e2e-canary: the discoverySelectors of .*so the route is closed/,
      )
      assert.match(failure?.remedies.at(-1) ?? '', /^kubectl telemetry expose grafana /)
      assert.equal(exitCode, 1)
      assert.match(workplace.telemetry('status').stdout, /ROUTE_CLOSED/)
    } finally {
      mesh.restore()
    }
    // Now istiod sees the route, which is closed until a run has proven its guard.
    const { exposures, exitCode } = expose('expose', 'grafana', '--gateway', `${EDGE}/edge`, '-y')
    assert.equal(exitCode, 0)
    assert.deepEqual([exposures[0]?.probe?.ok, exposures[0]?.guard !== undefined], [true, true])
  })

  it('scrape-secure keeps the ports of the injector of that revision, and leaves a Sidecar of another one alone', () => {
    const egress = [{ hosts: ['./*', 'istio-system/*'] }]
    const sidecar = labelled('Sidecar', 'default', SHOP, { workloadSelector: { labels: { app: 'web' } }, egress })
    const run = (...words: string[]) =>
      workplace.telemetry('scrape-secure', 'deploy/web', '-n', SHOP, '-y', '--prometheus', 'none', ...words)
    beside([sidecar], () => {
      const native = run('--method', 'native', '--dry-run=server', '-o', 'yaml')
      assert.match(native.stdout, /excludeInboundPorts: 7777,7778,15091,15092$/m, native.stderr)

      const before = workplace.kubectl('-n', SHOP, 'get', 'sidecars.networking.istio.io', 'theirs', '-o', 'yaml')
      const { stderr, exitCode } = run('--method', 'sidecar')
      assert.equal(exitCode, 0, stderr)
      assert.equal(inboundChains(workplace, SHOP, 'deploy/web', [15091]).length > 0, true)
      const now = workplace.kubectl('-n', SHOP, 'get', 'sidecars.networking.istio.io', 'theirs', '-o', 'yaml')
      assert.equal(now, before)
      assert.equal(workplace.telemetry('cleanup', '--scraping', '-y').exitCode, 0)
    })
  })
})
