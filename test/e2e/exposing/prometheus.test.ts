import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { overOneConnection, rawRequest } from '../http2.ts'
import { Workplace } from '../mesh.ts'

const HOST = `prometheus.${loadBalancerAddress}.nip.io`

/** Spellings of paths that end, reload or change Prometheus, for every layer that may normalize paths. */
const SPELLINGS = ['quit', 'reload'].flatMap((verb) => [
  `/-/${verb}`,
  `/-%2F${verb}`,
  `/-%2f${verb}`,
  `//-/${verb}`,
  `/-//${verb}`,
  `/-/${verb}/`,
  `/./-/${verb}`,
  `/-/./${verb}`,
  `/-/${verb}?x`,
  `/-/${verb}#x`,
  `/-/${verb};x`,
  `/x/../-/${verb}`,
  `/x/..%2F-/${verb}`,
  `/%2D/${verb}`,
  `/%2d/${verb}`,
  `/%2F-/${verb}`,
  `/-\\${verb}`,
  `/-%5C${verb}`,
  `/-/%${verb.charCodeAt(0).toString(16)}${verb.slice(1)}`,
  `/-/${verb.toUpperCase()}`,
  `/api/v1/../../-/${verb}`,
  `/api/v1/query/../../../-/${verb}`,
  `/api/v1/query%2F..%2F..%2F..%2F-%2F${verb}`,
])
const ADMIN = [
  '/api/v1/admin/tsdb/delete_series?match[]=up',
  '/api/v1/admin/tsdb/snapshot',
  '/api/v1/admin/tsdb/clean_tombstones',
  '/api/v1//admin/tsdb/snapshot',
  '/api/v1/admin%2Ftsdb/snapshot',
  '/api/v1/query/../admin/tsdb/snapshot',
]

describe('Prometheus behind the gateway, on the real mesh', () => {
  const workplace = new Workplace()
  let ca: string

  before(async () => {
    await loadBalancer('on')
    const { stdout, stderr, exitCode } = workplace.telemetry(
      'expose',
      'prometheus',
      '--allow-anonymous',
      '-y',
      '-o',
      'json',
    )
    assert.equal(exitCode, 0, stderr)
    ca = readFileSync((JSON.parse(stdout) as ExposeResult).authority?.certificate ?? '', 'utf8')
  })
  after(() => workplace.end())

  const restarts = () =>
    workplace.kubectl(
      '-n',
      'istio-system',
      'get',
      'pods',
      '-l',
      'app.kubernetes.io/name=prometheus',
      '-o',
      'jsonpath={.items[*].metadata.uid} {.items[*].status.containerStatuses[*].restartCount}',
    )

  it(`cannot be ended, reloaded or changed: ${SPELLINGS.length + ADMIN.length} paths, POST, PUT and DELETE, HTTP/1.1 and HTTP/2`, async () => {
    const before = restarts()
    for (const path of [...SPELLINGS, ...ADMIN]) {
      for (const method of ['POST', 'PUT', 'DELETE']) {
        const one = await rawRequest(loadBalancerAddress, HOST, ca, method, path)
        assert.ok([403, 400].includes(one), `${method} ${path} over HTTP/1.1: ${one}`)
        const [two = -1] = await overOneConnection(loadBalancerAddress, HOST, ca, [{ authority: HOST, path, method }])
        assert.ok([403, 400, 0].includes(two), `${method} ${path} over HTTP/2: ${two}`)
      }
    }
    assert.equal(restarts(), before)
  })

  it('still shows its pages and answers queries, by GET and by POST', () => {
    const curl = (...words: string[]) =>
      workplace.run('curl', [
        '-sS',
        '--cacert',
        `${workplace.environment.XDG_DATA_HOME}/kubectl-telemetry/authorities/${loadBalancerAddress}.nip.io/ca.crt`,
        '--resolve',
        `${HOST}:443:${loadBalancerAddress}`,
        ...words,
      ]).stdout
    for (const path of [
      '/query',
      '/targets',
      '/-/ready',
      '/-/healthy',
      '/api/v1/status/config',
      '/api/v1/label/job/values',
    ]) {
      assert.equal(curl('-o', '/dev/null', '-w', '%{http_code}', `https://${HOST}${path}`), '200', path)
    }
    assert.match(curl(`https://${HOST}/api/v1/query?query=up`), /"status":"success"/)
    assert.match(curl('--data', 'query=up', `https://${HOST}/api/v1/query`), /"status":"success"/)
    assert.match(
      curl('--data', 'query=up&start=0&end=1&step=1', `https://${HOST}/api/v1/query_range`),
      /"status":"success"/,
    )
  })
})

describe('Prometheus below a path, on the real mesh', () => {
  const NAMESPACE = 'prometheus-below'
  const workplace = new Workplace()
  const labels = { app: 'prometheus', component: 'server' }

  before(async () => {
    await loadBalancer('on')
    const image = workplace.kubectl(
      ...['-n', 'istio-system', 'get', 'deployment', 'prometheus'],
      ...['-o', 'jsonpath={.spec.template.spec.containers[?(@.name=="prometheus-server")].image}'],
    )
    const args = ['--config.file=/dev/null', '--storage.tsdb.path=/tmp', '--web.external-url=https://x.test/prom']
    const metadata = { name: 'prometheus', namespace: NAMESPACE, labels }
    const readinessProbe = { httpGet: { path: '/prom/-/ready', port: 9090 }, periodSeconds: 1 }
    const container = { name: 'prometheus', image, imagePullPolicy: 'Never', args, readinessProbe }
    workplace.apply(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata,
        spec: { selector: labels, ports: [{ port: 9090, name: 'http' }] },
      },
      { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [container], terminationGracePeriodSeconds: 0 } },
    )
    workplace.kubectl('-n', NAMESPACE, 'wait', 'pod/prometheus', '--for=condition=Ready', '--timeout=60s')
  })
  after(() => {
    workplace.telemetry('cleanup', '-y')
    workplace.kubectl('delete', 'namespace', NAMESPACE, '--timeout=90s')
    workplace.end()
  })

  it('is exposed there, and only its pages', () => {
    const words = ['expose', 'prometheus', '-n', NAMESPACE, '--allow-anonymous', '-y', '-o', 'json']
    const { stdout, stderr, exitCode } = workplace.telemetry(...words)
    assert.equal(exitCode, 0, stdout + stderr)
    const { exposures, authority } = JSON.parse(stdout) as ExposeResult
    assert.deepEqual([exposures[0]?.url, exposures[0]?.probe?.hop], [`https://${HOST}/prom/`, 'upstream'])
    const statusOf = (path: string, ...words: string[]) =>
      workplace.run('curl', [
        ...['-sS', '-o', '/dev/null', '-w', '%{http_code} %header{location}', '--cacert', authority?.certificate ?? ''],
        ...['--resolve', `${HOST}:443:${loadBalancerAddress}`, ...words, `https://${HOST}${path}`],
      ]).stdout
    const seen = ['/', '/prom/-/ready', '/prom/api/v1/query?query=up', '/-/ready'].map((path) => statusOf(path))
    assert.deepEqual(seen, [`302 https://${HOST}/prom/`, '200 ', '200 ', '403 '])
    assert.equal(statusOf('/prom/-/quit', '-X', 'POST'), '403 ')
  })
})
