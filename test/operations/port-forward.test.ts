import assert from 'node:assert/strict'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { describe, it } from 'mocha'
import { requireAddons } from '../../src/addons/catalog.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import {
  type ForwardEvent,
  type PortForwardRequest,
  portForward,
  succeeded,
} from '../../src/operations/port-forward.ts'
import { says } from '../fakes/fake-kubelet.ts'
import { FakeListener } from '../fakes/fake-listener.ts'
import { endpoint, FakeWatchCluster, slice } from '../fakes/fake-slices.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { eventually, FakeTimers, settle } from '../fakes/fake-timers.ts'
import { grafana, kiali, service } from '../fakes/mesh.ts'

const request: PortForwardRequest = {
  addons: requireAddons(['grafana']),
  ports: [],
  addresses: ['127.0.0.1', '::1'],
  wait: 10_000,
  exitOnLoss: false,
}
const SHOP = service(
  'default',
  'shop',
  {},
  {
    ports: [
      { name: 'http', port: 80 },
      { name: 'grpc', port: 9000 },
    ],
  },
)
const NAMED = [
  { name: 'service', port: 3000 },
  { name: 'http', port: 8080 },
  { name: 'grpc', port: 9000 },
]

function run(changes: Partial<PortForwardRequest> = {}, objects: KubeObject[] = [...grafana(), ...kiali(), SHOP]) {
  const cluster = new FakeWatchCluster(objects)
  cluster.slices = [slice('a', [endpoint('p')], NAMED)]
  const world = {
    cluster,
    listener: new FakeListener(),
    timers: new FakeTimers(),
    events: [] as ForwardEvent[],
    ending: new AbortController(),
    result: '' as string,
    error: undefined as UserError | undefined,
    start: () => {},
  }
  world.start = () => {
    const needs = { cluster, terminal: new FakeTerminal(), random: () => new Uint8Array([255]) }
    const tell = (event: ForwardEvent) => world.events.push(event)
    const { listener, timers, ending } = world
    void portForward({ ...request, ...changes }, needs, { listener, timers, signal: ending.signal, tell }).then(
      (result) => {
        world.result = `${result.outcome} ${succeeded(result) ? 0 : 1}`
      },
      (error) => {
        world.error = error
      },
    )
  }
  return world
}

async function started(...of: Parameters<typeof run>) {
  const world = run(...of)
  world.start()
  await settle(12)
  return world
}

const line = ({ event, addon, url, pod, reason }: ForwardEvent) =>
  [event, addon, url, pod, reason].filter(Boolean).join(' ')
const OPEN = ['listening grafana http://localhost:3000/', 'connected grafana http://localhost:3000/ p']
const CLOSED = 'closed grafana http://localhost:3000/'

/** Nothing is left: no port, no watch, no timer, no tunnel. */
function assertOver({ cluster, listener, timers }: ReturnType<typeof run>): void {
  assert.deepEqual([listener.open.size, cluster.watches.length, timers.pending], [0, 0, 0])
  assert.ok(cluster.kubelets.every(({ kubelet }) => kubelet.upgraded.socket.destroyed))
}

describe('port-forward', () => {
  it('listens at the usual port and says where, and to which pod it leads', async () => {
    const world = await started()
    assert.deepEqual(world.events.map(line), OPEN)
    assert.deepEqual([...world.listener.open.keys()], [3000])
    assert.equal(world.cluster.asked[0]?.labels, 'kubernetes.io/service-name=grafana')
    world.ending.abort()
    await settle()
    assert.deepEqual([world.result, world.events.map(line).at(-1)], ['interrupted 0', CLOSED])
    assertOver(world)
  })

  it('has a port for each add-on, with the path of its page', async () => {
    const world = await started({
      addons: requireAddons(['grafana', 'kiali']),
      ports: [{ addon: 'kiali', port: 8080 }],
    })
    const urls = world.events.filter(({ event }) => event === 'listening').map(({ addon, url }) => `${addon} ${url}`)
    assert.deepEqual(urls, ['grafana http://localhost:3000/', 'kiali http://localhost:8080/kiali/'])
    world.ending.abort()
    await settle()
    assertOver(world)
  })

  const urls: [string[], string][] = [
    [['0.0.0.0'], 'http://localhost:3000/'],
    [['::'], 'http://localhost:3000/'],
    [['::1'], 'http://localhost:3000/'],
    [['127.0.0.2'], 'http://127.0.0.2:3000/'],
    [['192.0.2.7'], 'http://192.0.2.7:3000/'],
    [['2001:db8::1'], 'http://[2001:db8::1]:3000/'],
  ]
  for (const [addresses, url] of urls) {
    it(`names ${url} for --address ${addresses.join(' ')}`, async () => {
      const world = run({ addresses })
      world.listener.here = addresses
      world.start()
      await settle(12)
      assert.equal(world.events[0]?.url, url)
    })
  }

  it('ends by itself', async () => {
    const world = await started({ duration: 1_800_000 })
    await world.timers.pass(1_799_999)
    assert.equal(world.result, '')
    await world.timers.pass(1)
    assert.equal(world.result, 'ended 0')
    assertOver(world)
  })

  it('does not end at once when it is to end in a month', async () => {
    const world = await started({ duration: 30 * 24 * 3_600_000, addons: requireAddons(['grafana']) })
    assert.equal(world.result, '')
    world.ending.abort()
    await settle()
    assertOver(world)
  })

  it('counts as interrupted when it never served', async () => {
    const world = run()
    world.cluster.slices = []
    world.start()
    await settle(12)
    world.ending.abort()
    await settle()
    assert.deepEqual([world.error?.code, world.error?.exitCode], ['INTERRUPTED', 130])
    assertOver(world)
  })

  it('is interrupted while it still reads the cluster', async () => {
    const world = run()
    world.cluster.list = () => new Promise(() => {})
    world.start()
    await settle()
    world.ending.abort()
    await settle()
    assert.equal(world.error?.exitCode, 130)
    assert.deepEqual(world.events, [])
  })

  it('says what becomes of the pods, once for each change', async () => {
    const world = await started()
    world.cluster.change(slice('a', [endpoint('p', { ready: false })], NAMED))
    await settle()
    world.cluster.change(slice('a', [endpoint('q')], NAMED))
    await settle(12)
    const said = world.events.slice(2).map(({ event, pod }) => [event, pod].filter(Boolean).join(' '))
    assert.deepEqual(said, ['waiting', 'connected q'])
  })

  it('outlives the API server', async () => {
    const world = await started()
    for (let count = 0; count < 5; count++) world.cluster.refusals.push(new UserError('CLUSTER_UNREACHABLE', 'refused'))
    world.cluster.watches[0]?.fail(new Error('hung up'))
    await world.timers.pass(60_000)
    assert.deepEqual([world.result, world.cluster.watches.length, world.listener.open.size], ['', 1, 1])
    assert.deepEqual(
      world.events.slice(2).map(({ event }) => event),
      ['lost'],
    )
  })

  it('ends with --exit-on-loss when the watch breaks', async () => {
    const world = await started({ exitOnLoss: true })
    world.cluster.watches[0]?.fail(new Error('hung up'))
    await settle()
    assert.equal(world.result, 'lost 1')
    assert.deepEqual(world.events.slice(2).map(line), ['lost grafana http://localhost:3000/ hung up', CLOSED])
    assertOver(world)
  })

  it('does not end with --exit-on-loss when the pod goes or the watch is over', async () => {
    const world = await started({ exitOnLoss: true })
    world.cluster.unreachable.set('q', new UserError('NOT_FOUND', 'pods "q" not found'))
    world.cluster.change(slice('a', [endpoint('q')], NAMED))
    await world.timers.pass(1_000)
    world.cluster.watches[0]?.end()
    await world.timers.pass(1_000)
    assert.deepEqual([world.result, world.cluster.begun], ['', 2])
  })

  for (const [what, refuse] of [
    ['to watch', (world: ReturnType<typeof run>, error: Error) => world.cluster.refusals.push(error)],
    ['to forward', (world: ReturnType<typeof run>, error: Error) => world.cluster.unreachable.set('p', error)],
  ] as const) {
    it(`ends when it is not allowed ${what}`, async () => {
      const world = run()
      refuse(world, new UserError('FORBIDDEN', 'may not'))
      world.start()
      await settle(12)
      assert.equal(world.error?.code, 'FORBIDDEN')
      assertOver(world)
    })
  }

  it('goes on when it is not allowed any more', async () => {
    const world = await started()
    world.cluster.unreachable.set('q', new UserError('FORBIDDEN', 'not any more'))
    world.cluster.change(slice('a', [endpoint('q')], NAMED))
    await world.timers.pass(5_000)
    assert.deepEqual([world.error, world.result, world.events.at(-1)?.event], [undefined, '', 'lost'])
  })

  it('leaves nothing behind when the second port cannot be had', async () => {
    const ports = [
      { addon: 'grafana', port: 3001 },
      { addon: 'kiali', port: 3001 },
    ]
    const world = await started({ addons: requireAddons(['grafana', 'kiali']), ports })
    assert.equal(world.error?.code, 'PORT_TAKEN')
    await settle()
    assertOver(world)
  })

  it('keeps idle tunnels alive', async () => {
    const world = await started()
    await world.timers.pass(20_000)
    assert.deepEqual(world.cluster.kubelets[0]?.kubelet.heard, [{ frame: 'ping', id: 1 }])
  })
})

describe('port-forward of any Service', () => {
  const shop = (port?: number) => ({ service: { name: 'shop', port }, namespace: 'default' })

  it('leads to its first port, or to the one that was named', async () => {
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
      'a Service that there is not',
      { service: { name: 'shpo' }, namespace: 'default' },
      'SERVICE_NOT_FOUND',
      /no Service shpo in namespace default/,
    ],
    ['a port that it has not', shop(81), 'PORT_MISSING', /no port 81; it has 80, 9000/],
    ['one without ports', { service: { name: 'bare' }, namespace: 'default' }, 'PORT_MISSING', /bare has no ports$/],
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

  it('carries a real connection, and cuts it by a reset at the end', async () => {
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
    one?.kubelet.say(says.data(one.data, 'half of it'))
    await eventually(() => seen.text === 'half of it')
    world.ending.abort()
    await eventually(() => client.destroyed)
    assert.deepEqual([seen.error, world.result], ['ECONNRESET', 'interrupted 0'])
    server.close()
    assertOver(world)
  })
})
