import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'mocha'

const RESET = new URL('../../src/forwarding/reset.ts', import.meta.url).href

describe('reset', () => {
  it('lets the process end, even when the socket was already ending', () => {
    // shutdown(2) takes a few ticks: each of them is tried.
    const script = `
      import { connect, createServer } from 'node:net'
      import { reset } from '${RESET}'
      const later = (ticks, act) => (ticks === 0 ? act() : process.nextTick(() => later(ticks - 1, act)))
      let open = 12
      const server = createServer((socket) => {
        const ticks = --open
        socket.on('error', () => {}).end()
        later(ticks, () => reset(socket))
        if (open === 0) server.close()
      })
      server.listen(0, '127.0.0.1', () => {
        for (let count = 0; count < 12; count++)
          connect(server.address().port, '127.0.0.1').on('error', () => {}).resume()
      })`
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      timeout: 5_000,
      encoding: 'utf8',
    })
    assert.equal(status, 0, stderr)
  })
})
