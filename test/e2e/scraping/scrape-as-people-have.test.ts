/** Meshes, Prometheus servers and workloads as people have them (decision 29), each kind once on the real mesh. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import type { KeyPair } from '../../../src/certificates/authority.ts'
import { foreignCertificate } from '../../../src/certificates/foreign-certificate.ts'
import type { ScrapeSecureResult } from '../../../src/scraping/result.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { HTTPBIN, meshNamespace, meshWorkload, waitUntilReady } from '../mesh-workloads.ts'
import { runPlugin } from '../plugin-runs.ts'
import { addresses, ask } from '../scraping.ts'
import { issuing } from '../scraping-prometheus.ts'

const NAMESPACE = 'scrape-people'
const MONITORING = 'scrape-monitoring'
const OWN = ['--prometheus', `${MONITORING}/own`]
const INJECTOR = ['-n', 'istio-system', 'configmap', 'istio-sidecar-injector']
const EXCLUDED = 'traffic.sidecar.istio.io/excludeInboundPorts'
/** The password is `test`: https://prometheus.io/docs/guides/basic-auth/ */
const LOGIN = 'basic_auth_users: {admin: $2b$12$hNf2lSsxfm0.i4a.1kVpSOVyBCfIB51VRjgBUyv6kdnyTlgWj81Ay}\n'

/**
 * A Prometheus as a chart under helm 4 makes it.
 * @param form a directory of the node: its volume, which both pods use, and it wants a password. A certificate: it serves TLS
 */
function prometheus(form: string | KeyPair): object[] {
  const metadata = { name: 'own', namespace: MONITORING }
  const rbac = 'rbac.authorization.k8s.io'
  const jobs =
    'global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: own\n  static_configs: [{targets: ["localhost:9090"]}]\n'
  const tls = 'tls_server_config: {cert_file: /etc/jobs/cert.pem, key_file: /etc/jobs/key.pem}\n'
  const [volume, files] =
    typeof form === 'string'
      ? [{ hostPath: { path: form } }, { 'web.yml': LOGIN }]
      : [{ emptyDir: {} }, { 'web.yml': tls, 'cert.pem': form.certificate, 'key.pem': form.key }]
  const [deployment] = meshWorkload({
    ...metadata,
    image: 'docker.io/prom/prometheus:v3.10.0',
    pod: {
      serviceAccountName: 'own',
      volumes: [
        { name: 'jobs', configMap: { name: 'own' } },
        { name: 'data', ...volume },
      ],
    },
    container: {
      args: [
        ...['--config.file=/etc/jobs/prometheus.yml', '--storage.tsdb.path=/data', '--web.listen-address=:9090'],
        '--web.config.file=/etc/jobs/web.yml',
      ],
      securityContext: { runAsUser: 0 },
      volumeMounts: [
        { name: 'jobs', mountPath: '/etc/jobs' },
        { name: 'data', mountPath: '/data' },
      ],
    },
  })
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: MONITORING } },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    {
      ...{ apiVersion: `${rbac}/v1`, kind: 'ClusterRole', metadata: { name: MONITORING } },
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch', 'get'] }],
    },
    {
      ...{ apiVersion: `${rbac}/v1`, kind: 'ClusterRoleBinding', metadata: { name: MONITORING } },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: MONITORING },
      subjects: [{ kind: 'ServiceAccount', ...metadata }],
    },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'prometheus.yml': jobs, ...files } },
    deployment ?? {},
  ]
}

/** What Argo Rollouts makes: a ReplicaSet with its own hash. And a pod without a workload. */
function otherKinds(): object[] {
  const [made] = meshWorkload({ name: 'rollout-7f9c', namespace: NAMESPACE }) as [
    { spec: { template: object; selector: object } },
  ]
  const labels = { app: 'rollout', 'rollouts-pod-template-hash': '7f9c' }
  const pod = made.spec.template as { spec: object }
  return [
    {
      ...{ apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { name: 'rollout-7f9c', namespace: NAMESPACE } },
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: pod.spec } },
    },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'debug', namespace: NAMESPACE, labels: { app: 'debug' } },
      spec: pod.spec,
    },
  ]
}

/** A workload that crashes with a secure port, and says why in its last line. */
const CRASHING = {
  ...{ name: 'crashing', namespace: MONITORING, image: HTTPBIN, labels: { 'sidecar.istio.io/inject': 'true' } },
  container: {
    command: [
      'sh',
      '-c',
      'test -z "$PORT" && exec /bin/go-httpbin; echo first; echo "lock DB directory: busy"; exit 1',
    ],
    env: [
      {
        name: 'PORT',
        valueFrom: { fieldRef: { fieldPath: "metadata.annotations['prometheus.istio.io/secure-port']" } },
      },
    ],
  },
}

describe('secure scraping in a cluster as people have it, on the real mesh', () => {
  const workplace = new Workplace()
  const kubectl = (...words: string[]) => workplace.kubectl('-n', NAMESPACE, ...words)
  let untouched: Map<string, string>
  let injector: string
  let certificate: KeyPair

  const valuesOfInjector = () => workplace.kubectl('get', ...INJECTOR, '-o', 'jsonpath={.data.values}')
  const setInjector = (values: string) => {
    workplace.kubectl('patch', ...INJECTOR, '--type=merge', '-p', JSON.stringify({ data: { values } }))
    // The kubelet reads the ConfigMap again when the pod changes.
    const poke = [`telemetry-test=${Date.now()}`, '--overwrite']
    workplace.kubectl('-n', 'istio-system', 'annotate', 'pod', '-l', 'app=istiod', ...poke)
  }
  /** The ports that a new pod of this namespace would not have captured. */
  const notCaptured = () => {
    const words = ['run', 'probe', '--image=none', '--dry-run=server', '-o', 'jsonpath={.spec.initContainers[*].args}']
    return /"-d","([^"]*)"/.exec(kubectl(...words))?.[1]?.split(',') ?? []
  }
  const awaitInjector = async (isExcluded: boolean) => {
    for (let attempt = 0; attempt < 100 && notCaptured().includes('8080') !== isExcluded; attempt++)
      await new Promise((resolve) => setTimeout(resolve, 500))
    assert.equal(notCaptured().includes('8080'), isExcluded)
  }
  const changed = () => difference(untouched, dump(workplace))
  /** A request in plaintext, under STRICT. */
  const plaintext = () => ask(`http://${addresses(workplace, NAMESPACE, 'web').at(-1)}:8080/status/200`).status

  before(async function () {
    this.timeout(180_000)
    injector = valuesOfInjector()
    certificate = await foreignCertificate('spiffe://own', { ...issuing, now: new Date() })
    workplace.apply(...meshNamespace(NAMESPACE, 'STRICT'))
    const values = JSON.parse(injector) as { global: { proxy: Record<string, string> } }
    values.global.proxy.excludeInboundPorts = '8080'
    setInjector(JSON.stringify(values))
    workplace.applyAs('helm', ...prometheus(workplace.directory))
    await awaitInjector(true)
    workplace.apply(...meshWorkload(CRASHING), ...otherKinds())
    workplace.applyAs('helm', ...meshWorkload({ name: 'web', namespace: NAMESPACE, image: HTTPBIN, annotations: {} }))
    waitUntilReady(workplace, NAMESPACE, 'deploy/web')
    waitUntilReady(workplace, MONITORING, 'deploy/own', 'deploy/crashing')
    untouched = dump(workplace)
  })
  after(async function () {
    this.timeout(180_000)
    workplace.telemetry('cleanup', '--scraping', '-y', '--timeout', '30s')
    setInjector(injector)
    await awaitInjector(false)
    workplace.kubectl('-n', 'istio-system', 'annotate', 'pod', '-l', 'app=istiod', 'telemetry-test-')
    workplace.kubectl('delete', 'clusterrole,clusterrolebinding', MONITORING)
    workplace.kubectl('delete', 'namespace', NAMESPACE, MONITORING, '--wait=true', '--timeout=85s')
    workplace.end()
  })

  it('refuses a Prometheus that a rolling update cannot replace, and one with a password, before anything is written', () => {
    const run = () => workplace.telemetry('scrape-secure', '-n', NAMESPACE, '-y', ...OWN)
    const blocked = run()
    assert.match(blocked.stderr, /starts the new pod before the old one ends: .* \(PROMETHEUS_ROLLOUT_BLOCKED\)/)
    const patch = /kubectl (-n \S+ patch deployment own -p) '(.*)' /.exec(blocked.stderr) ?? assert.fail(blocked.stderr)
    assert.deepEqual([blocked.exitCode, changed()], [1, []])
    workplace.kubectl(...(patch[1] ?? '').split(' '), patch[2] ?? '')
    untouched = dump(workplace)
    const wantsLogin = run()
    assert.match(
      wantsLogin.stderr,
      /Prometheus scrape-monitoring\/own answers 401: it wants a login.* \(PROMETHEUS_PROTECTED\)/,
    )
    assert.deepEqual([wantsLogin.exitCode, changed()], [1, []])
    workplace.kubectl('-n', MONITORING, 'delete', 'deployment', 'own')
    workplace.applyAs('helm', ...prometheus(certificate))
    waitUntilReady(workplace, MONITORING, 'deploy/own')
    untouched = dump(workplace)
  })

  it('ends within seconds, in the words of the API server, when new pods are refused', () => {
    kubectl('label', 'namespace', NAMESPACE, 'pod-security.kubernetes.io/enforce=restricted')
    const began = Date.now()
    const run = ['scrape-secure', '-n', NAMESPACE, '-y', '--prometheus', 'none', 'deploy/web']
    const { stderr, exitCode } = workplace.telemetry(...run)
    assert.match(
      stderr,
      /web in namespace scrape-people did not become ready because its new pods are refused: FailedCreate: .*violates PodSecurity "restricted:latest"/,
    )
    assert.match(stderr, /kubectl telemetry cleanup --scraping/)
    assert.equal(exitCode, 1)
    assert.ok(Date.now() - began < 30_000, `${Date.now() - began} ms`)
    kubectl('label', 'namespace', NAMESPACE, 'pod-security.kubernetes.io/enforce-')
  })

  it('quotes the last line of a container that crashes', () => {
    const run = ['scrape-secure', '-n', MONITORING, '-y', '--prometheus', 'none', 'deploy/crashing', '--timeout', '8s']
    assert.match(
      workplace.telemetry(...run).stderr,
      /container app .*; the last line of its log: lock DB directory: busy;/,
    )
    assert.equal(workplace.telemetry('cleanup', '--scraping', '-y').exitCode, 0)
    assert.deepEqual(changed(), [])
    workplace.kubectl('-n', MONITORING, 'delete', 'deploy/crashing', 'svc/crashing')
    untouched = dump(workplace)
  })

  it('asks a Prometheus over TLS, keeps the ports that the mesh does not capture, and is not hardened while workloads of other kinds answer', async function () {
    this.timeout(120_000)
    assert.equal(plaintext(), 200)
    const words = ['scrape-secure', '-n', NAMESPACE, '-y', ...OWN, '--harden', '-o', 'json']
    const { stdout, stderr, exitCode } = await runPlugin(workplace, ...words)
    const { workloads, targets, plaintext: open, warnings } = JSON.parse(stdout) as ScrapeSecureResult
    assert.deepEqual([targets?.up, targets?.total, open?.open], [1, 1, []], stderr)
    assert.equal(plaintext(), 200, 'the port of the user is still not captured')
    const template = 'jsonpath={.spec.template.metadata.annotations}'
    assert.equal(JSON.parse(kubectl('get', 'deploy/web', '-o', template))[EXCLUDED], '8080,15091,15092')
    assert.deepEqual(
      workloads.map(({ kind, name, action, code }) => [kind, name, code ?? action].join(' ')),
      ['Deployment web configured', 'Pod debug OTHER_KIND', 'Rollout rollout OTHER_KIND'],
    )
    const left = warnings.filter(({ code }) => code === 'PLAINTEXT_LEFT')
    assert.match(
      left.map(({ message }) => message).join(),
      /pod\/debug .*rollout\/rollout .* still serve their metrics as plaintext/,
    )
    assert.equal(exitCode, 1)
    const helm = warnings.filter(({ code }) => code === 'MANAGED_ELSEWHERE').map(({ message }) => message)
    assert.match(helm.join('\n'), /ConfigMap scrape-monitoring\/own .*without, it fails with a conflict/)
  })

  it('lets helm 4 fail with the conflict that was announced, and apply again after cleanup', async function () {
    this.timeout(120_000)
    const chart = prometheus(certificate)
    assert.throws(
      () => workplace.applyAs('helm', ...chart),
      /conflict with "istio-telemetry-scraping".*\.data\.prometheus\.yml/s,
    )
    workplace.applyAs('helm', ...meshWorkload({ name: 'web', namespace: NAMESPACE, image: HTTPBIN, annotations: {} }))
    const { stdout, exitCode } = await runPlugin(workplace, 'cleanup', '--scraping', '-y')
    assert.equal(exitCode, 0, stdout)
    assert.deepEqual(changed(), [])
    workplace.applyAs('helm', ...chart)
    assert.deepEqual(changed(), [])
  })
})
