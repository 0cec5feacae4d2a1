/** What a web page in the user's browser can send to a local port, on the real mesh. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before, describe, it } from 'mocha'
import { RunningForward } from '../forwarding.ts'
import { Workplace } from '../mesh.ts'

/** One connection, as a browser keeps it. */
class Browser {
  readonly socket: Socket
  #text = ''

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1' })
    this.socket.setEncoding('utf8').on('data', (text: string) => {
      this.#text += text
    })
    this.socket.on('error', () => {})
  }

  /** @returns the answer to a request, once it contains this */
  async send(request: string, until: string): Promise<string> {
    this.#text = ''
    this.socket.write(request)
    for (let waited = 0; !this.#text.includes(until); waited += 20) {
      if (waited > 10_000) throw new Error(`no ${until} in ${JSON.stringify(this.#text)}`)
      await sleep(20)
    }
    return this.#text
  }
}

describe('requests of foreign pages at a local port, on the real mesh', () => {
  const workplace = new Workplace()
  let forwarding: RunningForward

  before(async () => {
    workplace.waitForRollout('prometheus')
    forwarding = await RunningForward.start(workplace, 'prometheus')
  })
  after(async () => {
    const closed = once(forwarding.child, 'close')
    forwarding.child.kill('SIGKILL')
    await closed
    workplace.end()
  })

  const port = () => Number(new URL(forwarding.url('prometheus')).port)
  const query = (headers: string) =>
    `POST /api/v1/query HTTP/1.1\r\nHost: localhost:${port()}\r\n${headers}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 8\r\n\r\nquery=up`

  // The same request through kubectl's own port-forward: what refuses it is ours.
  it('control: Prometheus answers a POST of any page', () => {
    const url = 'http://localhost:39191'
    const script = [
      'kubectl -n istio-system port-forward service/prometheus 39191:9090 >/dev/null & pid=$!',
      `for attempt in $(seq 300); do curl -sf ${url}/-/ready >/dev/null && break; sleep 0.1; done`,
      `curl -s -H 'Origin: https://evil.test' -H 'Sec-Fetch-Site: cross-site' -d query=up ${url}/api/v1/query; kill $pid`,
    ]
    assert.match(workplace.run('sh', ['-c', script.join('\n')]).stdout, /"status":"success"/)
  })

  it('lets programs and its own page POST', async () => {
    for (const header of ['', `Origin: http://localhost:${port()}\r\n`, 'Sec-Fetch-Site: same-origin\r\n']) {
      const answer = await new Browser(port()).send(query(header), '"success"')
      assert.match(answer, /^HTTP\/1\.1 200/)
    }
  })

  for (const header of ['Origin: https://evil.test\r\n', 'Origin: null\r\n', 'Sec-Fetch-Site: cross-site\r\n']) {
    it(`refuses a POST with ${header.trim()}, first and later in a connection`, async () => {
      assert.match(await new Browser(port()).send(query(header), 'pages of other origins'), /^HTTP\/1\.1 403/)
      const kept = new Browser(port())
      assert.match(await kept.send(query(''), '"success"'), /^HTTP\/1\.1 200/)
      assert.match(await kept.send(query(header), 'pages of other origins'), /HTTP\/1\.1 403/)
    })
  }

  it('serves a link on another page', async () => {
    const link = `GET /-/ready HTTP/1.1\r\nHost: localhost:${port()}\r\nSec-Fetch-Site: cross-site\r\n\r\n`
    await new Browser(port()).send(link, 'HTTP/1.1 200')
  })

  it('refuses a WebSocket of another page', async () => {
    const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\nOrigin: https://evil.test\r\n'
    const handshake = `GET / HTTP/1.1\r\nHost: localhost:${port()}\r\n${upgrade}\r\n`
    await new Browser(port()).send(handshake, 'pages of other origins')
  })
})
