import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'

const NAMESPACE = 'telemetry-e2e-edge'
const LABELS = { app: 'edge', istio: 'edge' }

/** What helm's `istio/gateway` chart makes, under another name, in a namespace of its own. @param secrets whether it may read Secrets */
function gatewayObjects(secrets: boolean): object[] {
  const metadata = { name: 'edge', namespace: NAMESPACE, labels: LABELS }
  const rbac = 'rbac.authorization.k8s.io'
  const annotations = { 'inject.istio.io/templates': 'gateway' }
  // Said before istiod puts the image's name in: of `auto` the API server would make "pull always".
  const imagePullPolicy = 'IfNotPresent'
  const pod = { serviceAccountName: 'edge', containers: [{ name: 'istio-proxy', image: 'auto', imagePullPolicy }] }
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels: { 'istio-injection': 'enabled' } } },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'Role',
      metadata,
      rules: [{ apiGroups: [''], resources: secrets ? ['secrets'] : ['configmaps'], verbs: ['get', 'watch', 'list'] }],
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: rbac, kind: 'Role', name: 'edge' },
      subjects: [{ kind: 'ServiceAccount', name: 'edge', namespace: NAMESPACE }],
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        selector: { matchLabels: LABELS },
        template: {
          metadata: { labels: { ...LABELS, 'sidecar.istio.io/inject': 'true' }, annotations },
          // The chart's own way to let Envoy listen on 443 without being root.
          spec: { ...pod, securityContext: { sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }] } },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: {
        type: 'NodePort',
        selector: LABELS,
        ports: [
          { name: 'http2', port: 80 },
          { name: 'https', port: 443 },
        ],
      },
    },
  ]
}

describe('a gateway of another name in another namespace, on the real mesh', () => {
  const workplace = new Workplace()
  const expose = (...words: string[]) => workplace.telemetry('expose', 'grafana', '--allow-anonymous', '-y', ...words)

  before(() => {
    // Together with the installed one there are two, so it has to be named.
    workplace.apply(...gatewayObjects(false))
    workplace.kubectl('-n', NAMESPACE, 'rollout', 'status', 'deployment/edge', '--timeout=90s')
  })
  after(() => {
    workplace.kubectl('delete', 'namespace', NAMESPACE, '--wait=true', '--timeout=90s')
    workplace.end()
  })

  it('that may not list Secrets is told before anything is written, with the commands that grant it', () => {
    const before = dump(workplace)
    const { stderr, exitCode } = expose('--gateway', `${NAMESPACE}/edge`)
    assert.equal(exitCode, 1)
    assert.match(
      stderr,
      /^error: service account edge of gateway telemetry-e2e-edge\/edge may not list Secrets .*\(GATEWAY_CANNOT_READ_SECRETS\)/,
    )
    assert.match(
      stderr,
      /try: kubectl -n telemetry-e2e-edge create role edge-sds --verb=get,watch,list --resource=secrets/,
    )
    assert.deepEqual(difference(before, dump(workplace)), [])
  })

  it('serves, with Secret, route and Gateway beside its pods and Grafana where it was', () => {
    workplace.apply(...gatewayObjects(true))
    // istiod remembers a refusal for a minute, but it was never asked for this gateway's Secrets.
    const { stdout, stderr, exitCode } = expose('--gateway', `${NAMESPACE}/edge`, '-o', 'json')
    assert.equal(exitCode, 0, stderr)
    const result = JSON.parse(stdout) as ExposeResult
    assert.deepEqual(
      [result.gateway.namespace, result.gateway.service, result.gateway.via],
      [NAMESPACE, 'edge', 'node-port'],
    )
    assert.deepEqual([...new Set(result.objects.map(({ namespace }) => namespace))], [NAMESPACE])
    assert.deepEqual([result.exposures[0]?.namespace, result.exposures[0]?.probe?.status], ['istio-system', 200])
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
  })

  it('whose host another Gateway on the same pods has already: refused before anything is written', () => {
    const theirs = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'Gateway',
      metadata: { name: 'theirs', namespace: NAMESPACE },
      spec: {
        selector: LABELS,
        servers: [
          {
            port: { number: 443, name: 'https', protocol: 'HTTPS' },
            hosts: ['grafana.example.com'],
            tls: { mode: 'PASSTHROUGH' },
          },
        ],
      },
    }
    workplace.apply(theirs)
    const before = dump(workplace)
    const { stderr, exitCode } = expose('--gateway', `${NAMESPACE}/edge`, '--domain', 'example.com')
    assert.equal(exitCode, 1)
    assert.match(
      stderr,
      /^error: Gateway telemetry-e2e-edge\/theirs serves grafana\.example\.com on port 443 already.*\(HOST_TAKEN\)/,
    )
    assert.deepEqual(difference(before, dump(workplace)), [])
  })
})
