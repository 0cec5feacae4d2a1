import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { kubeletFrame } from '../fakes/fake-kubelet.ts'
import { eventually } from '../fakes/fake-timers.ts'
import { pieces, seeded } from '../fakes/random.ts'
import { arrived, forwarded, GET, leavesNothing, opened, over, start } from './carrying.ts'

const HOST = 'localhost:3000'
const request = (method: string, fields: Record<string, string>, body = '') =>
  [
    `${method} /-/quit HTTP/1.1`,
    ...Object.entries({ Host: HOST, ...(body && { 'Content-Length': `${body.length}` }), ...fields }).map(
      ([name, value]) => `${name}: ${value}`,
    ),
    '',
    body,
  ].join('\r\n')
const EVIL = 'https://evil.test'
const WEBSOCKET = { Connection: 'Upgrade', Upgrade: 'websocket' }

describe('requests that pages of other origins send to a local port', () => {
  leavesNothing()

  const refused: [string, string][] = [
    ['a POST', request('POST', { Origin: EVIL }, 'x')],
    ['a POST without a body', request('POST', { origin: EVIL })],
    ['a PUT', request('PUT', { Origin: EVIL }, 'x')],
    ['a DELETE', request('DELETE', { Origin: EVIL })],
    ['a made-up method', request('get', { Origin: EVIL })],
    ['a WebSocket', request('GET', { Origin: EVIL, ...WEBSOCKET })],
    ['the page of a file or a sandbox', request('POST', { Origin: 'null' }, 'x')],
    ['an origin that is no URL', request('POST', { Origin: 'evil' }, 'x')],
    ['another port of this machine', request('POST', { Origin: 'http://localhost:5173' }, 'x')],
    ['no port', request('POST', { Origin: 'http://localhost' }, 'x')],
    [
      'an address that is not of this machine, at the same port',
      request('POST', { Origin: 'http://203.0.113.5:3000' }),
    ],
    ['a name that begins like localhost', request('POST', { Origin: 'http://localhost.evil.test:3000' })],
    ['a name behind a user', request('POST', { Origin: 'http://localhost:3000@evil.test' })],
    ['an empty origin', request('POST', { Origin: '' })],
    ['one of two origins', request('POST', { Origin: `http://${HOST}\r\nOrigin: ${EVIL}` })],
    ['what the browser calls cross-site', request('POST', { 'Sec-Fetch-Site': 'cross-site' }, 'x')],
    ['what the browser calls same-site', request('POST', { 'Sec-Fetch-Site': 'same-site' }, 'x')],
    ['an unknown word of the browser', request('POST', { 'Sec-Fetch-Site': 'x' }, 'x')],
    ['cross-site, with an origin', request('POST', { 'Sec-Fetch-Site': 'cross-site', Origin: EVIL }, 'x')],
    ['an origin but no host', 'POST / HTTP/1.0\r\nOrigin: http://evil.test\r\n\r\n'],
  ]
  for (const [title, text] of refused) {
    for (const localHostsOnly of [true, false]) {
      it(`are refused, ${localHostsOnly ? 'local' : 'open to the network'}: ${title}`, async () => {
        const client = await start({ localHostsOnly })
        await client.send(text)
        await eventually(() => client.isEnded)
        assert.match(client.text, /^HTTP\/1\.1 403 Forbidden\r\n.*pages of other origins/s)
        client.socket.end()
        await over(client)
        assert.deepEqual(forwarded.route.kubelets, [])
      })
    }
  }

  const passed: [string, string][] = [
    ['curl', request('POST', {}, 'x')],
    ['its own page', request('POST', { Origin: `http://${HOST}` }, 'x')],
    ['its own page, as the browser says', request('POST', { Origin: EVIL, 'Sec-Fetch-Site': 'same-origin' }, 'x')],
    ['its own page with no-referrer', request('POST', { Origin: 'null', 'Sec-Fetch-Site': 'same-origin' }, 'x')],
    ['the address bar', request('POST', { 'Sec-Fetch-Site': 'none' }, 'x')],
    ['its page at 127.0.0.1', request('POST', { Origin: 'http://127.0.0.1:3000' }, 'x')],
    ['its page at [::1]', request('POST', { Origin: 'http://[::1]:3000' }, 'x')],
    ['its page at a name below localhost', request('POST', { Origin: 'http://grafana.localhost:3000' }, 'x')],
    ['its page behind ssh -L', request('POST', { Host: 'localhost:8080', Origin: 'http://localhost:8080' }, 'x')],
    ['its page behind TLS', request('POST', { Host: 'localhost:8443', Origin: 'https://localhost:8443' }, 'x')],
    ['its page at port 80', request('POST', { Host: 'localhost', Origin: 'http://localhost' }, 'x')],
    ['a WebSocket of its own page', request('GET', { Origin: `http://${HOST}`, ...WEBSOCKET })],
    ['a WebSocket of a program', request('GET', WEBSOCKET)],
    ['a link on a foreign page', request('GET', { 'Sec-Fetch-Site': 'cross-site', Referer: `${EVIL}/` })],
    ['a foreign GET', request('GET', { Origin: EVIL })],
    ['a foreign HEAD', request('HEAD', { Origin: EVIL })],
    ['a foreign OPTIONS, whose answer decides', request('OPTIONS', { Origin: EVIL })],
  ]
  for (const [title, text] of passed) {
    it(`differ from ${title}, which passes`, async () => {
      const client = await start()
      await client.send(text)
      await arrived(text)
      assert.equal(client.text, '')
    })
  }

  it('pass from the page of an address in the network, when the port is open to it', async () => {
    const text = request('POST', { Host: '192.168.1.2:3000', Origin: 'http://192.168.1.2:3000' }, 'x')
    const client = await start({ localHostsOnly: false })
    await client.send(text)
    await arrived(text)
  })

  const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
  const later: [string, string][] = [
    ['a GET', GET],
    ['a POST with a body', request('POST', {}, 'a body with a\r\nblank line\r\n\r\nin it')],
    ['a POST and an empty line', `${request('POST', {}, 'x')}\r\n`],
  ]
  for (const [title, first] of later) {
    for (const size of [1, 7, 100_000]) {
      it(`are refused later on the same connection, behind ${title}, in pieces of ${size}`, async () => {
        const client = await start()
        await client.send(...pieces(Buffer.from(first), seeded(1), size))
        await arrived(first)
        forwarded.route.kubelet.send(kubeletFrame.data(3, OK))
        await eventually(() => client.text === OK)
        await client.send(...pieces(Buffer.from(request('POST', { Origin: EVIL }, 'x')), seeded(2), size))
        await eventually(() => client.isEnded)
        assert.match(client.text.slice(OK.length), /^HTTP\/1\.1 403 Forbidden\r\n/)
        const [one] = await opened()
        assert.equal(one?.text, first)
        await eventually(() => forwarded.route.kubelet.opened[0]?.reset === true)
        client.socket.end()
        await over(client)
      })
    }
  }

  it('are refused behind a body that looks like a request of its own page', async () => {
    const client = await start()
    const first = request('POST', {}, request('POST', { Origin: `http://${HOST}` }, 'x'))
    await client.send(first + request('POST', { Origin: EVIL }, 'x'))
    await eventually(() => client.text.includes('403'))
  })

  it('are refused after a server has ended its silence with HTTP', async () => {
    const client = await start()
    await forwarded.timers.pass(30)
    await opened()
    forwarded.route.kubelet.send(kubeletFrame.data(3, 'HTTP/1.1 408 Request Timeout\r\n\r\n'))
    await eventually(() => client.text.includes('408'))
    await client.send(request('POST', { Origin: EVIL }, 'x'))
    await eventually(() => client.text.includes('403'))
  })

  for (const [title, padding] of [
    ['URL', { method: `POST /${'a'.repeat(70_000)} HTTP/1.1\r\nHost: evil.test\r\n` }],
    ['head', { method: `GET / HTTP/1.1\r\nHost: localhost\r\nCookie: ${'a'.repeat(70_000)}\r\n` }],
  ] as const) {
    it(`are refused when a ${title} is too long to find their origin`, async () => {
      const client = await start()
      await client.send(`${padding.method}Origin: ${EVIL}\r\n\r\n`)
      await eventually(() => client.isEnded)
      assert.match(client.text, /^HTTP\/1\.1 431 .*longer than 64 KiB/s)
      assert.deepEqual(forwarded.route.kubelets, [])
    })
  }

  it('do not disturb a WebSocket: its frames pass unread', async () => {
    const client = await start()
    const handshake = request('GET', WEBSOCKET)
    await client.send(handshake)
    await arrived(handshake)
    const frames = request('POST', { Origin: EVIL }, 'x')
    await client.send(frames)
    await arrived(handshake + frames)
  })

  it('do not disturb a long upload: its body passes as it comes', async () => {
    const client = await start()
    const head = `PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${4 * 1024 * 1024}\r\n\r\n`
    await client.send(head, Buffer.alloc(4 * 1024 * 1024, EVIL), GET)
    await eventually(() => forwarded.route.kubelets[0]?.opened[0]?.text.endsWith(GET) === true)
    assert.equal((await opened())[0]?.text.length, head.length + 4 * 1024 * 1024 + GET.length)
  })
})
