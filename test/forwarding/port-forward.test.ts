import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { requireAddons } from '../../src/addons/catalog.ts'
import { UserError } from '../../src/errors.ts'
import { endpoint, slice } from '../fakes/fake-slices.ts'
import { settle } from '../fakes/fake-timers.ts'
import { kiali } from '../fakes/mesh.ts'
import { assertOver, CLOSED, line, NAMED, OPEN, run, started } from './forwarded.ts'

describe('port-forward', () => {
  it('listens at the usual port, and reports the URL and the pod', async () => {
    const world = await started()
    assert.deepEqual(world.events.map(line), OPEN)
    assert.deepEqual([...world.listener.open.keys()], [3000])
    assert.equal(world.cluster.asked[0]?.labels, 'kubernetes.io/service-name=grafana')
    world.ending.abort()
    await settle()
    assert.deepEqual([world.result, world.events.map(line).at(-1)], ['interrupted 0', CLOSED])
    assertOver(world)
  })

  it('opens a port for each add-on, with the path of its page', async () => {
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

  for (const [reach, addresses] of Object.entries({ loopback: ['127.0.0.1'], network: ['0.0.0.0'] }))
    it(`reports a path of the configuration that is not plain, and uses / instead: ${reach}`, async () => {
      const config = 'auth:\n  strategy: token\nserver:\n  web_root: /$(id)/\n'
      const world = await started({ addons: requireAddons(['kiali']), addresses }, kiali('istio-system', config))
      assert.equal(world.events[0]?.url, 'http://localhost:20001/')
      assert.deepEqual(
        world.warnings.map(({ code, severity }) => `${severity} ${code}`),
        ['warns PATH_UNUSABLE'],
      )
      assert.match(
        world.warnings[0]?.message ?? '',
        /Kiali in namespace istio-system .* not a plain one: "\/\$\(id\)\/"/,
      )
      world.ending.abort()
      await settle()
      assertOver(world)
    })

  it('reports nothing about a plain path', async () => {
    const world = await started({ addons: requireAddons(['kiali']) }, kiali())
    assert.deepEqual([world.events[0]?.url, world.warnings], ['http://localhost:20001/kiali/', []])
    world.ending.abort()
    await settle()
    assertOver(world)
  })

  describe('before the path of the page is known', () => {
    const kialiSlice = slice('kiali-x', [endpoint('k')], [{ name: 'http', port: 20001 }])
    Object.assign(kialiSlice.metadata, {
      namespace: 'istio-system',
      labels: { 'kubernetes.io/service-name': 'kiali' },
    })
    const begun = async () => {
      const world = run({ addons: requireAddons(['kiali']) }, [...kiali(), kialiSlice])
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      world.cluster.slices = []
      world.cluster.delays.set('pods', promise)
      world.start()
      await settle(12)
      return { world, resolve, reject }
    }

    it('reaches a pod from its slice and listens, and reports both afterwards', async () => {
      const { world, resolve } = await begun()
      assert.deepEqual(
        [world.cluster.kubelets[0]?.pod, [...world.listener.open.keys()], world.events],
        ['k', [20001], []],
      )
      resolve()
      await settle(12)
      assert.deepEqual(world.events.map(line), [
        'listening kiali http://localhost:20001/kiali/',
        'connected kiali http://localhost:20001/kiali/ k',
      ])
      world.ending.abort()
      await settle()
      assertOver(world)
    })

    it('ends when the path cannot be read', async () => {
      const { world, reject } = await begun()
      reject(new UserError('SERVER_FAILED', 'no pods today'))
      await settle(12)
      assert.deepEqual([world.error?.code, world.events], ['SERVER_FAILED', []])
      assertOver(world)
    })

    it('ends on Ctrl-C', async () => {
      const { world } = await begun()
      world.ending.abort()
      await settle(12)
      assert.deepEqual([world.error?.code, world.events], ['INTERRUPTED', []])
      assertOver(world)
    })
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
      world.listener.localAddresses = addresses
      world.start()
      await settle(12)
      assert.equal(world.events[0]?.url, url)
    })
  }

  it('ends after --for', async () => {
    const world = await started({ duration: 1_800_000 })
    await world.timers.pass(1_799_999)
    assert.equal(world.result, '')
    await world.timers.pass(1)
    assert.equal(world.result, 'ended 0')
    assertOver(world)
  })

  it('does not end at once with --for of a month', async () => {
    const world = await started({ duration: 30 * 24 * 3_600_000, addons: requireAddons(['grafana']) })
    assert.equal(world.result, '')
    world.ending.abort()
    await settle()
    assertOver(world)
  })

  it('counts as interrupted when no pod was reached', async () => {
    const world = run()
    world.cluster.slices = []
    world.start()
    await settle(12)
    world.ending.abort()
    await settle()
    assert.deepEqual([world.error?.code, world.error?.exitCode], ['INTERRUPTED', 130])
    assertOver(world)
  })

  it('can be interrupted while it reads the cluster', async () => {
    const world = run()
    world.cluster.list = () => new Promise(() => {})
    world.start()
    await settle()
    world.ending.abort()
    await settle()
    assert.equal(world.error?.exitCode, 130)
    assert.deepEqual(world.events, [])
  })

  it('reports each change of the pods once', async () => {
    const world = await started()
    world.cluster.change(slice('a', [endpoint('p', { ready: false })], NAMED))
    await settle()
    world.cluster.change(slice('a', [endpoint('q')], NAMED))
    await settle(12)
    const said = world.events.slice(2).map(({ event, pod }) => [event, pod].filter(Boolean).join(' '))
    assert.deepEqual(said, ['waiting', 'connected q'])
  })

  it('survives a lost API server', async () => {
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

  it('does not end with --exit-on-loss when the pod terminates or the watch ends', async () => {
    const world = await started({ exitOnLoss: true })
    world.cluster.unreachable.set('q', new UserError('NOT_FOUND', 'pods "q" not found'))
    world.cluster.change(slice('a', [endpoint('q')], NAMED))
    await world.timers.pass(1_000)
    world.cluster.watches[0]?.end()
    await world.timers.pass(1_000)
    assert.deepEqual([world.result, world.cluster.startedWatches], ['', 2])
  })

  for (const [what, refuse] of [
    ['to watch', (world: ReturnType<typeof run>, error: Error) => world.cluster.refusals.push(error)],
    ['to forward', (world: ReturnType<typeof run>, error: Error) => world.cluster.unreachable.set('p', error)],
  ] as const) {
    it(`ends without the permission ${what}`, async () => {
      const world = run()
      refuse(world, new UserError('FORBIDDEN', 'may not'))
      world.start()
      await settle(12)
      assert.equal(world.error?.code, 'FORBIDDEN')
      assertOver(world)
    })
  }

  it('keeps running when a permission is removed later', async () => {
    const world = await started()
    world.cluster.unreachable.set('q', new UserError('FORBIDDEN', 'not any more'))
    world.cluster.change(slice('a', [endpoint('q')], NAMED))
    await world.timers.pass(5_000)
    assert.deepEqual([world.error, world.result, world.events.at(-1)?.event], [undefined, '', 'lost'])
  })

  it('closes the first port when the second cannot be opened', async () => {
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
    const received = () => world.cluster.kubelets[0]?.kubelet.received ?? []
    const before = received().length
    await world.timers.pass(20_000)
    assert.deepEqual(received().slice(before), [{ frame: 'ping', id: 1 }])
  })
})

describe('port-forward on an address of the network', () => {
  it('warns about add-ons that let anyone in, before it listens', async () => {
    const { warnings } = await started({ addons: { names: ['grafana'], named: true }, addresses: ['0.0.0.0'] })
    assert.deepEqual(
      warnings.map(({ code }) => code),
      ['ADDRESS_OPEN'],
    )
    assert.match(warnings[0]?.message ?? '', /^Grafana lets anyone in as Admin, and 0\.0\.0\.0 can be reached/)
  })

  it('does not warn at loopback addresses', async () => {
    assert.deepEqual((await started({ addons: { names: ['grafana'], named: true } })).warnings, [])
  })

  it('opens each page once, when it first has a pod', async () => {
    const world = await started({ addons: requireAddons(['grafana', 'kiali']), open: true })
    assert.deepEqual(world.opened.sort(), ['http://localhost:20001/kiali/', 'http://localhost:3000/'])
    world.cluster.change(slice('a', [endpoint('q')], NAMED))
    await settle(12)
    assert.deepEqual(
      world.events
        .filter(({ pod }) => pod === 'q')
        .map(({ addon }) => addon)
        .sort(),
      ['grafana', 'kiali'],
    )
    assert.equal(world.opened.length, 2)
    world.ending.abort()
    await settle()
    assertOver(world)
  })

  it('opens pages only with --open, and warns once without a browser', async () => {
    assert.deepEqual((await started()).opened, [])
    const world = run({ addons: requireAddons(['grafana', 'kiali']), open: true })
    world.noBrowser = 'this is an SSH session'
    world.start()
    await settle(12)
    assert.deepEqual(world.warnings, [
      {
        code: 'BROWSER_NOT_OPENED',
        severity: 'notes',
        message: 'could not open the browser: this is an SSH session',
        remedies: [
          'open http://localhost:3000/ yourself; on another machine first run: ssh -L 3000:localhost:3000 THIS_MACHINE',
        ],
      },
    ])
  })

  it('reports traffic only when the numbers change', async () => {
    const world = run()
    world.watched = true
    world.start()
    await world.timers.pass(1_000)
    await world.timers.pass(5_000)
    assert.deepEqual(world.traffic, [{ open: 0, connections: 0, up: 0, down: 0, reconnects: 0 }])
  })
})
