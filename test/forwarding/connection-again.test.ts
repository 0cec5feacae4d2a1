import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { kubeletFrame } from '../fakes/fake-kubelet.ts'
import { eventually, settle } from '../fakes/fake-timers.ts'
import { arrived, forwarded, GET, leavesNothing, opened, over, POST, REFUSED, start } from './carrying.ts'

describe('carry, retrying', () => {
  leavesNothing()

  it('sends the first bytes to the next session when the pod refused the connection', async () => {
    const client = await start()
    const begun = POST.replace('Length: 1', 'Length: 5')
    await client.send(begun)
    await arrived(begun)
    forwarded.route.kubelet.send(kubeletFrame.data(3, '', true), kubeletFrame.data(1, REFUSED, true))
    await eventually(() => forwarded.route.distrusted.length === 1)
    await client.send('more')
    await forwarded.timers.pass(50)
    await eventually(
      () => forwarded.route.kubelets.length === 2 && forwarded.route.kubelet.opened[0]?.text === `${begun}more`,
    )
    forwarded.route.kubelet.send(kubeletFrame.data(3, 'HTTP/1.1 200 OK'))
    await eventually(() => client.text === 'HTTP/1.1 200 OK')
    assert.equal(forwarded.route.distrusted.length, 1)
  })

  it('repeats the end of the client to the next session', async () => {
    const client = await start()
    client.socket.end(GET)
    await eventually(() => forwarded.route.kubelets[0]?.opened[0]?.fin === true)
    forwarded.route.kubelet.send(kubeletFrame.data(1, REFUSED, true))
    await settle()
    await forwarded.timers.pass(50)
    const [, second] = await opened(2)
    assert.deepEqual([second?.text, second?.fin], [GET, true])
  })

  for (const [text, what, count] of [
    [GET, 'goes elsewhere when its tunnel falls silent', 2],
    ['', 'moves when its tunnel falls silent', 2],
    [POST, 'stays when it may have been carried out', 1],
  ] as const) {
    it(`${JSON.stringify(text.slice(0, 4))} ${what}`, async () => {
      const client = await start()
      await client.send(text)
      if (text === '') await forwarded.timers.pass(30)
      await opened()
      const [dead] = forwarded.route.kubelets
      const first = forwarded.route.session
      assert.ok(dead && first)
      await settle()
      dead.replies = false
      first.question()
      // So that the route opens another session.
      first.retire()
      await forwarded.timers.pass(650)
      assert.ok(forwarded.route.doubts > 0)
      assert.equal((await opened(count)).length, count)
      forwarded.route.kubelet.send(kubeletFrame.data(3, 'late or new', true), kubeletFrame.data(1, '', true))
      await eventually(() => client.text === 'late or new')
      client.socket.destroy()
      dead.drop()
    })
  }

  for (const [text, how, again] of [
    [GET, 'ends', true],
    ['', 'ends', true],
    [POST, 'ends', false],
    [GET, 'says nothing', true],
    [POST, 'says nothing', false],
  ] as const) {
    it(`${again ? 'moves' : 'does not move'} ${JSON.stringify(text.slice(0, 4))} when a terminating pod ${how}`, async () => {
      const client = await start()
      await client.send(text)
      if (text === '') await forwarded.timers.pass(30)
      else await arrived(text)
      await opened()
      const [pod] = forwarded.route.kubelets
      forwarded.route.session?.retire()
      if (how === 'ends') pod?.send(kubeletFrame.data(3, '', true), kubeletFrame.data(1, '', true))
      else forwarded.route.session?.leave()
      await settle()
      await forwarded.timers.pass(50)
      assert.equal((await opened(again ? 2 : 1)).length, again ? 2 : 1)
      forwarded.route.kubelet.send(kubeletFrame.data(3, 'answer', true), kubeletFrame.data(1, '', true))
      await eventually(() => client.text === (again || how !== 'ends' ? 'answer' : ''))
      client.socket.destroy()
    })
  }

  for (const [text, how, times] of [
    [GET, 'resets', 2],
    [GET, 'ends', 2],
    [POST, 'resets', 1],
    [POST, 'ends', 1],
    ['SET a 1\r\n', 'resets', 1],
    ['SET a 1\r\n', 'ends', 1],
  ] as const) {
    it(`sends ${JSON.stringify(text.slice(0, 4))} ${times === 1 ? 'once' : 'twice'} to a server that ${how} without an answer`, async () => {
      const client = await start()
      await client.send(text)
      await arrived(text)
      for (let time = 1; time <= times; time++) {
        const all = await opened(time)
        await eventually(() => all[time - 1]?.text === text)
        const [data, error] = [4 * (time - 1) + 3, 4 * (time - 1) + 1]
        const why = how === 'resets' ? 'read: connection reset by peer' : ''
        forwarded.route.kubelet.send(kubeletFrame.data(data, '', true), kubeletFrame.data(error, why, true))
        await settle()
        if (time < times) assert.deepEqual([client.isEnded, client.isClosed], [false, false])
        await forwarded.timers.pass(50)
      }
      await eventually(() => client.isEnded || client.isClosed)
      client.socket.end()
      await over(client)
      assert.deepEqual([client.error, client.text], [how === 'resets' ? 'ECONNRESET' : undefined, ''])
      assert.equal((await opened()).length, times)
      assert.deepEqual(forwarded.route.distrusted, [])
    })
  }

  it('does not move an answer that has begun', async () => {
    const client = await start()
    await client.send(GET)
    await opened()
    forwarded.route.kubelet.send(kubeletFrame.data(3, 'half'))
    await eventually(() => client.text === 'half')
    forwarded.route.session?.retire()
    forwarded.route.session?.leave()
    forwarded.route.kubelet.send(kubeletFrame.data(3, ' and half', true), kubeletFrame.data(1, '', true))
    await eventually(() => client.text === 'half and half' && client.isEnded)
    client.socket.end()
    await over(client)
    assert.equal((await opened()).length, 1)
  })

  it('the page says why the cluster cannot be reached', async () => {
    const client = await start({ wait: 60 })
    forwarded.route.isEmpty = true
    forwarded.route.trouble = 'the API server is gone'
    await client.send(GET)
    await eventually(() => forwarded.route.waiting === 1)
    await forwarded.timers.pass(60)
    await eventually(() => client.isEnded)
    client.socket.end()
    await over(client)
    assert.match(client.text, /^HTTP\/1.1 502 .*no pod of grafana answered within 0.06 s: the API server is gone\n$/s)
  })

  for (const [hasPods, later, said] of [
    [false, '', 'grafana had no Ready pod within 0.06 s'],
    [true, '', 'no pod of grafana answered within 0.06 s'],
    [true, 'the API server was gone', 'no pod of grafana answered within 0.06 s: the API server was gone'],
  ] as const) {
    it(`the page says "${said}" when the wait ends just before a connection gets through`, async () => {
      const client = await start({ wait: 60 })
      forwarded.route.isEmpty = true
      forwarded.route.hasPods = hasPods
      forwarded.route.trouble = later
      await client.send(GET)
      await eventually(() => forwarded.route.waiting === 1)
      forwarded.route.trouble = ''
      await forwarded.timers.pass(60)
      await eventually(() => client.isEnded)
      client.socket.end()
      await over(client)
      assert.match(client.text, new RegExp(`: ${said}\n$`))
    })
  }

  it('makes longer and longer pauses', async () => {
    const client = await start({ wait: 100_000 })
    await client.send(GET)
    for (const [attempt, pause] of [50, 100, 200, 400, 400, 400].entries()) {
      await opened(attempt + 1)
      forwarded.route.kubelet.send(kubeletFrame.data(1, REFUSED, true))
      await settle()
      await forwarded.timers.pass(pause - 1)
      assert.equal((await opened(attempt + 1)).length, attempt + 1)
      await forwarded.timers.pass(1)
    }
  })

  it('the page says why no pod answered in time', async () => {
    const client = await start({ wait: 60 })
    await client.send(GET)
    for (let attempt = 1; attempt <= 2; attempt++) {
      await opened(attempt)
      forwarded.route.kubelet.send(kubeletFrame.data(1, REFUSED, true))
      await settle()
      await forwarded.timers.pass(60)
    }
    await eventually(() => client.isEnded)
    assert.match(client.text, /^HTTP\/1\.1 502 .*no pod of grafana answered within 0\.06 s: failed to connect/s)
  })

  const lost: [string, string, boolean][] = [
    ['a GET', GET, true],
    ['nothing at all', '', true],
    ['half a head, which was held back', 'GET / HT', true],
    ['a POST, which may have been served', POST, false],
    ['something that is not HTTP', 'SET a 1\r\n', false],
  ]
  for (const [name, text, again] of lost) {
    it(`${again ? 'repeats' : 'does not repeat'} ${name} when the tunnel is lost before any answer`, async () => {
      const client = await start()
      await forwarded.timers.pass(30)
      await opened()
      if (text !== '') await client.send(text)
      await eventually(() => forwarded.locals[0]?.bytesRead === text.length)
      await settle()
      forwarded.route.kubelet.drop()
      await settle()
      await forwarded.timers.pass(50)
      if (again) {
        await eventually(() => forwarded.route.kubelets.length === 2)
        await opened(2)
        assert.equal(client.error, undefined)
      } else {
        await over(client)
        assert.deepEqual([client.error, forwarded.route.kubelets.length], ['ECONNRESET', 1])
      }
      assert.deepEqual(forwarded.route.distrusted, [])
    })
  }

  it('waits for the next pod as long as a new connection does, when a long poll is cut', async () => {
    const client = await start()
    await client.send(GET)
    await arrived(GET)
    await forwarded.timers.pass(60_000)
    forwarded.route.isEmpty = true
    forwarded.route.kubelet.drop()
    await settle()
    await forwarded.timers.pass(5_000)
    forwarded.route.ready()
    await opened(2)
    assert.equal(client.isEnded, false)
  })

  it('resets a connection that has got a part of the answer', async () => {
    const client = await start()
    await client.send(GET)
    await arrived(GET)
    forwarded.route.kubelet.send(kubeletFrame.data(3, 'HTTP/1.1 200 OK\r\n'))
    await eventually(() => client.text !== '')
    forwarded.route.kubelet.drop()
    await over(client)
    assert.deepEqual([client.error, forwarded.route.kubelets.length], ['ECONNRESET', 1])
  })

  it('resets a connection whose request is too long to keep', async () => {
    const client = await start()
    const head = 'PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65536\r\n\r\n'
    await client.send(head, Buffer.alloc(64 * 1024, 'x'))
    await eventually(() => forwarded.route.kubelets[0]?.opened[0]?.text.length === head.length + 64 * 1024)
    forwarded.route.kubelet.send(kubeletFrame.data(1, REFUSED, true))
    await over(client)
    assert.deepEqual([client.error, forwarded.route.kubelets.length], ['ECONNRESET', 1])
  })

  it('keeps at most 64 KiB', async () => {
    const client = await start()
    const head = GET.replace('\r\n\r\n', '\r\nContent-Length: 65536\r\n\r\n')
    const text = head + 'x'.repeat(64 * 1024 - head.length)
    await client.send(text)
    await arrived(text)
    forwarded.route.kubelet.send(kubeletFrame.data(1, REFUSED, true))
    await settle()
    await forwarded.timers.pass(50)
    await eventually(() => forwarded.route.kubelets[1]?.opened[0]?.text === text)
  })
})

describe('carry without a pod', () => {
  leavesNothing()

  it('holds the connection until there is a pod, and loses no byte', async () => {
    const client = await start()
    forwarded.route.isEmpty = true
    await client.send(GET)
    await eventually(() => forwarded.route.waiting === 1)
    await forwarded.timers.pass(9_000)
    assert.equal(client.text, '')
    forwarded.route.ready()
    await arrived(GET)
  })

  it('answers HTTP with a page when there is no pod in time', async () => {
    const client = await start()
    forwarded.route.isEmpty = true
    await client.send(GET)
    await eventually(() => forwarded.route.waiting === 1)
    await forwarded.timers.pass(10_000)
    await eventually(() => client.isEnded)
    assert.match(
      client.text,
      /^HTTP\/1\.1 502 Bad Gateway\r\n.*Connection: close\r\n\r\n.*grafana had no Ready pod within 10 s\n$/s,
    )
    client.socket.end()
    await over(client)
  })

  it('resets a client that does not speak HTTP', async () => {
    const client = await start()
    forwarded.route.isEmpty = true
    await client.send('\0\0')
    await eventually(() => forwarded.route.waiting === 1)
    await forwarded.timers.pass(10_000)
    await over(client)
    assert.equal(client.error, 'ECONNRESET')
  })

  it('forgets a client that goes away', async () => {
    const client = await start()
    forwarded.route.isEmpty = true
    await client.send(GET)
    await eventually(() => forwarded.route.waiting === 1)
    client.socket.resetAndDestroy()
    await eventually(() => forwarded.done.length === 1 && forwarded.route.waiting === 0)
  })

  it('reads at most 192 KiB from the client before there is a pod', async () => {
    const client = await start()
    forwarded.route.isEmpty = true
    const body = Buffer.alloc(8 * 1024 * 1024, 'abcdefghijklmnopqrstuvwxyz')
    const head = `PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`
    await client.send(head, body)
    await eventually(() => forwarded.locals[0]?.isPaused() === true)
    await settle(20)
    assert.ok((forwarded.locals[0]?.bytesRead ?? 0) <= 192 * 1024, `${forwarded.locals[0]?.bytesRead} bytes`)
    forwarded.route.ready()
    await eventually(() => forwarded.route.kubelets[0]?.opened[0]?.text.length === head.length + body.length)
    assert.ok(forwarded.route.kubelet.opened[0]?.text === head + body.toString('latin1'))
  })
})
