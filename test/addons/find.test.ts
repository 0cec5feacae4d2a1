import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { findAddon } from '../../src/addons/find.ts'
import type { ServicePort } from '../../src/cluster/objects.ts'
import { addon, service } from './addon-objects.ts'

const GRAFANA = addon('grafana')
const NAMED = { 'app.kubernetes.io/name': 'grafana' }

describe('findAddon', () => {
  const ports: [string, ServicePort[], number | undefined][] = [
    ["Istio's sample", [{ name: 'service', port: 3000, protocol: 'TCP', targetPort: 3000 }], 3000],
    ["the community's chart", [{ name: 'service', port: 80, targetPort: 3000 }], 80],
    ['kube-prometheus', [{ name: 'http', port: 3000, targetPort: 'http' }], 3000],
    [
      'a port with the right number behind another',
      [
        { name: 'metrics', port: 9090 },
        { name: 'x', port: 3000 },
      ],
      3000,
    ],
    [
      'a port that leads to the right number',
      [
        { name: 'metrics', port: 9090 },
        { name: 'x', port: 8080, targetPort: 3000 },
      ],
      8080,
    ],
    [
      'the right number before the right name',
      [
        { name: 'http', port: 9090 },
        { name: 'x', port: 3000 },
      ],
      3000,
    ],
    [
      'the right name when no number fits',
      [
        { name: 'metrics', port: 9090 },
        { name: 'http-web', port: 8080 },
      ],
      8080,
    ],
    [
      'the right name of the target',
      [
        { name: 'metrics', port: 9090 },
        { port: 8080, targetPort: 'http' },
      ],
      8080,
    ],
    ['the only port, whatever it is', [{ name: 'odd', port: 12345, targetPort: 'odd' }], 12345],
    [
      'nothing among several strange ports',
      [
        { name: 'a', port: 1 },
        { name: 'b', port: 2 },
      ],
      undefined,
    ],
    ['nothing without ports', [], undefined],
  ]
  for (const [name, list, port] of ports) {
    it(`takes ${name}`, () => {
      const found = findAddon(GRAFANA, [service('istio-system', NAMED, list)])
      assert.deepEqual(
        found.map((one) => one.port),
        port === undefined ? [] : [port],
      )
    })
  }

  it('takes the port of the Service, namespace and Service with it', () => {
    const one = service('monitoring', { ...NAMED, 'helm.sh/chart': 'grafana-9' }, [{ port: 80, targetPort: 3000 }])
    assert.deepEqual(findAddon(GRAFANA, [one]), [{ addon: GRAFANA, service: one, namespace: 'monitoring', port: 80 }])
  })

  const http = [{ port: 3000 }]
  const namespaces = (...services: Parameters<typeof findAddon>[1]) =>
    findAddon(GRAFANA, services).map(({ namespace }) => namespace)

  it('finds it in every namespace', () => {
    assert.deepEqual(namespaces(service('a', NAMED, http), service('b', NAMED, http)), ['a', 'b'])
  })

  it('prefers the newer label to the older one, in whatever order they come', () => {
    assert.deepEqual(namespaces(service('old', { app: 'grafana' }, http), service('new', NAMED, http)), ['new'])
  })

  it('makes do with the older label', () => {
    assert.deepEqual(namespaces(service('old', { app: 'grafana' }, http)), ['old'])
  })

  it('makes do with the older label when no port fits at the newer one', () => {
    const strange = [{ port: 1 }, { port: 2 }]
    assert.deepEqual(namespaces(service('new', NAMED, strange), service('old', { app: 'grafana' }, http)), ['old'])
  })

  it('finds nothing by name or by port alone', () => {
    assert.deepEqual(namespaces(service('a', {}, http), service('b', { app: 'grafana-agent' }, http)), [])
  })
})
