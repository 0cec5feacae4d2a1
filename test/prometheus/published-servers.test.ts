/** Prometheus servers as they are published (docs/decisions/0031). */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { Deployment, Pod } from '../../src/cluster/objects.ts'
import { DEPLOYMENTS } from '../../src/cluster/resources.ts'
import { findPrometheuses, type PrometheusObject } from '../../src/prometheus/find.ts'

type Container = Pod['spec']['containers'][number]

function deployment(namespace: string, name: string, labels: Record<string, string>, spec: Pod['spec']) {
  const object: Deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: { selector: { matchLabels: labels }, template: { metadata: { name: '', labels }, spec } },
  } as Deployment
  return { resource: DEPLOYMENTS, object }
}

const LINKERD = deployment(
  'linkerd-viz',
  'prometheus',
  { 'linkerd.io/extension': 'viz', component: 'prometheus' },
  {
    containers: [
      {
        name: 'prometheus',
        image: 'prom/prometheus:v2.55.1',
        args: [
          '--log.level=info',
          '--config.file=/etc/prometheus/prometheus.yml',
          '--storage.tsdb.path=/data',
          '--storage.tsdb.retention.time=6h',
        ],
        ports: [{ name: 'admin', containerPort: 9090 }],
        volumeMounts: [
          { name: 'data', mountPath: '/data' },
          {
            name: 'prometheus-config',
            mountPath: '/etc/prometheus/prometheus.yml',
            subPath: 'prometheus.yml',
          } as NonNullable<Container['volumeMounts']>[number],
        ],
      },
    ],
    volumes: [
      { name: 'data', emptyDir: {} },
      { name: 'prometheus-config', configMap: { name: 'prometheus-config' } },
    ],
  },
)

const BITNAMI = deployment(
  'monitoring',
  'prometheus-server',
  { 'app.kubernetes.io/part-of': 'prometheus', 'app.kubernetes.io/component': 'server' },
  {
    containers: [
      {
        name: 'prometheus',
        image: 'bitnami/prometheus:3.5.0',
        args: [
          '--config.file=/opt/bitnami/prometheus/conf/prometheus.yaml',
          '--storage.tsdb.path=/opt/bitnami/prometheus/data',
          '--web.listen-address=:9090',
        ],
        volumeMounts: [
          { name: 'config', mountPath: '/opt/bitnami/prometheus/conf', readOnly: true },
          { name: 'data', mountPath: '/opt/bitnami/prometheus/data' },
        ],
      },
      {
        name: 'thanos-sidecar',
        image: 'bitnami/thanos:0.39.2',
        args: ['sidecar', '--prometheus.url=http://localhost:9090', '--tsdb.path=/prometheus/'],
      },
    ],
    volumes: [
      { name: 'config', configMap: { name: 'prometheus-server' } },
      { name: 'data', persistentVolumeClaim: { claimName: 'prometheus-server' } } as NonNullable<
        Pod['spec']['volumes']
      >[number],
    ],
  },
)

const OPENSHIFT: PrometheusObject = {
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'Prometheus',
  metadata: { name: 'k8s', namespace: 'openshift-monitoring' },
  spec: { listenLocal: true, replicas: 2, podMonitorSelector: {}, containers: [{ name: 'prometheus-proxy' }] },
}

describe('published Prometheus servers', () => {
  it("Linkerd's beside another is a choice of its own", () => {
    const both = findPrometheuses([LINKERD, BITNAMI], [])
    assert.deepEqual(
      both.map(({ namespace, name }) => `${namespace}/${name}`),
      ['linkerd-viz/prometheus', 'monitoring/prometheus-server'],
    )
    const [linkerd] = both
    assert.deepEqual(linkerd?.configuration, { configMap: 'prometheus-config', key: 'prometheus.yml' })
    assert.equal(linkerd?.losesData, true)
    assert.equal(linkerd?.reloads, false)
  })

  it("Bitnami's is read at its own paths, and its Thanos is only a sidecar", () => {
    const [bitnami] = findPrometheuses([BITNAMI], [])
    assert.equal(bitnami?.container, 'prometheus')
    assert.deepEqual(bitnami?.configuration, { configMap: 'prometheus-server', key: 'prometheus.yaml' })
    assert.deepEqual(
      [bitnami?.port, bitnami?.basePath, bitnami?.losesData, bitnami?.holdsData],
      [9090, '', false, true],
    )
  })

  it("OpenShift's listens only inside its pod", () => {
    const [openshift] = findPrometheuses([], [OPENSHIFT])
    assert.equal(openshift?.listensAt, '127.0.0.1:9090')
    const [usual] = findPrometheuses([], [{ ...OPENSHIFT, spec: {} }])
    assert.equal(usual?.listensAt, undefined)
  })
})
