import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'mocha'

const RESET = new URL('../../src/forwarding/reset.ts', import.meta.url).href

describe('reset', () => {
  it('lets the process end, also when the socket was being ended to a client that does not read', () => {
    const script = `
      import { connect, createServer } from 'node:net'
      import { reset } from '${RESET}'
      const server = createServer((socket) => {
        socket.on('error', () => {})
        socket.end(Buffer.alloc(64 * 1024 * 1024))
        setTimeout(() => { reset(socket); server.close(); client.destroy() }, 50)
      })
      let client
      server.listen(0, '127.0.0.1', () => {
        client = connect(server.address().port, '127.0.0.1').pause()
        client.on('error', () => {})
      })`
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      timeout: 5_000,
      encoding: 'utf8',
    })
    assert.equal(status, 0, stderr)
  })
})
