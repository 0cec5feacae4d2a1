/** Routes and Gateways with our names and labels that somebody has changed: nothing in them gives rights. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { cleanup } from '../../../src/cleaning/cleanup.ts'
import type { KubeObject } from '../../../src/cluster/cluster.ts'
import { expose } from '../../../src/exposing/expose.ts'
import { exposedRoutes } from '../../../src/gateways/exposed-routes.ts'
import { domainOfHosts, layoutInUse } from '../../../src/gateways/layout.ts'
import { whyNotExposing } from '../../../src/gateways/made-by-exposing.ts'
import { NO_PATH, pathIn, virtualService } from '../../../src/manifests/virtual-service.ts'
import { status } from '../../../src/status/status.ts'
import type { FakeWorld } from '../../fakes/fake-world.ts'
import { find, requestFor, written } from '../exposing.ts'
import { application, codesOf, requestForServices, SHOP, serversOf, shopMesh } from './services.ts'

const NAME = 'productpage.bookinfo'
const own = requestForServices('productpage', { ports: [{ port: 666 }] })
const paths = requestForServices('productpage', { paths: ['/productpage', '/static/', '/a.b'] })

/** An object of ours, changed by somebody. */
function tamper({ cluster }: FakeWorld, kind: string, name: string, change: (text: string) => string): KubeObject {
  const object = find(cluster, kind, name)
  const index = cluster.objects.findIndex(({ metadata }) => metadata.uid === object.metadata.uid)
  const { metadata, spec } = JSON.parse(change(JSON.stringify(object)))
  const changed = { ...object, metadata, spec }
  cluster.objects.splice(index, 1, changed)
  return changed
}
const route = (one: FakeWorld) => exposedRoutes([find(one.cluster, 'VirtualService', NAME)])[0]
const http = (one: FakeWorld) =>
  JSON.stringify((find(one.cluster, 'VirtualService', NAME).spec as { http: object[] }).http)

describe('the annotation of a port of its own', () => {
  for (const value of ['HTTPS', 'true', '', 'http,https', '__proto__', '666'])
    it(`says nothing as ${JSON.stringify(value)}`, async () => {
      const one = shopMesh()
      await expose(own, one)
      tamper(one, 'VirtualService', NAME, (text) =>
        text.replace('"kubectl-telemetry/own-port":"https"', `"kubectl-telemetry/own-port":"${value}"`),
      )
      assert.equal(route(one)?.own, undefined)
      await expose(requestFor('grafana'), one)
      assert.equal(
        find(one.cluster, 'VirtualService', NAME).metadata.annotations?.['kubectl-telemetry/own-port'],
        undefined,
      )
      assert.ok(serversOf(one)[0]?.includes(SHOP), 'it is on the shared port again')
    })

  for (const port of [443, 80, 0, -1, 65_536, 1.5, 4_294_967_295])
    it(`says nothing for port ${port}`, async () => {
      const one = shopMesh()
      await expose(own, one)
      tamper(one, 'VirtualService', NAME, (text) => text.replaceAll('"port":666', `"port":${port}`))
      assert.equal(route(one)?.own, undefined)
      await expose(requestFor('grafana'), one)
      assert.equal(serversOf(one).length, 2)
    })
})

describe('a route for any host on the shared port', () => {
  it('is not one that exposing made, and the next run serves its host again', async () => {
    const one = shopMesh()
    await expose(requestForServices('productpage'), one)
    const changed = tamper(one, 'VirtualService', NAME, (text) => text.replaceAll(`"${SHOP}"`, '"*"'))
    assert.equal(whyNotExposing(changed, undefined), 'kubectl telemetry makes no host like "*"')
    await expose(requestFor('grafana'), one)
    assert.deepEqual((find(one.cluster, 'VirtualService', NAME).spec as { hosts: string[] }).hosts, [SHOP])
    assert.ok(serversOf(one).every((server) => !server.includes('*')))
  })

  it('is not believed in a Gateway, and is on a port of its own', async () => {
    const one = shopMesh()
    await expose(requestForServices('productpage'), one)
    const changed = tamper(one, 'Gateway', '', (text) => text.replaceAll(`"./${SHOP}"`, '"./*"'))
    assert.equal(whyNotExposing(changed, undefined), 'kubectl telemetry makes no host like "*"')
    const other = shopMesh()
    await expose({ ...own, insecure: true, anyHost: true }, other)
    for (const kind of ['Gateway', 'VirtualService'])
      assert.equal(whyNotExposing(find(other.cluster, kind), undefined), undefined)
  })

  it('with the annotation is not believed either, where one of its rules is for the shared port', async () => {
    const one = shopMesh()
    await expose({ ...own, insecure: true, anyHost: true }, one)
    const more = '"http":[{"match":[{"port":80}],"directResponse":{"status":200}},'
    const changed = tamper(one, 'VirtualService', NAME, (text) => text.replace('"http":[', more))
    assert.equal(whyNotExposing(changed, undefined), 'kubectl telemetry makes no host like "*"')
  })
})

describe('a route that is named for one Service and leads to another', () => {
  it('leads to its own again when it is written, and status names the Service of its name', async () => {
    const one = shopMesh(application('secrets', 'vault'))
    await expose(requestForServices('productpage'), one)
    tamper(one, 'VirtualService', NAME, (text) => text.replaceAll('productpage.bookinfo.svc.', 'secrets.vault.svc.'))
    assert.deepEqual(route(one)?.backend.service, 'secrets')
    const { services } = await status({ expiresIn: 0 }, one)
    assert.deepEqual(
      services.map(({ name, namespace }) => [name, namespace]),
      [['svc/productpage', 'bookinfo']],
    )
    const { result } = await expose({ ...requestFor('grafana'), domain: 'example.com' }, one)
    assert.deepEqual(codesOf(result), ['HOST_MOVED'])
    assert.ok(http(one).includes('productpage.bookinfo.svc.cluster.local') && !http(one).includes('vault'), http(one))
  })
})

describe('the paths of a route', () => {
  it('are read as they were written, and stay without the flag', async () => {
    const one = shopMesh()
    const { result } = await expose(paths, one)
    assert.deepEqual(route(one)?.backend.paths, ['/productpage', '/static/', '/a.b'])
    assert.deepEqual(result.exposures[0]?.paths, ['/productpage', '/static/', '/a.b'])
    assert.equal(result.exposures[0]?.url, `https://${SHOP}/productpage`)
    one.cluster.writes.length = 0
    await expose(requestForServices('productpage'), one)
    assert.deepEqual(written(one), [])
    await expose(requestForServices('productpage', { paths: ['/'] }), one)
    assert.equal(route(one)?.backend.paths, undefined)
    assert.ok(!http(one).includes('"status":404}},{"match":[{"port":443}'), http(one))
  })

  const others = [
    '{"regex":".*"}',
    '{"prefix":"/"}',
    '{"regex":"/static/.*"}',
    '{"exact":"/../admin"}',
    '{"exact":"/a?b"}',
    '{"regex":5}',
    '{}',
  ]
  for (const uri of others)
    it(`that somebody wrote as ${uri} open nothing`, async () => {
      const one = shopMesh()
      await expose(requestForServices('productpage', { paths: ['/productpage'] }), one)
      tamper(one, 'VirtualService', NAME, (text) => text.replace('{"exact":"/productpage"}', uri))
      assert.deepEqual(route(one)?.backend.paths, [NO_PATH])
      await expose({ ...requestFor('grafana'), domain: 'example.com' }, one)
      assert.ok(http(one).includes(`{"exact":"${NO_PATH}"}`), http(one))
      await expose(requestForServices('productpage', { domain: 'example.com' }), one)
      assert.ok(http(one).includes(`{"exact":"${NO_PATH}"}`), http(one))
      await expose(requestForServices('productpage', { domain: 'example.com', paths: ['/productpage'] }), one)
      assert.deepEqual(route(one)?.backend.paths, ['/productpage'])
    })

  /** What a route with `/static/` and `/page` lets through. JavaScript says the same as RE2 here. */
  const lets = (path: string) => {
    const resource = { group: 'networking.istio.io', version: 'v1', plural: 'virtualservices', kind: 'VirtualService' }
    const destination = { service: 'a', namespace: 'b', port: 80, clusterDomain: 'cluster.local' }
    const made = virtualService(resource, {
      namespace: 'x',
      addonName: 'a.b',
      host: 'h',
      port: 443,
      path: '/',
      paths: ['/static/', '/page'],
      destination,
    })
    const rules = (made.spec as { http: { match: { uri?: { exact?: string; regex?: string } }[]; route?: object }[] })
      .http
    const fits = ({ uri }: { uri?: { exact?: string; regex?: string } }) =>
      uri === undefined ||
      uri.exact === path ||
      (uri.regex !== undefined && new RegExp(`^(?:${uri.regex})$`).test(path))
    return rules.find(({ match }) => match.some(fits))?.route !== undefined
  }
  for (const path of [
    '/page',
    '/static/',
    '/static/a.css',
    '/static/a/b%20c',
    '/static/..a',
    '/static/a..',
    '/static/a;b=c',
    '/static/...',
    '/static/%41',
  ])
    it(`let ${path} through`, () => assert.ok(lets(path)))
  const refused = [
    ...['/', '/page/', '/pages', '/static', '/statics/a', '/Static/a', '/x/static/a'],
    ...['/static/..', '/static/../admin', '/static/a/../../admin', '/static/./a', '/static/.'],
    ...[
      '/static/%2e%2e/admin',
      '/static/%2E%2e',
      '/static/..%2fadmin',
      '/static/..%2Fadmin',
      '/static/%252e',
      '/static/a%5cb',
      '/static/a\\b',
      '/static/%',
      '/static/%zz',
    ],
    // Servers that take what follows a semicolon for a parameter resolve these.
    ...['/static/..;/admin', '/static/..;a=b/admin', '/static/.;/a', '/static/..;'],
  ]
  for (const path of refused) it(`refuse ${path}`, () => assert.ok(!lets(path)))

  it('are none in matches of others', () => {
    for (const uri of [undefined, {}, { exact: 5 }, { regex: '/a' }, { regex: '/a/.*' }, { regex: 5 }])
      assert.equal(pathIn(uri), undefined)
  })
})

describe('the domain of a Gateway with Services', () => {
  it('is the recorded one, if all hosts are below it', () => {
    assert.equal(domainOfHosts([SHOP, 'grafana.192.0.2.10.nip.io'], '192.0.2.10.nip.io'), '192.0.2.10.nip.io')
    assert.equal(domainOfHosts(['*'], 'example.com'), 'example.com')
  })

  for (const recorded of [
    'example.com',
    'nip.io',
    'bookinfo.192.0.2.10.nip.io',
    '',
    '*',
    '192.0.2.10',
    '../x',
    'EXAMPLE.com',
    'a'.repeat(300),
  ])
    it(`is not ${JSON.stringify(recorded.slice(0, 30))}, which somebody recorded`, () =>
      assert.equal(domainOfHosts([SHOP, 'grafana.192.0.2.10.nip.io'], recorded), undefined))

  it('of a Service called grafana in another namespace is that of all hosts', async () => {
    const one = shopMesh(application('grafana', 'tools'))
    await expose(requestForServices('grafana', { namespace: 'tools' }), one)
    await expose({ ...requestFor('grafana'), namespace: 'istio-system' }, one)
    const gateway = find(one.cluster, 'Gateway')
    assert.equal(gateway.metadata.annotations?.['kubectl-telemetry/domain'], '192.0.2.10.nip.io')
    assert.deepEqual(serversOf(one)[0], 'HTTPS 443 grafana.192.0.2.10.nip.io grafana.tools.192.0.2.10.nip.io')
    assert.deepEqual(layoutInUse(gateway), { name: 'hosts', secure: true })
    await expose({ ...requestFor('grafana'), namespace: 'istio-system', domain: 'example.com' }, one)
    assert.deepEqual(serversOf(one)[0], 'HTTPS 443 grafana.example.com grafana.tools.example.com')
    await cleanup({ addons: { names: ['grafana'], named: true }, yes: true, dryRun: 'none' }, one)
    assert.deepEqual(serversOf(one)[0], 'HTTPS 443 grafana.tools.example.com')
    await expose(requestForServices('productpage'), one)
    assert.deepEqual(serversOf(one)[0], 'HTTPS 443 grafana.tools.example.com productpage.bookinfo.example.com')
  })
})
