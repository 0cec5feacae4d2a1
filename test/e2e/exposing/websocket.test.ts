import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import type { LookupFunction } from 'node:net'
import { after, before, describe, it } from 'mocha'
import { Agent, WebSocket } from 'undici'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { Workplace } from '../mesh.ts'

const HOST = `grafana.${loadBalancerAddress}.nip.io`
const PATH = '/api/live/ws'

const lookup: LookupFunction = (_host, _options, found) => found(null, [{ address: loadBalancerAddress, family: 4 }])

describe('Grafana’s live WebSocket through the gateway, on the real mesh', () => {
  const workplace = new Workplace()
  let ca = ''

  before(async () => {
    await loadBalancer('on')
    const { stdout, stderr, exitCode } = workplace.telemetry(
      ...['expose', 'grafana', '--allow-anonymous', '-y', '-o', 'json'],
    )
    assert.equal(exitCode, 0, stderr)
    ca = readFileSync((JSON.parse(stdout) as ExposeResult).authority?.certificate ?? '', 'utf8')
  })
  after(() => workplace.end())

  /** Asks for the upgrade as a browser does. @returns the status */
  function upgrade(origin: string): Promise<number> {
    const headers = {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      Origin: origin,
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': Buffer.alloc(16, 7).toString('base64'),
    }
    return new Promise((resolve, reject) => {
      const asking = request({ host: HOST, path: PATH, servername: HOST, lookup, ca, headers, agent: false })
      asking.once('upgrade', ({ statusCode }, socket) => {
        socket.destroy()
        resolve(statusCode ?? 0)
      })
      asking.once('response', (response) => {
        response.resume()
        resolve(response.statusCode ?? 0)
      })
      asking.once('error', reject).end()
    })
  }

  it('answers 101 to the upgrade, and 403 to one from another origin: Host and Origin arrive unchanged', async () => {
    assert.equal(await upgrade(`https://${HOST}`), 101)
    assert.equal(await upgrade('https://elsewhere.example.com'), 403)
  })

  it('returns a hundred messages, short and long, unchanged and in order', async () => {
    const dispatcher = new Agent({ allowH2: false, connect: { ca, lookup } })
    const socket = new WebSocket(`wss://${HOST}${PATH}`, { dispatcher, headers: { Origin: `https://${HOST}` } })
    try {
      await new Promise((resolve, reject) => {
        socket.addEventListener('open', resolve)
        socket.addEventListener('error', ({ error }) => reject(error))
      })
      const sent = [...Array(100).keys()].map((n) => `${n} `.repeat(n * n + 1))
      const received: unknown[] = []
      const all = new Promise<void>((resolve, reject) => {
        socket.addEventListener('message', ({ data }) => {
          if (received.push(data) === sent.length) resolve()
        })
        socket.addEventListener('close', ({ code }) => reject(new Error(`closed (${code}) after ${received.length}`)))
      })
      for (const text of sent) socket.send(text)
      await all
      assert.deepEqual(received, sent)
    } finally {
      socket.close()
      await dispatcher.destroy()
    }
  })
})
