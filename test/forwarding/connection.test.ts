import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'mocha'
import type { ConnectionOptions } from '../../src/forwarding/connection.ts'
import { says } from '../fakes/fake-kubelet.ts'
import { eventually, settle } from '../fakes/fake-timers.ts'
import { pieces, seeded } from '../fakes/random.ts'
import { type Client, Forwarded } from './local-client.ts'

const GET = 'GET / HTTP/1.1\r\nHost: localhost:3000\r\n\r\n'
const POST = 'POST / HTTP/1.1\r\nHost: localhost:3000\r\nContent-Length: 1\r\n\r\nx'
const EVIL = 'GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n'
const REFUSED = 'failed to connect to localhost:3000 inside namespace: connection refused'

let forwarded: Forwarded
const start = (options: Partial<ConnectionOptions> = {}) => {
  forwarded = new Forwarded(options)
  return forwarded.client()
}
/** What connections the pod has seen, once there are so many. */
async function opened(count = 1) {
  const all = () => forwarded.route.kubelets.flatMap(({ opened: one }) => one)
  await eventually(() => all().length >= count, `${count} connections`)
  return all()
}
/** What a client has sent has come as far as it comes. */
async function arrived(text: string): Promise<void> {
  await eventually(() => forwarded.route.kubelets.some(({ opened: all }) => all.some((one) => one.text === text)), text)
}
const over = (client: Client) => eventually(() => client.isClosed && forwarded.done.length > 0, 'it is over')

afterEach(async () => {
  forwarded.close()
  await eventually(() => forwarded.done.length === forwarded.locals.length, 'every connection is done')
  await settle()
  assert.deepEqual([forwarded.timers.pending, forwarded.route.waiting], [0, 0], 'nothing stays registered')
  assert.equal(forwarded.route.session?.load ?? 0, 0, 'no stream stays open')
})

describe('whom a local port serves', () => {
  const served = [
    'localhost:3000',
    'localhost',
    '127.0.0.1:3000',
    '127.0.0.1',
    '[::1]:3000',
    '[::1]',
    'LOCALHOST:1',
    'a.localhost:80',
    '192.168.1.2:3000',
  ]
  for (const host of served) {
    it(`serves ${host}`, async () => {
      const client = await start()
      await client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
      assert.match((await opened())[0]?.text ?? '', /^GET/)
    })
  }

  const foreign = [
    'evil.test',
    'evil.test:3000',
    'localhost.evil.test',
    '127.0.0.1.evil.test',
    '',
    'localhost@evil.test',
    '[::1].evil.test',
  ]
  for (const host of foreign) {
    it(`refuses ${JSON.stringify(host)} with a page`, async () => {
      const client = await start()
      await client.send(`GET / HTTP/1.1\r\nAccept: */*\r\nhOST:  ${host} \r\n\r\n`)
      await eventually(() => client.isEnded)
      assert.match(client.text, /^HTTP\/1\.1 403 Forbidden\r\n.*localhost only/s)
      const [, length] = /Content-Length: (\d+)\r\n/.exec(client.text) ?? []
      assert.equal(client.text.split('\r\n\r\n')[1]?.length, Number(length))
      client.socket.end()
      await over(client)
      assert.deepEqual(forwarded.route.kubelets, [])
    })
  }

  const alike: [string, string][] = [
    ['in a request of a made-up method', 'eViL-thing /api HTTP/1.1\r\nHost: evil.test\r\n\r\n'],
    ['of a long method', `${'A'.repeat(30)} / HTTP/1.1\r\nHost: evil.test\r\n\r\n`],
    ['with line feeds alone', 'GET / HTTP/1.1\nHost: evil.test\n\n'],
    ['behind 40 KiB of other headers', `GET / HTTP/1.1\r\nCookie: ${'x'.repeat(40_000)}\r\nHost: evil.test\r\n\r\n`],
  ]
  for (const [name, text] of alike) {
    it(`refuses a foreign host ${name}`, async () => {
      const client = await start()
      await client.send(text)
      await eventually(() => client.text.startsWith('HTTP/1.1 403'))
      assert.deepEqual(forwarded.route.kubelets, [])
    })
  }

  it('reads a head that comes in single bytes, and sends nothing before it has read it', async () => {
    const client = await start()
    await client.send(...pieces(Buffer.from(EVIL), seeded(1), 1))
    await eventually(() => client.isEnded)
    assert.match(client.text, /^HTTP\/1\.1 403/)
    assert.deepEqual(forwarded.route.kubelets, [])
    const other = await forwarded.client()
    await other.send(...pieces(Buffer.from(GET), seeded(2), 3))
    await arrived(GET)
  })

  it('refuses it too when the browser had connected ahead of its request', async () => {
    const client = await start()
    await forwarded.timers.pass(30)
    await opened()
    await client.send(EVIL.slice(0, 20), EVIL.slice(20))
    await eventually(() => client.isEnded)
    assert.match(client.text, /^HTTP\/1\.1 403/)
    assert.deepEqual(
      (await opened()).map(({ text, reset }) => [text, reset]),
      [['', true]],
    )
  })

  it('refuses it too while the connection waits for a pod', async () => {
    const client = await start()
    forwarded.route.isEmpty = true
    await forwarded.timers.pass(30)
    await client.send(EVIL)
    await eventually(() => client.isEnded)
    forwarded.route.ready()
    await settle()
    assert.match(client.text, /^HTTP\/1\.1 403/)
    assert.deepEqual(
      forwarded.route.kubelets.flatMap((kubelet) => kubelet.opened),
      [],
    )
  })

  it('gives the page to a client that is still sending', async () => {
    const client = await start()
    await client.send('POST / HTTP/1.1\r\nHost: evil.test\r\nContent-Length: 200000\r\n\r\n')
    await client.send(...Array<Buffer>(20).fill(Buffer.alloc(10_000, 'x')))
    await eventually(() => client.isEnded)
    assert.match(client.text, /^HTTP\/1\.1 403.*\n$/s)
    assert.equal(client.error, undefined)
    client.socket.end()
    await over(client)
  })

  it('does not wait for ever for a client that does not close after the page', async () => {
    const client = await start()
    await client.send(EVIL)
    await eventually(() => client.isEnded)
    assert.equal(forwarded.done.length, 0)
    await forwarded.timers.pass(2_000)
    await eventually(() => forwarded.done.length === 1)
  })

  it('serves anybody when the port was opened on purpose', async () => {
    const client = await start({ localHostsOnly: false })
    await client.send(EVIL)
    await arrived(EVIL)
  })

  const others: [string, string | Buffer][] = [
    ['TLS', Buffer.from('16030100c8010000c4', 'hex')],
    ['one line of another protocol', 'EHLO example.test\r\n'],
    ['a line that looks like a method', 'PING\r\n'],
    ['HTTP/2 without TLS', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['HTTP/1.0 without a host', 'GET / HTTP/1.0\r\n\r\n'],
    ['NUL', '\0'],
  ]
  for (const [name, bytes] of others) {
    it(`passes ${name} on as it is`, async () => {
      const client = await start()
      await client.send(bytes)
      await arrived(bytes.toString('latin1'))
    })
  }

  it('lets a server speak first', async () => {
    const client = await start()
    await forwarded.timers.pass(29)
    assert.deepEqual(forwarded.route.kubelets, [])
    await forwarded.timers.pass(1)
    const [{ data } = { data: 0 }] = await opened()
    forwarded.route.kubelet.say(says.data(data, '220 hello\r\n'))
    await eventually(() => client.text === '220 hello\r\n')
    await client.send('EH')
    await arrived('EH')
  })

  it('does not keep what was held back when the server speaks meanwhile', async () => {
    const client = await start()
    await forwarded.timers.pass(30)
    await opened()
    await client.send('half a li')
    await eventually(() => forwarded.locals[0]?.bytesRead === 9)
    forwarded.route.kubelet.say(says.data(3, 'x'))
    await arrived('half a li')
  })
})

describe('trying again', () => {
  it('sends the first bytes to the next session when the dial failed in the pod', async () => {
    const client = await start()
    await client.send(POST)
    await arrived(POST)
    forwarded.route.kubelet.say(says.data(3, '', true), says.data(1, REFUSED, true))
    await eventually(() => forwarded.route.distrusted.length === 1)
    await client.send('more')
    await forwarded.timers.pass(50)
    await eventually(
      () => forwarded.route.kubelets.length === 2 && forwarded.route.kubelet.opened[0]?.text === `${POST}more`,
    )
    forwarded.route.kubelet.say(says.data(3, 'HTTP/1.1 200 OK'))
    await eventually(() => client.text === 'HTTP/1.1 200 OK')
    assert.deepEqual(forwarded.route.distrusted, [REFUSED])
  })

  it('says an end that had been said before once more', async () => {
    const client = await start()
    client.socket.end(GET)
    await eventually(() => forwarded.route.kubelets[0]?.opened[0]?.fin === true)
    forwarded.route.kubelet.say(says.data(1, REFUSED, true))
    await settle()
    await forwarded.timers.pass(50)
    const [, second] = await opened(2)
    assert.deepEqual([second?.text, second?.fin], [GET, true])
  })

  it('takes longer and longer pauses', async () => {
    const client = await start({ wait: 100_000 })
    await client.send(GET)
    for (const [attempt, pause] of [50, 100, 200, 400, 400, 400].entries()) {
      await opened(attempt + 1)
      forwarded.route.kubelet.say(says.data(1, REFUSED, true))
      await settle()
      await forwarded.timers.pass(pause - 1)
      assert.equal((await opened(attempt + 1)).length, attempt + 1)
      await forwarded.timers.pass(1)
    }
  })

  it('says at the end of its patience why no pod answered', async () => {
    const client = await start({ wait: 60 })
    await client.send(GET)
    for (let attempt = 1; attempt <= 2; attempt++) {
      await opened(attempt)
      forwarded.route.kubelet.say(says.data(1, REFUSED, true))
      await settle()
      await forwarded.timers.pass(60)
    }
    await eventually(() => client.isEnded)
    assert.match(client.text, /^HTTP\/1\.1 502 .*no pod of grafana that answers within 0\.06 s: failed to connect/s)
  })

  const lost: [string, string, boolean][] = [
    ['a GET', GET, true],
    ['nothing at all', '', true],
    ['half a head, which had been held back', 'GET / HT', true],
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
      forwarded.route.kubelet.lose()
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
    forwarded.route.kubelet.lose()
    await settle()
    await forwarded.timers.pass(5_000)
    forwarded.route.ready()
    await opened(2)
    assert.equal(client.isEnded, false)
  })

  it('resets what has been answered already', async () => {
    const client = await start()
    await client.send(GET)
    await arrived(GET)
    forwarded.route.kubelet.say(says.data(3, 'HTTP/1.1 200 OK\r\n'))
    await eventually(() => client.text !== '')
    forwarded.route.kubelet.lose()
    await over(client)
    assert.deepEqual([client.error, forwarded.route.kubelets.length], ['ECONNRESET', 1])
  })

  it('resets what was too long to keep', async () => {
    const client = await start()
    const head = GET.replace('GET', 'PUT')
    await client.send(head, Buffer.alloc(64 * 1024, 'x'))
    await eventually(() => forwarded.route.kubelets[0]?.opened[0]?.text.length === head.length + 64 * 1024)
    forwarded.route.kubelet.say(says.data(1, REFUSED, true))
    await over(client)
    assert.deepEqual([client.error, forwarded.route.kubelets.length], ['ECONNRESET', 1])
  })

  it('keeps exactly 64 KiB', async () => {
    const client = await start()
    const text = GET + 'x'.repeat(64 * 1024 - GET.length)
    await client.send(text)
    await arrived(text)
    forwarded.route.kubelet.say(says.data(1, REFUSED, true))
    await settle()
    await forwarded.timers.pass(50)
    await eventually(() => forwarded.route.kubelets[1]?.opened[0]?.text === text)
  })
})

describe('without a pod', () => {
  it('holds the connection until there is one, and loses nothing', async () => {
    const client = await start()
    forwarded.route.isEmpty = true
    await client.send(GET)
    await eventually(() => forwarded.route.waiting === 1)
    await forwarded.timers.pass(9_000)
    assert.equal(client.text, '')
    forwarded.route.ready()
    await arrived(GET)
  })

  it('answers HTTP with a page when there is none in time', async () => {
    const client = await start()
    forwarded.route.isEmpty = true
    await client.send(GET)
    await eventually(() => forwarded.route.waiting === 1)
    await forwarded.timers.pass(10_000)
    await eventually(() => client.isEnded)
    assert.match(
      client.text,
      /^HTTP\/1\.1 502 Bad Gateway\r\n.*Connection: close\r\n\r\n.*no Ready pod of grafana within 10 s\n$/s,
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

  it('forgets a client that goes away meanwhile', async () => {
    const client = await start()
    forwarded.route.isEmpty = true
    await client.send(GET)
    await eventually(() => forwarded.route.waiting === 1)
    client.socket.resetAndDestroy()
    await eventually(() => forwarded.done.length === 1 && forwarded.route.waiting === 0)
  })

  it('takes no more than it has to before there is one: at most 192 KiB', async () => {
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

describe('what is carried', () => {
  it('ends the client when the pod ends, and goes on the other way', async () => {
    const client = await start()
    await client.send(GET)
    await arrived(GET)
    forwarded.route.kubelet.say(says.data(3, 'bye', true), says.data(1, '', true))
    await eventually(() => client.isEnded)
    await client.send('more')
    await arrived(`${GET}more`)
    client.socket.end()
    await over(client)
    const [one] = await opened()
    assert.deepEqual([one?.fin, one?.reset, client.error], [true, false, undefined])
    assert.deepEqual(forwarded.done, [{ up: GET.length + 4, down: 3 }])
  })

  it('ends the pod when the client ends, and goes on the other way', async () => {
    const client = await start()
    client.socket.end(GET)
    await eventually(() => forwarded.route.kubelets[0]?.opened[0]?.fin === true)
    forwarded.route.kubelet.say(says.data(3, 'late reply'))
    await eventually(() => client.text === 'late reply')
    assert.equal(client.isEnded, false)
    forwarded.route.kubelet.say(says.data(3, '', true), says.data(1, '', true))
    await over(client)
    assert.equal((await opened())[0]?.reset, false)
  })

  for (const text of ['', 'GET / HT', 'a']) {
    it(`tells the pod of a client that ends after ${JSON.stringify(text)}`, async () => {
      const client = await start()
      client.socket.end(text)
      await eventually(() => forwarded.route.kubelets[0]?.opened[0]?.fin === true)
      assert.equal((await opened())[0]?.text, text)
    })
  }

  it("passes the server's reset on as a reset, to that client alone", async () => {
    const client = await start()
    await client.send(GET)
    await arrived(GET)
    const other = await forwarded.client()
    await other.send(GET)
    await opened(2)
    forwarded.route.kubelet.say(says.data(3, 'half', true), says.data(1, 'read: connection reset by peer', true))
    await over(client)
    forwarded.route.kubelet.say(says.data(7, 'whole'))
    await eventually(() => other.text === 'whole')
    assert.deepEqual([client.error, other.error, forwarded.route.distrusted], ['ECONNRESET', undefined, []])
  })

  it('does not repeat what the server reset without an answer', async () => {
    const client = await start()
    await client.send(GET)
    await arrived(GET)
    forwarded.route.kubelet.say(says.data(1, 'read: connection reset by peer', true))
    await over(client)
    assert.deepEqual([client.error, forwarded.route.kubelets.length], ['ECONNRESET', 1])
  })

  it("passes the client's reset on as RST_STREAM", async () => {
    const client = await start()
    await client.send(GET)
    await arrived(GET)
    client.socket.resetAndDestroy()
    await eventually(() => forwarded.done.length === 1)
    await eventually(() => forwarded.route.kubelet.opened[0]?.reset === true)
  })

  it('does not take the rest from a slow client when the tunnel goes after the end', async () => {
    const client = await start()
    client.socket.pause()
    await client.send(GET)
    await arrived(GET)
    const body = Buffer.alloc(8 * 1024 * 1024, 'z')
    for (let at = 0; at < body.length; at += 65_536)
      forwarded.route.kubelet.say(says.data(3, body.subarray(at, at + 65_536)))
    forwarded.route.kubelet.say(says.data(3, '', true), says.data(1, '', true))
    await settle(20)
    client.socket.resume()
    await eventually(() => forwarded.locals[0]?.writableEnded === true)
    forwarded.route.kubelet.lose()
    await eventually(() => client.isEnded || client.error !== undefined)
    assert.deepEqual([client.length, client.error], [body.length, undefined])
  })

  it('reads no faster from the pod than the client does, within 1 MiB', async () => {
    forwarded = new Forwarded()
    const client = await forwarded.client(false)
    client.socket.pause()
    await client.send(GET)
    await arrived(GET)
    const total = 48 * 1024 * 1024
    const chunk = says.data(3, Buffer.alloc(65_536, 'y'))
    for (let sent = 0; sent < total; sent += 65_536) forwarded.route.kubelet.say(chunk)
    await eventually(() => forwarded.route.session?.blocked === true)
    await settle(20)
    const buffered = forwarded.locals[0]?.writableLength ?? 0
    assert.ok(buffered < 1024 * 1024, `${buffered} bytes`)
    assert.ok(forwarded.route.kubelet.unread > 16 * 1024 * 1024)
    client.socket.resume()
    await eventually(() => client.length === total)
    assert.equal(forwarded.route.session?.blocked, false)
  })

  it('reads no faster from the client than the pod does, within 1 MiB', async () => {
    const client = await start()
    await client.send(GET.replace('GET', 'PUT'))
    await opened()
    forwarded.route.kubelet.deaf()
    const body = Buffer.alloc(24 * 1024 * 1024, 'w')
    await client.send(body)
    await eventually(() => forwarded.locals[0]?.isPaused() === true)
    await settle(20)
    const buffered = forwarded.route.kubelet.upgraded.socket.writableLength
    assert.ok(buffered < 1024 * 1024, `${buffered} bytes`)
    assert.equal(forwarded.route.session?.blocked, true)
    forwarded.route.kubelet.listen()
    await eventually(
      () => client.socket.writableLength === 0 && forwarded.locals[0]?.bytesRead === GET.length + body.length,
    )
    await eventually(() => forwarded.route.session?.blocked === false)
  })

  it('leaves nothing behind after 300 connections of all sorts', async () => {
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
      forwarded.route.kubelet.say(says.data(data, '', true), says.data(error, '', true))
    forwarded.close()
    await eventually(() => forwarded.done.length === 301)
  })
})
