/** The scheme of the URL that port-forward shows (bug report C15). */
import assert from 'node:assert/strict'
import { connect, createServer } from 'node:net'
import { describe, it } from 'mocha'
import { requireAddons } from '../../src/addons/catalog.ts'
import { kubeletFrame, SPEAKS_HTTP, SPEAKS_HTTPS } from '../fakes/fake-kubelet.ts'
import { endpoint, slice } from '../fakes/fake-slices.ts'
import { eventually, settle } from '../fakes/fake-timers.ts'
import { kiali } from '../fakes/mesh.ts'
import { assertOver, line, NAMED, OPEN, run, started } from './forwarded.ts'

const GRAFANA = { addons: requireAddons(['grafana']), open: true }
const asked = (world: ReturnType<typeof run>) =>
  world.cluster.kubelets.flatMap(({ kubelet }) => kubelet.opened).filter(({ text }) => text.startsWith('HEAD / '))

async function answering(scheme: string | undefined, ...[changes, objects]: Parameters<typeof run>) {
  const world = run(changes, objects)
  world.cluster.scheme = scheme
  world.start()
  await settle(12)
  return world
}

describe('port-forward to an add-on that speaks HTTPS', () => {
  it('learns it from the answer of the first pod, before it shows or opens a page', async () => {
    const world = await answering(SPEAKS_HTTPS, GRAFANA)
    assert.deepEqual(world.events.map(line), [
      'listening grafana http://localhost:3000/',
      'connected grafana https://localhost:3000/ p',
    ])
    assert.deepEqual(world.opened, ['https://localhost:3000/'])
    world.cluster.change(slice('a', [endpoint('q')], NAMED))
    await settle(12)
    assert.equal(world.events.at(-1)?.url, 'https://localhost:3000/')
    assert.equal(asked(world).length, 1)
    world.ending.abort()
    await settle()
    assertOver(world)
  })

  const plain: [string, string][] = [
    ['a page', SPEAKS_HTTP],
    ['another 400', 'HTTP/1.1 400 Bad Request\r\n\r\nno such page'],
    ['what is not HTTP', '\u0015\u0003\u0001\u0000\u0002\u0002F'],
    ['the same words in a page', SPEAKS_HTTPS.replace('400 Bad Request', '200 OK')],
  ]
  for (const [what, answer] of plain)
    it(`stays with http after ${what}`, async () => {
      const world = await answering(answer, GRAFANA)
      assert.deepEqual(world.events.map(line), OPEN)
      assert.deepEqual(world.opened, ['http://localhost:3000/'])
    })

  it('waits no longer than a second for an answer', async () => {
    const world = await answering(undefined, GRAFANA)
    assert.deepEqual(world.events.map(line), OPEN.slice(0, 1))
    await world.timers.pass(1_000)
    assert.deepEqual(world.events.map(line), OPEN)
    world.ending.abort()
    await settle()
    assertOver(world)
  })

  it('tells of its end although the answer is awaited', async () => {
    const world = await answering(undefined, GRAFANA)
    world.ending.abort()
    await settle()
    assert.deepEqual(world.events.map(line), [...OPEN, 'closed grafana http://localhost:3000/'])
    assertOver(world)
  })

  it('knows it from the configuration, and asks nothing', async () => {
    const config = 'identity:\n  cert_file: /kiali-cert/tls.crt\n  private_key_file: /kiali-cert/tls.key\n'
    const world = await answering(SPEAKS_HTTP, { addons: requireAddons(['kiali']) }, kiali('istio-system', config))
    assert.deepEqual(world.events.map(line), [
      'listening kiali https://localhost:20001/kiali/',
      'connected kiali https://localhost:20001/kiali/ p',
    ])
    assert.deepEqual(asked(world), [])
  })
})

describe('port-forward to any Service that speaks HTTPS', () => {
  it('sends it nothing of its own, and says so once a request was refused', async () => {
    const world = await started({ service: { name: 'shop' }, namespace: 'default' })
    assert.deepEqual(asked(world), [])
    const server = createServer({ pauseOnConnect: true }, (socket) => world.listener.open.get(80)?.(socket))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    for (let time = 1; time <= 2; time++) {
      const client = connect((server.address() as { port: number }).port, '127.0.0.1')
      client.on('error', () => {}).resume()
      client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
      const connections = () =>
        world.cluster.kubelets.flatMap(({ kubelet }) => kubelet.opened.map((one) => ({ kubelet, ...one })))
      await eventually(() => connections().filter(({ text }) => text.startsWith('GET')).length === time)
      const one = connections().findLast(({ text }) => text.startsWith('GET'))
      one?.kubelet.send(kubeletFrame.data(one.data, SPEAKS_HTTPS, true), kubeletFrame.data(one.error, '', true))
      await eventually(() => client.closed)
    }
    assert.deepEqual(world.warnings, [
      {
        code: 'HTTPS_WANTED',
        severity: 'notes',
        message: 'Service default/shop speaks HTTPS: it refused a request for plain HTTP',
        remedies: ['open https://localhost:80/'],
      },
    ])
    world.cluster.change(slice('a', [endpoint('q')], NAMED))
    await settle(12)
    assert.equal(world.events.at(-1)?.url, 'https://localhost:80/')
    server.close()
    world.ending.abort()
    await settle()
  })
})
