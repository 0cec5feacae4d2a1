import assert from 'node:assert/strict'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { describe, it } from 'mocha'
import type { PortForwardRequest } from '../../src/forwarding/port-forward.ts'
import { kubeletFrame } from '../fakes/fake-kubelet.ts'
import { eventually } from '../fakes/fake-timers.ts'
import { service } from '../fakes/mesh.ts'
import { assertOver, line, SHOP, started } from './forwarded.ts'

describe('port-forward of any Service', () => {
  const shop = (port?: number) => ({ service: { name: 'shop', port }, namespace: 'default' })

  it('leads to the first port, or to the named one', async () => {
    const first = await started(shop())
    assert.deepEqual(first.events.map(line), [
      'listening shop http://localhost:80/',
      'connected shop http://localhost:80/ p',
    ])
    const named = await started(shop(9000))
    assert.equal(named.events[0]?.url, 'http://localhost:9000/')
  })

  const wrong: [string, Partial<PortForwardRequest>, string, RegExp][] = [
    [
      'an unknown Service',
      { service: { name: 'shpo' }, namespace: 'default' },
      'SERVICE_NOT_FOUND',
      /Service shpo not found in namespace default/,
    ],
    ['a port that the Service does not have', shop(81), 'PORT_MISSING', /no port 81; it has 80, 9000/],
    [
      'a Service without ports',
      { service: { name: 'bare' }, namespace: 'default' },
      'PORT_MISSING',
      /bare has no ports$/,
    ],
    [
      '-p for an add-on',
      { ...shop(), ports: [{ addon: 'grafana', port: 1 }] },
      'PORT_INVALID',
      /grafana is not forwarded/,
    ],
  ]
  for (const [name, changes, code, message] of wrong) {
    it(`refuses ${name}`, async () => {
      const world = await started(changes, [SHOP, service('default', 'bare', {}, {})])
      assert.equal(world.error?.code, code)
      assert.match(world.error?.message ?? '', message)
    })
  }

  it('carries a real connection, and resets it at the end', async () => {
    const world = await started(shop())
    const ends: Socket[] = []
    const server: Server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      ends.push(socket)
      world.listener.open.get(80)?.(socket)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const client = connect((server.address() as { port: number }).port, '127.0.0.1')
    const seen = { text: '', error: '' }
    client.on('data', (bytes) => {
      seen.text += String(bytes)
    })
    client.on('error', ({ code }: NodeJS.ErrnoException) => {
      seen.error = code ?? ''
    })
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const connections = () =>
      world.cluster.kubelets.flatMap(({ kubelet }) => kubelet.opened.map((one) => ({ kubelet, ...one })))
    await eventually(() => connections()[0]?.text.startsWith('GET') === true)
    const [one] = connections()
    assert.equal(one?.port, '8080')
    one?.kubelet.send(kubeletFrame.data(one.data, 'half of it'))
    await eventually(() => seen.text === 'half of it')
    world.ending.abort()
    await eventually(() => client.destroyed)
    assert.deepEqual([seen.error, world.result], ['ECONNRESET', 'interrupted 0'])
    const { milliseconds, ...report } = world.connections[0] ?? { milliseconds: -1 }
    assert.deepEqual([report, milliseconds >= 0], [{ addon: 'shop', number: 1, up: 35, down: 10 }, true])
    server.close()
    assertOver(world)
  })
})
