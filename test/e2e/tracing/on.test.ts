/** `tracing on` and `tracing off`: with the real istiod, Envoy and Jaeger, and the application of four services. */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, before, describe, it } from 'mocha'
import type { TracingResult } from '../../../src/tracing/result.ts'
import { BOOKINFO, endBookinfo, startBookinfo } from '../bookinfo.ts'
import { difference, dump } from '../dump.ts'
import { exposeForAnyone } from '../exposed.ts'
import { awaitSpans, tracesSince } from '../jaeger-api.ts'
import { killAfterWrite } from '../killed-run.ts'
import { type Outcome, Workplace } from '../mesh.ts'
import { MeshSettings } from '../mesh-settings.ts'
import { assertOneError } from '../one-error.ts'
import { type Rule, rule, telemetryWith, without } from '../rights.ts'
import { SecondIstiod } from '../second-istiod.ts'

const GATEWAY = 'istio-ingressgateway.istio-system'
const APPLICATION = ['details', 'productpage', 'ratings', 'reviews'].map((name) => `${name}.${BOOKINFO}`)
const ALL = [...APPLICATION, GATEWAY].sort()
const ON = ['tracing', 'on', '-y']
const OFF = ['tracing', 'off', '-y']
/** ConfigMap, its owners, Telemetry. */
const ON_WRITES = 3
/** Telemetry, ConfigMap, its record. */
const OFF_WRITES = 3
/** As short as a loss may be waited for: proxies send spans every 5 s. */
const BRIEF = ['--timeout', '12s']

const TELEMETRY = 'telemetry.istio.io'
/** Without the proof, which is optional. */
const ON_RIGHTS = {
  cluster: [rule('apps', 'deployments', 'list'), rule(TELEMETRY, 'telemetries', 'list'), rule('', 'services', 'list')],
  inside: [
    rule('', 'configmaps', 'get update patch'),
    rule(TELEMETRY, 'telemetries', 'get create patch'),
    rule('', 'pods', 'list'),
  ],
}
const OFF_RIGHTS = {
  cluster: [...ON_RIGHTS.cluster, rule('', 'configmaps', 'list')],
  inside: [rule('', 'configmaps', 'get update'), rule(TELEMETRY, 'telemetries', 'get delete')],
}

const telemetry = (namespace: string, spec: object) => ({
  apiVersion: 'telemetry.istio.io/v1',
  kind: 'Telemetry',
  metadata: { name: 'mesh-default', namespace },
  spec,
})

describe('tracing on and off, on the real mesh', () => {
  const workplace = new Workplace()
  let settings: MeshSettings
  let page: { url: string; at: string }
  /** With the application, before tracing. */
  let untouched: Map<string, string>
  let all: Map<string, string>

  before(() => {
    all = dump(workplace)
    settings = new MeshSettings(workplace)
    startBookinfo(workplace)
    const { exposures, gateway } = exposeForAnyone(
      workplace,
      'svc/productpage',
      '-n',
      BOOKINFO,
      '--path',
      '/productpage',
    )
    const url = new URL(exposures[0]?.url ?? '')
    page = { url: `${url.origin}/productpage`, at: `${url.hostname}:${url.port || 443}:${gateway.address}` }
    untouched = dump(workplace)
  })
  after(() => {
    workplace.telemetry(...OFF)
    workplace.telemetry('cleanup', '-y')
    endBookinfo(workplace)
    settings.restore()
    workplace.end()
    assert.deepEqual(difference(all, dump(workplace)), [])
  })

  afterEach(() => {
    workplace.telemetry(...OFF)
    workplace.delete(telemetry('istio-system', {}))
  })

  /** `tracing on`, and its answer. */
  function on(...words: string[]): { result: TracingResult; outcome: Outcome } {
    const outcome = workplace.telemetry(...ON, ...words, '-o', 'json')
    return { outcome, result: JSON.parse(outcome.stdout) as TracingResult }
  }

  function proven(...words: string[]): TracingResult {
    const { result, outcome } = on(...words)
    assert.equal(outcome.exitCode, 0, outcome.stdout)
    assert.equal(result.proof?.ok, true)
    return result
  }

  /** @returns what is different from before tracing */
  function left(): string[] {
    assert.equal(workplace.telemetry(...OFF).exitCode, 0)
    return difference(untouched, dump(workplace))
  }

  /** Pods, and how often their containers were restarted. */
  const pods = () =>
    workplace.kubectl(
      'get',
      'pods',
      '-A',
      '-o',
      'jsonpath={range .items[*]}{.metadata.uid} {.status.containerStatuses[*].restartCount}{"\\n"}{end}',
    )

  const curl = (...words: string[]) => workplace.run('curl', ['-sk', '--resolve', page.at, ...words])

  it('has no trace of 1,000 requests before: the control', () => {
    const since = Date.now()
    const { stdout, stderr } = curl(
      '-w',
      '%{http_code}\n',
      '-o',
      '/dev/null',
      '--no-progress-meter',
      `${page.url}?[1-1000]`,
    )
    const ok = stdout.split('\n').filter((line) => line === '200').length
    assert.equal(ok, 1_000, stderr)
    assert.deepEqual(tracesSince(workplace, `productpage.${BOOKINFO}`, since), [])
  })

  /** The services of a trace, when all of its spans have come: two of each call. */
  async function servicesOf({ proof }: TracingResult, spans: number): Promise<string[]> {
    const found = await awaitSpans(workplace, proof?.traceId ?? '', spans)
    return [...new Set(found.map(({ service }) => service))].sort()
  }

  it('proves a trace of gateway and application over OpenTelemetry, without a restart', async () => {
    const before = pods()
    const result = proven('--sampling', '10')
    assert.deepEqual(await servicesOf(result, 8), ALL)
    assert.deepEqual([result.sampling, result.revisions[0]?.provider.kind], [10, 'opentelemetry'])
    assert.equal(pods(), before)
    assert.match(workplace.telemetry('tracing', 'status').stdout, /default +all others +yes +kubectl-telemetry +10 %/)
    const again = workplace.telemetry(...ON, '--sampling', '10')
    assert.match(again.stdout, /kubectl-telemetry unchanged/)
  })

  it('lets helm 4 apply the ConfigMap afterwards without a conflict', () => {
    workplace.telemetry(...OFF)
    const map = JSON.parse(
      workplace.kubectl('-n', 'istio-system', 'get', 'cm', 'istio', '-o', 'json', '--show-managed-fields'),
    )
    const asHelm = map.metadata.managedFields.map((entry: object) => ({ ...entry, manager: 'helm' }))
    const owners = JSON.stringify([{ op: 'replace', path: '/metadata/managedFields', value: asHelm }])
    workplace.kubectl('-n', 'istio-system', 'patch', 'cm', 'istio', '--type=json', '-p', owners)
    proven()
    const { name, namespace, labels } = map.metadata
    const input = JSON.stringify({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace, labels },
      data: map.data,
    })
    const apply = ['apply', '--server-side', '--field-manager=helm', '--dry-run=server', '-f', '-']
    const { stderr, exitCode } = workplace.run('kubectl', apply, { input })
    assert.equal(exitCode, 0, stderr)
    assert.equal(workplace.telemetry(...OFF).exitCode, 0)
    settings.restore()
    assert.deepEqual(left(), [])
  })

  for (let writes = 1; writes <= ON_WRITES; writes++)
    it(`is undone without a difference when it is killed after ${writes} of ${ON_WRITES} writes`, async () => {
      assert.ok(await killAfterWrite(workplace, ON, writes))
      assert.notDeepEqual(difference(untouched, dump(workplace)), [])
      assert.deepEqual(left(), [])
    })

  for (let writes = 1; writes < OFF_WRITES; writes++)
    it(`is completed when "off" is killed after ${writes} of ${OFF_WRITES} writes`, async () => {
      assert.ok(await killAfterWrite(workplace, ON, ON_WRITES))
      assert.ok(await killAfterWrite(workplace, OFF, writes))
      assert.notDeepEqual(difference(untouched, dump(workplace)), [])
      assert.deepEqual(left(), [])
    })

  it("proves it over Zipkin's protocol, in place of the provider before", async () => {
    assert.ok(await killAfterWrite(workplace, ON, ON_WRITES))
    const result = proven('--backend', 'svc/zipkin.istio-system:9411')
    assert.equal(result.revisions[0]?.provider.kind, 'zipkin')
    assert.deepEqual(await servicesOf(result, 8), ALL)
    assert.deepEqual(left(), [])
  })

  it('uses a provider of others, and shares their Telemetry if it is not about traces', () => {
    const zipkin = { service: 'zipkin.istio-system.svc.cluster.local', port: 9411 }
    settings.set({ extensionProviders: [{ name: 'theirs', zipkin }] })
    const theirs = telemetry('istio-system', { metrics: [{ overrides: [] }] })
    workplace.apply(theirs)
    const before = dump(workplace)
    const result = proven('--sampling', '3')
    assert.deepEqual(result.telemetry, { namespace: 'istio-system', name: 'mesh-default', action: 'configured' })
    assert.deepEqual(
      [result.revisions[0]?.provider.name, result.revisions[0]?.provider.action],
      ['theirs', 'unchanged'],
    )
    assert.equal(workplace.telemetry(...OFF).exitCode, 0)
    assert.deepEqual(difference(before, dump(workplace)), [])

    workplace.apply(
      telemetry('istio-system', { tracing: [{ providers: [{ name: 'theirs' }], randomSamplingPercentage: 3 }] }),
    )
    assert.equal(proven().telemetry.action, 'unchanged')
    assertOneError(workplace.telemetry(...ON, '--sampling', '4'), 'TELEMETRY_IN_FORCE', /mesh-default/)
    workplace.delete(theirs)
    settings.restore()
    assert.deepEqual(left(), [])
  })

  it('traces one namespace, and leaves one out of a traced mesh', () => {
    const one = proven('-n', BOOKINFO)
    assert.equal(one.telemetry.namespace, BOOKINFO)
    assert.equal(one.proof?.services?.includes(GATEWAY), false)
    assert.deepEqual(left(), [])
    assert.equal(workplace.telemetry(...OFF, '-n', BOOKINFO).stdout.trim(), 'nothing to remove')
    proven()
    assert.match(workplace.telemetry(...OFF, '-n', BOOKINFO).stdout, /kubectl-telemetry created/)
    // Proxies need a moment for their new configuration.
    const services = () => proven().proof?.services?.join()
    assert.ok([services, services, services].some((look) => look() === GATEWAY))
    assert.deepEqual(left(), [])
  })

  it('changes the ConfigMap of each revision', () => {
    const second = SecondIstiod.start(workplace, { revision: 'canary', tag: 'next', settings: [] })
    const both = dump(workplace)
    const { revisions } = proven()
    assert.deepEqual(revisions.map(({ configMap, provider }) => [configMap, provider.action]).sort(), [
      ['istio-system/istio', 'configured'],
      ['istio-system/istio-canary', 'configured'],
    ])
    assert.equal(workplace.telemetry(...OFF).exitCode, 0)
    const changed = difference(both, dump(workplace)).filter((line) => /ConfigMap|Telemetry/.test(line))
    second.remove()
    assert.deepEqual(changed, [])
  })

  it('names the hop that lost the trace: a port that refuses, and a Sidecar that hides the collector', async () => {
    // Proxies that still have the configuration of the test before could send their spans to Jaeger.
    await sleep(3_000)
    const refusing = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'refusing', namespace: 'istio-system' },
      spec: { selector: { app: 'jaeger' }, ports: [{ name: 'grpc-otel', port: 4317, targetPort: 4399 }] },
    }
    workplace.apply(refusing)
    const first = on('--backend', 'svc/refusing.istio-system:4317', ...BRIEF)
    workplace.telemetry(...OFF)
    workplace.delete(refusing)
    assert.deepEqual([first.outcome.exitCode, first.result.proof?.hop], [1, 'collector'], first.outcome.stdout)

    const sidecar = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'Sidecar',
      metadata: { name: 'default', namespace: BOOKINFO },
      spec: { egress: [{ hosts: ['./*'] }] },
    }
    workplace.apply(sidecar)
    const second = on('-n', BOOKINFO, ...BRIEF)
    workplace.delete(sidecar)
    const codes = second.result.warnings.map(({ code }) => code)
    assert.deepEqual(codes, ['COLLECTOR_HIDDEN', 'PROVIDER_NOT_KEPT', 'TRACE_NOT_ARRIVED'])
    assert.equal(second.result.proof?.ok, false)
    assert.ok(['proxy', 'collector'].includes(second.result.proof?.hop ?? ''), second.outcome.stdout)
    assert.deepEqual(left(), [])
  })

  it('needs the rights of docs/rbac.md, and no others', () => {
    const of = (cluster: Rule[], inside: Rule[], words: string[]) =>
      telemetryWith({ cluster, inside, namespace: 'istio-system' }, workplace, ...words)
    for (const index of ON_RIGHTS.cluster.keys())
      assertOneError(
        of(without(ON_RIGHTS.cluster, index), ON_RIGHTS.inside, ON),
        index === 1 ? 'TELEMETRIES_UNREAD' : 'FORBIDDEN',
      )
    assertOneError(of(ON_RIGHTS.cluster, [], ON), 'MESH_CONFIG_MISSING')
    for (const index of [0, 1])
      assertOneError(
        of(ON_RIGHTS.cluster, without(ON_RIGHTS.inside, index), ON),
        index === 0 ? 'MESH_CONFIG_MISSING' : 'FORBIDDEN',
      )
    assert.deepEqual(difference(untouched, dump(workplace)), [])
    const on = of(ON_RIGHTS.cluster, ON_RIGHTS.inside, ON)
    assert.equal(on.exitCode, 0, on.stdout + on.stderr)
    assert.match(on.stderr, /TRACE_UNPROVEN/)
    const off = of(OFF_RIGHTS.cluster, OFF_RIGHTS.inside, OFF)
    assert.equal(off.exitCode, 0, off.stdout + off.stderr)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })

  it('changes nothing where the mesh configuration is no YAML', () => {
    const broken = [{ op: 'replace', path: '/data/mesh', value: 'a: 1\nb: c: d\n' }]
    workplace.kubectl('-n', 'istio-system', 'patch', 'cm', 'istio', '--type=json', '-p', JSON.stringify(broken))
    const outcome = workplace.telemetry(...ON)
    settings.restore()
    assertOneError(outcome, 'YAML_INVALID', /line 2, column 4/)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })

  it('changes nothing where a GitOps tool writes the mesh configuration, and prints the value that it needs', () => {
    const label = (value: string) =>
      workplace.kubectl('-n', 'istio-system', 'label', 'cm', 'istio', `kustomize.toolkit.fluxcd.io/name${value}`)
    label('=mesh')
    const outcome = workplace.telemetry(...ON)
    label('-')
    settings.restore()
    assertOneError(outcome, 'MESH_CONFIG_MANAGED', /Flux Kustomization mesh.*\n.*\n.*--set-json .*kubectl-telemetry/s)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })

  it('refuses bad input in one line', () => {
    for (const [words, code] of [
      [['--sampling', '101'], 'SAMPLING_INVALID'],
      [['--sampling=-1'], 'SAMPLING_INVALID'],
      [['--sampling', '1e3'], 'SAMPLING_INVALID'],
      [['--sampling', 'ten'], 'SAMPLING_INVALID'],
      [['--backend', 'jaeger'], 'BACKEND_INVALID'],
      [['--backend', 'svc/jaeger-collector.istio-system:99999'], 'BACKEND_INVALID'],
      [['--probe', 'ftp://x'], 'PROBE_URL_INVALID'],
      [['--probe', 'https://me:secret@x'], 'PROBE_URL_INVALID'],
    ] as const)
      assertOneError(workplace.telemetry(...ON, ...words), code, /./, 2)
    assertOneError(
      workplace.telemetry(...ON, '--backend', 'svc/jaeger-collector.istio-system:4444'),
      'TRACING_BACKEND_UNUSABLE',
    )
    assertOneError(workplace.telemetry(...ON, '--revision', 'nosuch'), 'REVISION_UNKNOWN')
  })
})
