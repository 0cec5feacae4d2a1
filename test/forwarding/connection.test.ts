import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { kubeletFrame } from '../fakes/fake-kubelet.ts'
import { eventually, settle } from '../fakes/fake-timers.ts'
import { arrived, forwarded, GET, leavesNothing, opened, over, start } from './carrying.ts'

describe('carry', () => {
  leavesNothing()

  it("ends the client's side when the pod ends, and keeps the other direction open", async () => {
    const client = await start()
    await client.send(GET)
    await arrived(GET)
    forwarded.route.kubelet.send(kubeletFrame.data(3, 'bye', true), kubeletFrame.data(1, '', true))
    await eventually(() => client.isEnded)
    await client.send(GET)
    await arrived(`${GET}${GET}`)
    client.socket.end()
    await over(client)
    const [one] = await opened()
    assert.deepEqual([one?.fin, one?.reset, client.error], [true, false, undefined])
    assert.deepEqual(forwarded.done, [{ up: 2 * GET.length, down: 3 }])
  })

  it("ends the pod's side when the client ends, and keeps the other direction open", async () => {
    const client = await start()
    client.socket.end(GET)
    await eventually(() => forwarded.route.kubelets[0]?.opened[0]?.fin === true)
    forwarded.route.kubelet.send(kubeletFrame.data(3, 'late reply'))
    await eventually(() => client.text === 'late reply')
    assert.equal(client.isEnded, false)
    forwarded.route.kubelet.send(kubeletFrame.data(3, '', true), kubeletFrame.data(1, '', true))
    await over(client)
    assert.equal((await opened())[0]?.reset, false)
  })

  for (const text of ['', 'GET / HT', 'a']) {
    it(`passes on the end of a client that has sent ${JSON.stringify(text)}`, async () => {
      const client = await start()
      client.socket.end(text)
      await eventually(() => forwarded.route.kubelets[0]?.opened[0]?.fin === true)
      assert.equal((await opened())[0]?.text, text)
    })
  }

  it('passes a reset of the server on, to that client only', async () => {
    const client = await start()
    await client.send(GET)
    await arrived(GET)
    const other = await forwarded.client()
    await other.send(GET)
    await opened(2)
    forwarded.route.kubelet.send(
      kubeletFrame.data(3, 'half', true),
      kubeletFrame.data(1, 'read: connection reset by peer', true),
    )
    await over(client)
    forwarded.route.kubelet.send(kubeletFrame.data(7, 'whole'))
    await eventually(() => other.text === 'whole')
    assert.deepEqual([client.error, other.error, forwarded.route.distrusted], ['ECONNRESET', undefined, []])
  })

  it('passes a reset of the client on as RST_STREAM', async () => {
    const client = await start()
    await client.send(GET)
    await arrived(GET)
    client.socket.resetAndDestroy()
    await eventually(() => forwarded.done.length === 1)
    await eventually(() => forwarded.route.kubelet.opened[0]?.reset === true)
  })

  it('lets a slow client read the rest when the tunnel breaks after the end', async () => {
    const client = await start()
    client.socket.pause()
    await client.send(GET)
    await arrived(GET)
    const body = Buffer.alloc(8 * 1024 * 1024, 'z')
    for (let at = 0; at < body.length; at += 65_536)
      forwarded.route.kubelet.send(kubeletFrame.data(3, body.subarray(at, at + 65_536)))
    forwarded.route.kubelet.send(kubeletFrame.data(3, '', true), kubeletFrame.data(1, '', true))
    await settle(20)
    client.socket.resume()
    await eventually(() => forwarded.locals[0]?.writableEnded === true)
    forwarded.route.kubelet.drop()
    await eventually(() => client.isEnded || client.error !== undefined)
    assert.deepEqual([client.length, client.error], [body.length, undefined])
  })

  it('reads no faster from the pod than the client does, within 1 MiB', async () => {
    await start()
    const client = await forwarded.client(false)
    client.socket.pause()
    await client.send(GET)
    await arrived(GET)
    const total = 48 * 1024 * 1024
    const chunk = kubeletFrame.data(3, Buffer.alloc(65_536, 'y'))
    for (let sent = 0; sent < total; sent += 65_536) forwarded.route.kubelet.send(chunk)
    await eventually(() => forwarded.route.session?.blocked === true)
    await settle(20)
    const buffered = forwarded.locals[0]?.writableLength ?? 0
    assert.ok(buffered < 1024 * 1024, `${buffered} bytes`)
    assert.ok(forwarded.route.kubelet.unread > 16 * 1024 * 1024)
    client.socket.resume()
    await eventually(() => client.length === total)
    assert.equal(forwarded.route.session?.blocked, false)
  })

  it('keeps reading for others when a slow client has read everything and stays', async () => {
    await start()
    const client = await forwarded.client(false)
    client.socket.pause()
    await client.send(GET)
    await arrived(GET)
    const body = Buffer.alloc(16 * 1024 * 1024, 'v')
    // The end comes in one piece with bytes that do not fit.
    const last = [
      kubeletFrame.data(3, body.subarray(1)),
      kubeletFrame.data(3, 'v', true),
      kubeletFrame.data(1, '', true),
    ]
    forwarded.route.kubelet.send(Buffer.concat(last))
    await eventually(() => forwarded.route.session?.blocked === true)
    client.socket.resume()
    await eventually(() => client.isEnded && client.length === body.length)
    await eventually(() => forwarded.route.session?.blocked === false)
    client.socket.end()
  })

  it('reads no faster from the client than the pod does, within 1 MiB', async () => {
    const client = await start()
    await client.send(GET.replace('GET', 'PUT'))
    await opened()
    forwarded.route.kubelet.stopReading()
    const body = Buffer.alloc(24 * 1024 * 1024, 'w')
    await client.send(body)
    await eventually(() => forwarded.locals[0]?.isPaused() === true)
    await settle(20)
    const buffered = forwarded.route.kubelet.upgraded.socket.writableLength
    assert.ok(buffered < 1024 * 1024, `${buffered} bytes`)
    assert.equal(forwarded.route.session?.blocked, true)
    forwarded.route.kubelet.resumeReading()
    await eventually(
      () => client.socket.writableLength === 0 && forwarded.locals[0]?.bytesRead === GET.length + body.length,
    )
    await eventually(() => forwarded.route.session?.blocked === false)
  })

  it('leaves no timer, listener or stream behind after 300 different connections', async () => {
    await start()
    for (let round = 0; round < 300; round++) {
      const client = await forwarded.client()
      await client.send(GET)
      if (round % 3 === 0) client.socket.resetAndDestroy()
      else if (round % 3 === 1) client.socket.end()
      else client.socket.destroy()
    }
    await eventually(() => forwarded.route.kubelet.opened.length > 150)
    const all = forwarded.route.kubelet.opened
    for (const { data, error } of all)
      forwarded.route.kubelet.send(kubeletFrame.data(data, '', true), kubeletFrame.data(error, '', true))
    forwarded.close()
    await eventually(() => forwarded.done.length === 301)
  })
})
