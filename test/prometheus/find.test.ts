import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { Deployment } from '../../src/cluster/objects.ts'
import { DEPLOYMENTS, STATEFUL_SETS } from '../../src/cluster/resources.ts'
import { findPrometheuses, type PrometheusObject } from '../../src/prometheus/find.ts'

const CONFIG = { name: 'config', mountPath: '/etc/config' }
const SERVER = {
  name: 'prometheus-server',
  image: 'docker.io/prom/prometheus:v3.10.0',
  args: ['--config.file=/etc/config/prometheus.yml', '--storage.tsdb.path=/data'],
  volumeMounts: [CONFIG, { name: 'data', mountPath: '/data' }],
}
const VOLUMES = [
  { name: 'config', configMap: { name: 'prometheus-config' } },
  { name: 'data', emptyDir: {} },
]

function workload(containers: object[], { volumes = VOLUMES as object[], metadata = {}, spec = {} } = {}): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'p', namespace: 'monitoring', ...metadata },
    spec: {
      selector: { matchLabels: { app: 'p' } },
      template: { metadata: { name: '', labels: { app: 'p', x: 'y' } }, spec: { containers, volumes } },
      ...spec,
    },
  } as unknown as Deployment
}
const found = (object: Deployment, resource = DEPLOYMENTS) => findPrometheuses([{ resource, object }], [])
const only = (object: Deployment, resource = DEPLOYMENTS) => {
  const [first, ...rest] = found(object, resource)
  assert.ok(first)
  assert.deepEqual(rest, [])
  return first
}
const server = (change: object) => workload([{ ...SERVER, ...change }])

describe('finding Prometheus', () => {
  it('skips objects that are being deleted', () => {
    const ending = { metadata: { deletionTimestamp: '2026-11-21T12:00:00Z' } }
    assert.deepEqual(found(workload([SERVER], ending)), [])
    const made = { apiVersion: 'monitoring.coreos.com/v1', kind: 'Prometheus', spec: {} }
    const metadata = { name: 'p', namespace: 'monitoring' }
    assert.equal(findPrometheuses([], [{ ...made, metadata }]).length, 1)
    assert.deepEqual(findPrometheuses([], [{ ...made, metadata: { ...metadata, ...ending.metadata } }]), [])
  })

  it('uses arguments and image, not names', () => {
    const beside = {
      name: 'prometheus-server-configmap-reload',
      image: 'quay.io/prometheus-operator/prometheus-config-reloader:v0.89.0',
    }
    assert.equal(only(workload([beside, { ...SERVER, name: 'main' }])).container, 'main')
    assert.equal(only(server({ image: 'registry.example/mirror/prom@sha256:1' })).container, 'prometheus-server')
    assert.equal(
      only(server({ args: [], image: 'quay.io/prometheus/prometheus:v2.53.0' })).configFile,
      '/etc/prometheus/prometheus.yml',
    )
    assert.equal(only(workload([SERVER]), STATEFUL_SETS).resource, STATEFUL_SETS)
  })

  for (const [name, container] of Object.entries({
    alertmanager: {
      image: 'quay.io/prometheus/alertmanager:v0.28',
      args: ['--config.file=/etc/a.yml', '--storage.path=/a'],
    },
    'the blackbox exporter': {
      image: 'quay.io/prometheus/blackbox-exporter:v0.27',
      args: ['--config.file=/config/b.yaml'],
    },
    'the node exporter': { image: 'quay.io/prometheus/node-exporter:v1', args: [] },
    'Prometheus’ adapter': { image: 'registry.k8s.io/prometheus-adapter/prometheus-adapter:v0.12', args: [] },
  }))
    it(`does not find ${name}`, () => assert.deepEqual(found(workload([{ name: 'x', ...container }])), []))

  it('finds the operator’s object, not the StatefulSet that it creates', () => {
    const made = { metadata: { ownerReferences: [{ kind: 'Prometheus', name: 'k8s' }] } }
    assert.deepEqual(found(workload([SERVER], made), STATEFUL_SETS), [])
    const object = { kind: 'Prometheus', metadata: { name: 'k8s', namespace: 'm' }, spec: { routePrefix: '/prom/' } }
    const [first] = findPrometheuses([], [object as unknown as PrometheusObject])
    assert.deepEqual([first?.name, first?.basePath, first?.losesData], ['k8s', '/prom', true])
  })

  it('reads where prometheus.yml is', () => {
    const where = (volumes: object[], change = {}) =>
      only(workload([{ ...SERVER, ...change }], { volumes })).configuration
    assert.deepEqual(where(VOLUMES), { configMap: 'prometheus-config', key: 'prometheus.yml' })
    const items = [{ key: 'main.yaml', path: 'prometheus.yml' }]
    assert.deepEqual(where([{ name: 'config', configMap: { name: 'c', items } }]), { configMap: 'c', key: 'main.yaml' })
    assert.deepEqual(
      where([{ name: 'config', projected: { sources: [{ secret: {} }, { configMap: { name: 'c' } }] } }]),
      { configMap: 'c', key: 'prometheus.yml' },
    )
    const subPath = { volumeMounts: [{ name: 'config', mountPath: '/etc/config/prometheus.yml', subPath: 'p.yml' }] }
    assert.deepEqual(where(VOLUMES, subPath), { configMap: 'prometheus-config', key: 'p.yml' })
    assert.equal(where([{ name: 'config', secret: { secretName: 's' } }]), undefined)
    assert.equal(where([{ name: 'config', emptyDir: {} }]), undefined)
    const apart = { args: ['--config.file', '/etc/config/prometheus.yml', '--storage.tsdb.retention.time=1d'] }
    assert.deepEqual(where(VOLUMES, apart), { configMap: 'prometheus-config', key: 'prometheus.yml' })
  })

  it('finds out whether its data is lost with the pod', () => {
    const volumes = (data: object) => [VOLUMES[0] ?? {}, { name: 'data', ...data }]
    assert.equal(only(workload([SERVER])).losesData, true)
    assert.equal(
      only(workload([SERVER], { volumes: volumes({ persistentVolumeClaim: { claimName: 'c' } }) })).losesData,
      false,
    )
    const claims = { volumeClaimTemplates: [{ metadata: { name: 'data' } }] }
    assert.equal(
      only(workload([SERVER], { volumes: VOLUMES.slice(0, 1), spec: claims }), STATEFUL_SETS).losesData,
      false,
    )
    assert.equal(only(server({ volumeMounts: [CONFIG] })).losesData, true)
  })

  it('finds port and path of its API', () => {
    const args = (...more: string[]) => only(server({ args: [...SERVER.args, ...more] }))
    assert.deepEqual([args().port, args().basePath], [9090, ''])
    assert.equal(args('--web.listen-address=0.0.0.0:9091').port, 9091)
    assert.equal(args('--web.external-url=https://x.example/prometheus/').basePath, '/prometheus')
    assert.equal(args('--web.external-url=/p').basePath, '/p')
    assert.equal(args('--web.external-url=https://x.example/prometheus', '--web.route-prefix=/').basePath, '')
  })

  it('finds out whether something reloads it', () => {
    assert.equal(only(workload([SERVER])).reloads, false)
    assert.equal(only(server({ args: [...SERVER.args, '--config.auto-reload-interval=30s'] })).reloads, true)
    const reloader = { name: 'r', image: 'x/y:1', args: ['--webhook-url=http://127.0.0.1:9090/-/reload'] }
    assert.equal(only(workload([SERVER, reloader])).reloads, true)
  })
})
