import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { kubeletFrame } from '../fakes/fake-kubelet.ts'
import { eventually, settle } from '../fakes/fake-timers.ts'
import { pieces, seeded } from '../fakes/random.ts'
import { arrived, EVIL, forwarded, GET, leavesNothing, opened, over, start } from './carrying.ts'

describe('requests that a local port accepts', () => {
  leavesNothing()

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
      assert.match(client.text, /^HTTP\/1\.1 403 Forbidden\r\n.*only for localhost/s)
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
    ['with only line feeds', 'GET / HTTP/1.1\nHost: evil.test\n\n'],
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

  it('reads a head that comes byte by byte, and sends nothing before it is complete', async () => {
    const client = await start()
    await client.send(...pieces(Buffer.from(EVIL), seeded(1), 1))
    await eventually(() => client.isEnded)
    assert.match(client.text, /^HTTP\/1\.1 403/)
    assert.deepEqual(forwarded.route.kubelets, [])
    const other = await forwarded.client()
    await other.send(...pieces(Buffer.from(GET), seeded(2), 3))
    await arrived(GET)
  })

  it('refuses a foreign host when the browser connected before it had a request', async () => {
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

  it('refuses a foreign host while the connection waits for a pod', async () => {
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

  it('sends the page to a client that is still sending', async () => {
    const client = await start()
    await client.send('POST / HTTP/1.1\r\nHost: evil.test\r\nContent-Length: 200000\r\n\r\n')
    await client.send(...Array<Buffer>(20).fill(Buffer.alloc(10_000, 'x')))
    await eventually(() => client.isEnded)
    assert.match(client.text, /^HTTP\/1\.1 403.*\n$/s)
    assert.equal(client.error, undefined)
    client.socket.end()
    await over(client)
  })

  it('closes the connection when the client does not close it after the page', async () => {
    const client = await start()
    await client.send(EVIL)
    await eventually(() => client.isEnded)
    assert.equal(forwarded.done.length, 0)
    await forwarded.timers.pass(2_000)
    await eventually(() => forwarded.done.length === 1)
  })

  it('accepts any host when the port is open to the network', async () => {
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
    it(`passes ${name} on unchanged`, async () => {
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
    forwarded.route.kubelet.send(kubeletFrame.data(data, '220 hello\r\n'))
    await eventually(() => client.text === '220 hello\r\n')
    await client.send('EH')
    await arrived('EH')
  })

  it('releases the held bytes when the server speaks first', async () => {
    const client = await start()
    await forwarded.timers.pass(30)
    await opened()
    await client.send('half a li')
    await eventually(() => forwarded.locals[0]?.bytesRead === 9)
    forwarded.route.kubelet.send(kubeletFrame.data(3, 'x'))
    await arrived('half a li')
  })
})
