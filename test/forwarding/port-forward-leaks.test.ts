/** 5,000 connections and 100 pods, with real sockets and real timers: Node counts the same handles before and after. */
import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { connect } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import { describe, it } from 'mocha'
import { requireAddons } from '../../src/addons/catalog.ts'
import type { ForwardEvent } from '../../src/forwarding/event-reporter.ts'
import { portForward } from '../../src/forwarding/port-forward.ts'
import { TcpListener } from '../../src/forwarding/tcp-listener.ts'
import { endpoint, FakeWatchCluster, slice } from '../fakes/fake-slices.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { eventually } from '../fakes/fake-timers.ts'
import { freePort } from '../free-port.ts'
import { NAMED, SHOP } from './forwarded.ts'

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok'
const PODS = 100
const CONNECTIONS = 50

/** How many handles of each type keep the process alive. */
function resources(): Record<string, number> {
  const names = process.getActiveResourcesInfo().filter((name) => /Timeout|TCP|Immediate/.test(name))
  return Object.fromEntries(
    [...new Set(names)].sort().map((name) => [name, names.filter((one) => one === name).length]),
  )
}

describe('port-forward over a long time', () => {
  it('leaves no socket, timer or listener behind', async function () {
    this.timeout(60_000) // seconds on a machine that has nothing else to do
    const cluster = new FakeWatchCluster([SHOP])
    cluster.answer = ANSWER
    cluster.slices = [slice('a', [endpoint('pod-0')], NAMED)]
    const ending = new AbortController()
    const events: ForwardEvent[] = []
    const timers = {
      now: () => performance.now(),
      after: (milliseconds: number, act: () => void) => {
        const timer = setTimeout(act, milliseconds)
        return () => clearTimeout(timer)
      },
    }
    const port = await freePort()
    // By now Mocha has set its own timer.
    const outside = resources()
    const forwarded = portForward(
      {
        addons: requireAddons([]),
        service: { name: 'shop', port: 80 },
        namespace: 'default',
        ports: [{ port }],
        addresses: ['127.0.0.1'],
        wait: 10_000,
        exitOnLoss: false,
        open: false,
      },
      { cluster, terminal: new FakeTerminal(), random: () => new Uint8Array([255]) },
      {
        listener: new TcpListener(),
        timers,
        browser: { open: async () => undefined },
        signal: ending.signal,
      },
      { tell: (event) => events.push(event), warn: () => {}, tellConnection: () => {}, tellTraffic: () => {} },
    )
    const connected = () => events.filter(({ event }) => event === 'connected').length
    await eventually(() => connected() === 1)
    const settled = async () => {
      await new Promise((resolve) => setTimeout(resolve, 50))
      return { resources: resources(), listeners: getEventListeners(ending.signal, 'abort').length }
    }
    await Promise.all(Array.from({ length: CONNECTIONS }, () => get(port)))
    const before = await settled()
    for (let pod = 1; pod <= PODS; pod++) {
      cluster.change(slice('a', [endpoint(`pod-${pod}`)], NAMED))
      const answers = await Promise.all(Array.from({ length: CONNECTIONS }, () => get(port)))
      assert.deepEqual([...new Set(answers)], [ANSWER])
    }
    assert.equal(connected(), PODS + 1)
    assert.deepEqual(await settled(), before)
    ending.abort()
    await forwarded
    await eventually(() => isDeepStrictEqual(resources(), outside), 'nothing is left')
  })
})

async function get(port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  let text = ''
  for await (const bytes of socket) text += bytes
  return text
}
