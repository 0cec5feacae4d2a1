import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { ADDON_ANNOTATION, findAddon } from '../../src/addons/find.ts'
import type { Service, ServicePort } from '../../src/cluster/objects.ts'
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
    ['nothing by an only port that is strange', [{ name: 'odd', port: 12345, targetPort: 'odd' }], undefined],
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

  it('returns the port of the Service, the namespace and the Service', () => {
    const one = service('monitoring', { ...NAMED, 'helm.sh/chart': 'grafana-9' }, [{ port: 80, targetPort: 3000 }])
    assert.deepEqual(findAddon(GRAFANA, [one]), [{ addon: GRAFANA, service: one, namespace: 'monitoring', port: 80 }])
  })

  const http = [{ port: 3000 }]
  const namespaces = (...services: Parameters<typeof findAddon>[1]) =>
    findAddon(GRAFANA, services).map(({ namespace }) => namespace)

  it('finds it in every namespace', () => {
    assert.deepEqual(namespaces(service('a', NAMED, http), service('b', NAMED, http)), ['a', 'b'])
  })

  it('prefers the newer label to the older one in a namespace, in any order', () => {
    const [older, newer] = [service('a', { app: 'grafana' }, http), service('a', NAMED, http)]
    for (const services of [
      [older, newer],
      [newer, older],
    ])
      assert.deepEqual(
        findAddon(GRAFANA, services).map((one) => one.service),
        [newer],
      )
  })

  it('finds add-ons with other labels in other namespaces too, for the user to choose', () => {
    assert.deepEqual(namespaces(service('old', { app: 'grafana' }, http), service('new', NAMED, http)), ['old', 'new'])
  })

  it('finds no Service that is being deleted', () => {
    const one = service('a', NAMED, http)
    const ending = { ...one, metadata: { ...one.metadata, deletionTimestamp: '2026-11-21T12:00:00Z' } }
    assert.deepEqual(namespaces(ending, service('b', NAMED, http)), ['b'])
  })

  it('uses the older label', () => {
    assert.deepEqual(namespaces(service('old', { app: 'grafana' }, http)), ['old'])
  })

  it('uses the older label when no port fits at the newer one', () => {
    const strange = [{ port: 1 }, { port: 2 }]
    assert.deepEqual(namespaces(service('new', NAMED, strange), service('old', { app: 'grafana' }, http)), ['old'])
  })

  it('finds nothing only by name or only by port', () => {
    assert.deepEqual(namespaces(service('a', {}, http), service('b', { app: 'grafana-agent' }, http)), [])
  })

  describe('by an annotation', () => {
    const annotated = (one: Service, value: string): Service => ({
      ...one,
      metadata: { ...one.metadata, annotations: { [ADDON_ANNOTATION]: value } },
    })

    it('finds a Service without any known label', () => {
      assert.equal(ADDON_ANNOTATION, 'kubectl-telemetry/addon')
      assert.deepEqual(namespaces(annotated(service('a', { team: 'x' }, http), 'grafana')), ['a'])
    })

    it('prefers it to labels', () => {
      const said = annotated(service('a', {}, http), 'grafana')
      assert.deepEqual(
        findAddon(GRAFANA, [service('a', NAMED, http), said]).map((one) => one.service),
        [said],
      )
    })

    it('does not affect another namespace', () => {
      const labelled = service('labelled', NAMED, http)
      const said = annotated(service('said', {}, http), 'grafana')
      assert.deepEqual(namespaces(labelled, said), ['labelled', 'said'])
    })

    it('ignores the annotation of another add-on', () => {
      assert.deepEqual(namespaces(annotated(service('a', {}, http), 'kiali')), [])
    })

    it('still requires a known port', () => {
      const strange = annotated(service('said', {}, [{ port: 1 }]), 'grafana')
      assert.deepEqual(namespaces(strange), [])
      assert.deepEqual(namespaces(strange, service('labelled', NAMED, http)), ['labelled'])
    })
  })

  describe('by the selector', () => {
    const selecting = (namespace: string, selector: Record<string, string>, clusterIP = '10.96.0.9'): Service => {
      const one = service(namespace, {}, http)
      return { ...one, spec: { ...one.spec, selector, clusterIP } }
    }

    it('finds a Service that has no label of its own', () => {
      assert.deepEqual(namespaces(selecting('a', { ...NAMED, 'app.kubernetes.io/instance': 'x' })), ['a'])
    })

    it('finds nothing when one label is on the Service and the other in its selector', () => {
      const half = service('a', { 'app.kubernetes.io/name': 'prometheus' }, [{ port: 9090 }])
      const split = { ...half, spec: { ...half.spec, selector: { 'app.kubernetes.io/component': 'server' } } }
      assert.deepEqual(findAddon(addon('prometheus'), [split]), [])
    })

    it('treats several Services of the same pods as one, the first', () => {
      const [first, second] = [service('a', NAMED, http), service('a', NAMED, [{ port: 80, targetPort: 3000 }])]
      assert.deepEqual(findAddon(GRAFANA, [first, second]), [
        { addon: GRAFANA, service: first, namespace: 'a', port: 3000 },
      ])
    })

    it('prefers a Service with an address to a headless one', () => {
      const [headless, usual] = [selecting('a', NAMED, 'None'), selecting('a', NAMED)]
      assert.deepEqual(
        findAddon(GRAFANA, [headless, usual]).map((one) => one.service),
        [usual],
      )
      assert.deepEqual(namespaces(headless), ['a'])
    })

    it('ignores the order of a selector', () => {
      const [one, two] = [selecting('a', { ...NAMED, tier: 'x' }), selecting('a', { tier: 'x', ...NAMED })]
      assert.deepEqual(namespaces(one, two), ['a'])
    })

    it('distinguishes Services that lead to different pods', () => {
      assert.deepEqual(namespaces(selecting('a', NAMED), selecting('a', { ...NAMED, tier: 'x' })), ['a', 'a'])
      assert.deepEqual(namespaces(selecting('a', NAMED), selecting('b', NAMED)), ['a', 'b'])
    })
  })
})
