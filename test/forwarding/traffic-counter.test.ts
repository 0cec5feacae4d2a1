import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { TrafficCounter } from '../../src/forwarding/traffic-counter.ts'

describe('TrafficCounter', () => {
  it('counts open and ended connections', () => {
    const traffic = new TrafficCounter()
    const first = traffic.begin()
    const second = traffic.begin()
    first.up += 10
    second.down += 5
    assert.deepEqual(traffic.report(), { open: 2, connections: 2, up: 10, down: 5, reconnects: 0 })
    traffic.end(first)
    second.down += 5
    assert.deepEqual(traffic.report(), { open: 1, connections: 2, up: 10, down: 10, reconnects: 0 })
    assert.deepEqual([first.number, second.number], [1, 2])
  })

  it('counts a reconnect when an add-on gets a second pod', () => {
    const traffic = new TrafficCounter()
    for (const addon of ['grafana', 'kiali', 'grafana', 'grafana']) traffic.connected(addon)
    assert.equal(traffic.report().reconnects, 2)
  })
})
