import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { Traffic } from '../../src/forwarding/traffic-counter.ts'

describe('Traffic', () => {
  it('counts what is open and what is over', () => {
    const traffic = new Traffic()
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

  it('counts a pod of an add-on that had one before', () => {
    const traffic = new Traffic()
    for (const addon of ['grafana', 'kiali', 'grafana', 'grafana']) traffic.connected(addon)
    assert.equal(traffic.report().reconnects, 2)
  })
})
