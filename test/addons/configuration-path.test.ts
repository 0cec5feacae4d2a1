import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { readPath, unusablePath } from '../../src/addons/configuration.ts'
import type { ConfigMap, Pod } from '../../src/cluster/objects.ts'
import { addon, configMap, pod, podOf } from './addon-objects.ts'

const yaml = (text: string) => [configMap({ 'config.yaml': text })]
const webRoot = (root: string) => yaml(`server:\n  port: 20001\n  web_root: ${root}\n`)
const started = (...args: string[]) => podOf([{ name: 'prometheus', args }])
const basePath = (path: string) => yaml(`extensions:\n  jaeger_query:\n    base_path: ${path}\n`)

describe('readPath', () => {
  const cases: [string, string, Pod[], ConfigMap[] | undefined, string][] = [
    ["Kiali's sample", 'kiali', [pod([{}])], webRoot('/kiali'), '/kiali/'],
    ['another root of Kiali', 'kiali', [pod([{}])], webRoot('/ui/mesh'), '/ui/mesh/'],
    ['a root with slashes all around', 'kiali', [pod([{}])], webRoot('//mesh//'), '/mesh/'],
    ['a root without slashes', 'kiali', [pod([{}])], webRoot('mesh'), '/mesh/'],
    ['Kiali at the root', 'kiali', [pod([{}])], webRoot('/'), '/'],
    ['Kiali with an empty root', 'kiali', [pod([{}])], webRoot('""'), '/'],
    ['Kiali without a root of its own', 'kiali', [pod([{}])], yaml('server:\n  port: 20001\n'), '/kiali/'],
    ['Kiali with nothing where the root would be', 'kiali', [pod([{}])], webRoot(''), '/kiali/'],
    ['Kiali when its ConfigMaps could not be read', 'kiali', [pod([{}])], undefined, '/kiali/'],
    ['Kiali without pods', 'kiali', [], webRoot('/ui'), '/kiali/'],
    ["Jaeger 2, Istio's sample", 'jaeger', [pod([{}])], basePath('/jaeger'), '/jaeger/'],
    ['Jaeger 2 without a base path', 'jaeger', [pod([{}])], yaml('extensions:\n  jaeger_query: {}\n'), '/'],
    ['Jaeger 1, by its variable', 'jaeger', [pod([{ QUERY_BASE_PATH: '/traces' }])], undefined, '/traces/'],
    ['the variable before the file', 'jaeger', [pod([{ QUERY_BASE_PATH: '/v1' }])], basePath('/v2'), '/v1/'],
    ['Jaeger without any configuration', 'jaeger', [pod([{}])], [], '/'],
    ['Grafana, which has no setting we know', 'grafana', [pod([{}])], webRoot('/x'), '/'],
    ['Prometheus', 'prometheus', [pod([{}])], [], '/'],
    ['Prometheus below a path', 'prometheus', [started('--web.route-prefix=/prom')], [], '/prom/'],
    ['its flag in two words', 'prometheus', [started('--web.route-prefix', 'prom')], [], '/prom/'],
    ['the path of its external URL', 'prometheus', [started('--web.external-url=https://x.test/a/b/')], [], '/a/b/'],
    ['an external URL without a path', 'prometheus', [started('--web.external-url=https://x.test')], [], '/'],
    [
      'its route prefix before its external URL',
      'prometheus',
      [started('--web.external-url=http://x.test/prom', '--web.route-prefix=/')],
      [],
      '/',
    ],
    ['a prefix that a variable gives', 'prometheus', [started('--web.route-prefix=$(PREFIX)')], [], '/'],
    ['a prefix with more than a path', 'prometheus', [started('--web.route-prefix=/.*')], [], '/'],
    ['Zipkin', 'zipkin', [pod([{}])], [], '/zipkin/'],
    ['SkyWalking', 'skywalking', [], undefined, '/'],
  ]
  for (const [name, title, pods, configMaps, expected] of cases) {
    it(`is ${expected} for ${name}`, () => assert.equal(readPath(addon(title), pods, configMaps), expected))
  }

  it('is the default when the source of the variable is not read', () => {
    const env = [{ name: 'QUERY_BASE_PATH', valueFrom: { secretKeyRef: {} } }]
    assert.equal(readPath(addon('jaeger'), [podOf([{ name: 'jaeger', env }])], basePath('/jaeger')), '/')
  })
  for (const root of ['/$(id)/', '/a/../b', '/a?b', '/x’; calc; ‘', '/%2e%2e/', '/a b', '/a\\tb']) {
    it(`is / where the configuration has ${root}`, () => {
      const maps = webRoot(JSON.stringify(root))
      assert.equal(readPath(addon('kiali'), [pod([{}])], maps), '/')
      assert.notEqual(unusablePath(addon('kiali'), [pod([{}])], maps), undefined)
    })
  }
})
