import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import type { ScrapeSecureResult } from '../../../src/scraping/result.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { HTTPBIN, meshNamespace, meshWorkload, waitUntilReady } from '../mesh-workloads.ts'

/** Labels of pods in ambient mode, which have no sidecar. */
const AMBIENT = { 'istio.io/dataplane-mode': 'ambient', 'sidecar.istio.io/inject': 'false' }
const NAMESPACE = 'scrape-refused'
const BARE = 'scrape-bare'

/** A workload that does not start with a secure port, like an application that a changed template breaks. */
const FRAGILE = {
  ...{ name: 'fragile', namespace: NAMESPACE, image: HTTPBIN },
  container: {
    command: ['sh', '-c', 'test -z "$PORT_OF_METRICS" && exec /bin/go-httpbin'],
    env: [
      {
        name: 'PORT_OF_METRICS',
        valueFrom: { fieldRef: { fieldPath: "metadata.annotations['prometheus.istio.io/secure-port']" } },
      },
    ],
  },
}

/** As ztunnel, the proxy of a node in ambient mode, runs; under another name. */
const NODE_PROXY = {
  ...{ name: 'node-proxy', namespace: NAMESPACE, kind: 'DaemonSet' as const, image: HTTPBIN },
  labels: { 'sidecar.istio.io/inject': 'false' },
  container: { name: 'istio-proxy', command: ['/bin/go-httpbin'], args: ['proxy', 'ztunnel'] },
}

/** The test has two Prometheus, so a command has to name one. */
const ISTIOS = ['--prometheus', 'istio-system/prometheus']

/** A Prometheus on its node's network, which gets no sidecar. */
const HOST_PROMETHEUS = [
  {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'jobs', namespace: BARE },
    data: { 'jobs.yml': 'scrape_configs: []\n' },
  },
  ...meshWorkload({
    ...{ name: 'host-prometheus', namespace: BARE, spec: { replicas: 0 } },
    pod: { hostNetwork: true, volumes: [{ name: 'jobs', configMap: { name: 'jobs' } }] },
    container: {
      args: ['--config.file=/etc/jobs/jobs.yml', '--storage.tsdb.path=/data'],
      volumeMounts: [{ name: 'jobs', mountPath: '/etc/jobs' }],
    },
  }),
]

describe('scrape-secure with workloads that it cannot change, on the real mesh', () => {
  const workplace = new Workplace()
  const kubectl = (...words: string[]) => workplace.kubectl('-n', NAMESPACE, ...words)
  let untouched: Map<string, string>

  /** One run finds all: what is decided about a workload does not depend on the others, see test/scraping/methods/choose.test.ts. */
  const skips = {
    'deploy/paused': 'PAUSED',
    'ds/deleted': 'ON_DELETE',
    'deploy/taken': 'POD_PORT_TAKEN',
    'deploy/none': 'NO_SIDECAR',
    'deploy/host': 'HOST_NETWORK',
    'deploy/ambient': 'AMBIENT',
    'deploy/owned': 'OPERATOR_OWNED',
    'ds/node-proxy': 'ZTUNNEL',
    'deploy/contested': 'FIELD_CONFLICT',
  }
  let run: ReturnType<typeof scrape>
  let changedByRun: string[]

  before(() => {
    const at = { namespace: NAMESPACE }
    workplace.apply(
      ...meshNamespace(NAMESPACE),
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: BARE } },
      ...meshWorkload({ ...at, name: 'paused', labels: { batch: 'skips' } }),
      ...meshWorkload({ ...at, name: 'deleted', kind: 'DaemonSet', spec: { updateStrategy: { type: 'OnDelete' } } }),
      ...meshWorkload({ ...at, name: 'taken', ports: [8080, 15091] }),
      ...meshWorkload({ ...at, name: 'none', labels: { 'sidecar.istio.io/inject': 'false' } }),
      ...meshWorkload({ ...at, name: 'host', ports: [18080], pod: { hostNetwork: true } }),
      ...meshWorkload({ ...at, name: 'ambient', labels: AMBIENT }),
      ...meshWorkload({ ...at, name: 'owned' }),
      ...meshWorkload(FRAGILE),
      ...meshWorkload(NODE_PROXY),
      ...HOST_PROMETHEUS,
      ...meshWorkload({ ...at, name: 'sound', image: HTTPBIN }),
    )
    for (const name of ['paused', 'taken', 'none', 'ambient', 'owned', 'fragile', 'sound'])
      waitUntilReady(workplace, NAMESPACE, `deploy/${name}`)
    // kubectl waits for no rollout of such a DaemonSet.
    kubectl('wait', 'pod', '-l', 'app=deleted', '--for=condition=Ready', '--timeout=85s')
    kubectl('rollout', 'pause', 'deploy/paused')
    const [contested] = meshWorkload({
      ...{ ...at, name: 'contested', ownLabels: { 'kubectl-telemetry/scraping': 'never' } },
    })
    workplace.applyAs('another', contested ?? {})
    waitUntilReady(workplace, NAMESPACE, 'deploy/contested')
    const [name, uid] = ['kube-root-ca.crt', 'jsonpath={.metadata.uid}']
    const owner = { apiVersion: 'v1', kind: 'ConfigMap', name, uid: kubectl('get', 'configmap', name, '-o', uid) }
    kubectl('patch', 'deploy/owned', '-p', JSON.stringify({ metadata: { ownerReferences: [owner] } }))
    untouched = dump(workplace)
    run = scrape(...Object.keys(skips), '-o', 'json')
    changedByRun = changed()
  })
  after(() => {
    workplace.telemetry('cleanup', '--scraping', '-y', '--timeout', '20s')
    workplace.kubectl('delete', 'namespace', NAMESPACE, BARE)
    workplace.end()
  })

  const scrape = (...words: string[]) =>
    workplace.telemetry('scrape-secure', '-n', NAMESPACE, '-y', '--prometheus', 'none', ...words)
  const changed = () => difference(untouched, dump(workplace))

  for (const [workload, code] of Object.entries(skips))
    it(`leaves ${workload} unchanged: ${code}`, () => {
      const { workloads } = JSON.parse(run.stdout) as ScrapeSecureResult
      const found = workloads.filter(({ name }) => name === workload.replace(/^.*\//, ''))
      assert.deepEqual([run.exitCode, found.map((one) => [one.action, one.code])], [1, [['skipped', code]]])
      assert.deepEqual(changedByRun, [])
    })

  it('leaves Prometheus unchanged, and does not restart it, when no workload is left to do', () => {
    const pods = () =>
      workplace.kubectl(
        ...['-n', 'istio-system', 'get', 'pods', '-l', 'app.kubernetes.io/name=prometheus'],
        ...['-o', 'jsonpath={.items[*].metadata.uid} {.items[*].status.containerStatuses[*].restartCount}'],
      )
    const before = pods()
    assert.match(before, /^[0-9a-f-]{36} /)
    const words = ['scrape-secure', '-n', NAMESPACE, 'deploy/contested', 'deploy/paused', ...ISTIOS, '-o', 'json']
    for (const more of [[], ['-y'], ['-y', '--harden']]) {
      const { stdout, exitCode } = workplace.telemetry(...words, ...more)
      const { workloads, objects } = JSON.parse(stdout) as ScrapeSecureResult
      const codes = workloads.map(({ code }) => code).toSorted()
      assert.deepEqual([exitCode, codes, objects], [1, ['FIELD_CONFLICT', 'PAUSED'], []])
    }
    assert.deepEqual([pods(), changed()], [before, []])
  })

  const prometheuses = [
    [[], 'SEVERAL_PROMETHEUS', /--prometheus istio-system\/prometheus/],
    [['--prometheus', 'istio-system/nobody'], 'PROMETHEUS_NOT_FOUND', /there is no Prometheus istio-system\/nobody/],
    [['--prometheus', `${BARE}/host-prometheus`], 'PROMETHEUS_NOT_INJECTABLE', /network of its node/],
  ] as const
  for (const [words, code, said] of prometheuses)
    it(`refuses a Prometheus that it cannot change: ${code}`, () => {
      const { stderr, exitCode } = workplace.telemetry('scrape-secure', '-n', NAMESPACE, '-y', ...words)
      assert.match(stderr, new RegExp(`\\(${code}\\)`))
      assert.match(stderr, said)
      assert.equal(exitCode, 1)
      assert.deepEqual(changed(), [])
    })

  it('reports a namespace without workloads of the mesh, or without a workload of that name', () => {
    const nothing = workplace.telemetry('scrape-secure', '-n', BARE, ...ISTIOS)
    assert.deepEqual([nothing.stdout, nothing.exitCode], ['nothing to change\n', 0])
    assert.match(nothing.stderr, /NO_WORKLOADS/)
    const { stderr, exitCode } = workplace.telemetry('scrape-secure', '-n', BARE, 'deploy/web', ...ISTIOS)
    assert.match(stderr, /there is no deployment\/web in namespace scrape-bare \(WORKLOAD_NOT_FOUND\)/)
    assert.equal(exitCode, 1)
  })

  it('asks for confirmation before it restarts anything', async () => {
    const words = ['scrape-secure', '-n', NAMESPACE, 'deploy/sound', '--prometheus', 'none']
    assert.match(workplace.telemetry(...words).stderr, /change 1 workload and restart 1 pod.* \(CONSENT_REQUIRED\)/)
    const answers = [{ prompt: /Change 1 workload and restart 1 pod, one workload after the other\?/, type: 'n\r' }]
    const { screen, exitCode } = await workplace.onTerminal(words, answers)
    assert.match(screen, /Deployment scrape-refused\/sound: native, 1 pod restarted/)
    assert.deepEqual([exitCode, changed()], [1, []])
  })

  it('stops at a workload that does not become ready, with the reason and the next command', () => {
    const { stderr, exitCode } = scrape('deploy/fragile', 'deploy/sound', '--timeout', '10s')
    assert.equal(exitCode, 1)
    assert.match(
      stderr,
      /deployment\/fragile in namespace scrape-refused did not become ready within 10 s: pod fragile-\S+: container app /,
    )
    assert.match(stderr, /changed before that: deployment.apps\/fragile/)
    assert.match(stderr, /kubectl telemetry cleanup --scraping/)
    assert.deepEqual(
      changed().map((name) => name.split('/').at(-1)),
      ['fragile'],
    )
    assert.equal(workplace.telemetry('cleanup', '--scraping', '-y').exitCode, 0)
    assert.deepEqual(changed(), [])
    waitUntilReady(workplace, NAMESPACE, 'deploy/fragile')
  })

  it('reports missing permissions, and leaves out a namespace that it may not read', () => {
    const subject = { kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'jane' }
    const rules = [
      { apiGroups: [''], resources: ['pods'], verbs: ['list'] },
      {
        apiGroups: ['apps'],
        resources: ['deployments', 'statefulsets', 'daemonsets'],
        verbs: ['list', 'get', 'patch'],
      },
    ]
    const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name: 'jane', namespace: NAMESPACE } }
    const roleRef = { kind: 'Role', apiGroup: 'rbac.authorization.k8s.io', name: 'jane' }
    workplace.apply({ ...rbac, kind: 'Role', rules }, { ...rbac, kind: 'RoleBinding', roleRef, subjects: [subject] })
    const jane = ['scrape-secure', '--as', 'jane', '--prometheus', 'none', '--dry-run=server', '-l', 'app=sound']
    const some = workplace.telemetry(...jane, '-n', NAMESPACE, '-n', BARE)
    assert.match(some.stdout, /deployment\/sound .*configured \(server dry run\)/)
    assert.match(some.stderr, /namespace scrape-bare was skipped: .*cannot list resource .*\(NAMESPACE_NOT_READ\)/)
    assert.equal(some.exitCode, 0)
    const all = workplace.telemetry(...jane, '-A')
    assert.match(all.stderr, /-A reads workloads and pods of all namespaces: .*at the cluster scope.* \(FORBIDDEN\)/)
    assert.equal(all.exitCode, 1)
  })
})
