import assert from 'node:assert/strict'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { describe, it } from 'mocha'
import { StreamDuplex } from '../../../src/forwarding/tunnel/stream-duplex.ts'
import { kubeletFrame } from '../../fakes/fake-kubelet.ts'
import { tunnel } from './tunnelled.ts'

const [ERROR, DATA] = [1, 3]

describe('StreamDuplex', () => {
  it('carries bytes both ways, and ends', async () => {
    const { kubelet, session } = tunnel()
    const socket = new StreamDuplex(session)
    const answer = text(socket)
    const finished = once(socket, 'finish')
    socket.end('GET /')
    await finished
    kubelet.send(kubeletFrame.data(DATA, 'a'), kubeletFrame.data(DATA, 'b', true), kubeletFrame.data(ERROR, '', true))
    assert.equal(await answer, 'ab')
    assert.deepEqual([kubelet.opened[0]?.text, kubelet.opened[0]?.fin], ['GET /', true])
  })

  it("fails with the reason from the pod's side", async () => {
    const { kubelet, session } = tunnel()
    const socket = new StreamDuplex(session)
    kubelet.send(kubeletFrame.data(ERROR, 'connection refused', true))
    const [error] = (await once(socket, 'error')) as [Error]
    assert.equal(error.message, 'connection refused')
  })

  it('closes the connection when it is destroyed', async () => {
    const { session } = tunnel()
    const socket = new StreamDuplex(session)
    assert.equal(session.load, 1)
    socket.destroy()
    await once(socket, 'close')
    assert.equal(session.load, 0)
  })
})
