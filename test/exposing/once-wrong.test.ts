// Faults that readers of the code found, one test each.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { describe, it } from 'mocha'
import { requireAddons, rowsOf } from '../../src/addons/catalog.ts'
import { readAccess, readPath } from '../../src/addons/configuration.ts'
import { ADDON_ANNOTATION, findAddon } from '../../src/addons/find.ts'
import { cleanup } from '../../src/cleaning/cleanup.ts'
import type { Service } from '../../src/cluster/objects.ts'
import { expose } from '../../src/exposing/expose.ts'
import { addon, configMap, pod, podOf } from '../addons/addon-objects.ts'
import { JAEGER, ZIPKIN } from '../addons/istio-samples.ts'
import { ApiServer } from '../cluster/api-server.ts'
import { Clients } from '../cluster/clients.ts'
import { grafana, ingressGateway, kiali } from '../fakes/mesh.ts'
import { find, fullMesh, gatewayHosts, request, requestFor, world } from './exposing.ts'

const DAY = 24 * 3_600_000
const withoutGrafana = { addons: requireAddons(['grafana']), yes: true, dryRun: 'none' as const }

describe('faults that were found and fixed', () => {
  for (const [setting, via] of [
    ['proxy-url', 'kubeconfig'],
    ['HTTPS_PROXY', 'environment'],
  ] as const) {
    it(`several groups reach the server as several through a proxy (${via})`, async () => {
      const [server, clients] = [await ApiServer.start(), await Clients.create()]
      const proxy = createServer().on('connect', (request, socket, head) => {
        const [host = '', port] = (request.url ?? '').split(':')
        const upstream = connect(Number(port), host, () => {
          socket.write('HTTP/1.1 200 OK\r\n\r\n')
          upstream.write(head)
          upstream.pipe(socket).pipe(upstream)
        })
        for (const end of [upstream, socket]) end.on('error', () => {})
      })
      await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
      const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
      try {
        const requests = await clients.requests(server, {
          config: via === 'kubeconfig' ? { cluster: { [setting]: url } } : {},
          options: {
            impersonate: { user: 'paul', groups: ['a', 'b'] },
            environment: via === 'environment' ? { [setting]: url } : {},
          },
        })
        await requests.send({ method: 'GET', path: '/x', what: 'x' })
        assert.deepEqual(server.asked[0]?.headers['impersonate-group'], ['a', 'b'])
      } finally {
        await clients.close()
        await server.close()
        proxy.close()
      }
    })
  }

  for (const value of ['true;who', 'true#who', 't', 'T', 'y', '$' + '{ANON}']) {
    it(`Grafana does not count as one with a login for enabled = ${value}`, () => {
      const file = [configMap({ 'grafana.ini': `[auth.anonymous]\nenabled = ${value}\n` })]
      assert.notEqual(readAccess(addon('grafana'), [pod([{}])], file).kind, 'login')
    })
  }

  it('an empty variable of Grafana does not hide the file', () => {
    const file = [configMap({ 'grafana.ini': '[auth.anonymous]\nenabled = true\n' })]
    assert.equal(readAccess(addon('grafana'), [pod([{ GF_AUTH_ANONYMOUS_ENABLED: '' }])], file).kind, 'anonymous')
  })

  it('an expression in a variable of Grafana is unknown', () => {
    const one = pod([{ GF_AUTH_ANONYMOUS_ENABLED: '$__file{/etc/x}' }])
    assert.equal(readAccess(addon('grafana'), [one], []).kind, 'unknown')
  })

  const said = (service: Service): Service => ({
    ...service,
    metadata: { ...service.metadata, annotations: { [ADDON_ANNOTATION]: 'tracing' } },
  })
  const tracing = (services: Service[]) =>
    rowsOf('tracing')
      .flatMap((row) => findAddon(row, services))
      .map((one) => `${one.addon.title} ${one.service.metadata.name}`)

  it('the annotation that ADDON_AMBIGUOUS suggests resolves it', () => {
    const zipkin = ZIPKIN.map((one) => ({ ...one, metadata: { ...one.metadata, name: `z-${one.metadata.name}` } }))
    const jaeger = JAEGER.map((one) => (one.metadata.name === 'tracing' ? said(one) : one))
    assert.deepEqual(tracing([...jaeger, ...zipkin]), ['Jaeger tracing'])
  })

  it('one annotated Service is one add-on', () => {
    const [zipkin] = ZIPKIN
    assert.ok(zipkin)
    assert.deepEqual(tracing([said(zipkin)]), ['Zipkin tracing'])
  })

  it('Jaeger is found by its page whatever the order of its Services', () => {
    assert.deepEqual(tracing([...JAEGER].reverse()), ['Jaeger tracing'])
  })

  it('an expired CA does not prevent cleanup', async () => {
    const one = fullMesh()
    await expose(requestFor('grafana', 'kiali'), one)
    await one.clock.sleep(3_651 * DAY)
    assert.equal((await cleanup(withoutGrafana, one)).outcome, 'applied')
  })

  it('the warning is correct when the Secret was deleted', async () => {
    const one = fullMesh()
    await expose(requestFor('grafana', 'kiali'), one)
    one.cluster.objects.splice(one.cluster.objects.indexOf(find(one.cluster, 'Secret')), 1)
    const { warnings } = await cleanup(withoutGrafana, one)
    assert.ok(warnings.every(({ message }) => !message.includes('is not on this machine')))
  })

  it('a domain below the nip.io name of the same address stays in use', async () => {
    const one = fullMesh()
    await expose({ ...requestFor('grafana'), domain: 'mesh.192.0.2.10.nip.io' }, one)
    await expose(requestFor('kiali'), one)
    assert.deepEqual(gatewayHosts(one.cluster), ['grafana.mesh.192.0.2.10.nip.io', 'kiali.mesh.192.0.2.10.nip.io'])
  })

  it('nothing changes the second time, not even in the last month of a CA', async () => {
    const one = fullMesh()
    await expose(requestFor('grafana'), one)
    await one.clock.sleep(3_640 * DAY)
    await expose(requestFor('grafana'), one)
    const { result } = await expose(requestFor('grafana'), one)
    assert.deepEqual(new Set(result.objects.map(({ action }) => action)), new Set(['unchanged']))
  })

  it('the reported access is the most open one', async () => {
    const one = world([...grafana().slice(0, 1), ...kiali(), ...ingressGateway()])
    assert.equal((await expose(requestFor('grafana', 'kiali'), one)).result.access.kind, 'anonymous')
  })

  it("variables in bulk do not hide Jaeger's base path", () => {
    const file = [configMap({ 'config.yaml': 'extensions: {jaeger_query: {base_path: /jaeger}}' })]
    assert.equal(readPath(addon('jaeger'), [podOf([{ name: 'j', envFrom: [{}] }])], file), '/jaeger/')
  })
})

describe('expose while another run deletes its Secret', () => {
  it('writes it again before it succeeds', async () => {
    const one = fullMesh()
    await expose(requestFor('kiali'), one)
    one.cluster.afterNextWrite = (objects) =>
      objects.splice(
        objects.findIndex(({ kind }) => kind === 'Secret'),
        1,
      )
    const { result } = await expose(request, one)
    assert.equal(result.outcome, 'applied')
    assert.ok(one.cluster.objects.some(({ kind }) => kind === 'Secret'))
  })
})
