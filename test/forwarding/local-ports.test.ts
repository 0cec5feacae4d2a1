import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { PortChoice } from '../../src/addons/port-choice.ts'
import type { UserError } from '../../src/errors.ts'
import { listenNear, requestedPort } from '../../src/forwarding/local-ports.ts'
import { FakeListener } from '../fakes/fake-listener.ts'

const LOCAL = ['127.0.0.1', '::1']
const listener = (...taken: string[]) => {
  const one = new FakeListener()
  for (const port of taken) one.usedPorts.add(port)
  return one
}
const listen = (one: FakeListener, usual: number, requested?: number, addresses = LOCAL) =>
  listenNear(one, addresses, { usual, requested }, () => {})
const refusal = (code: string, message: RegExp) => (error: UserError) =>
  error.code === code && message.test(error.message) && error.suggestions.length > 0

describe('requestedPort', () => {
  const table: [string, PortChoice, string[], number | undefined][] = [
    ['nothing', [], ['grafana'], undefined],
    ['the only port for the only add-on', [{ port: 3001 }], ['grafana'], 3001],
    ['the port that names the add-on', [{ addon: 'grafana', port: 3001 }], ['grafana', 'kiali'], 3001],
    ['nothing when the port is for another add-on', [{ addon: 'kiali', port: 3001 }], ['grafana', 'kiali'], undefined],
  ]
  for (const [name, choice, names, port] of table)
    it(`takes ${name}`, () => assert.equal(requestedPort(choice, 'grafana', names), port))

  const wrong: [string, PortChoice, RegExp][] = [
    ['a port that could be for either add-on', [{ port: 3001 }], /say for which one: grafana, kiali/],
    [
      'two ports for one',
      [
        { addon: 'kiali', port: 1 },
        { addon: 'kiali', port: 2 },
      ],
      /-p 2: kiali already has 1/,
    ],
    ['a port for an add-on that is not forwarded', [{ addon: 'tracing', port: 1 }], /tracing is not forwarded/],
  ]
  for (const [name, choice, message] of wrong)
    it(`refuses ${name}, as wrong usage`, () =>
      assert.throws(
        () => requestedPort(choice, 'grafana', ['grafana', 'kiali']),
        (error: UserError) => refusal('PORT_INVALID', message)(error) && error.exitCode === 2,
      ))
})

describe('listenNear', () => {
  it('takes the usual port', async () => assert.equal((await listen(listener(), 3000)).port, 3000))

  it('takes the next port that is free at all addresses', async () => {
    assert.equal((await listen(listener('3000', '::1:3001', '127.0.0.1:3002'), 3000)).port, 3003)
  })

  it('takes the requested port, or fails', async () => {
    assert.equal((await listen(listener(), 3000, 4000)).port, 4000)
    const one = listener('4000')
    await assert.rejects(listen(one, 3000, 4000), refusal('PORT_TAKEN', /^port 4000 of 127\.0\.0\.1 is in use/))
    assert.deepEqual(one.tried, [4000])
  })

  it('gives up after 20 more ports', async () => {
    const one = listener(...Array.from({ length: 30 }, (_, at) => `${3000 + at}`))
    await assert.rejects(listen(one, 3000), refusal('PORT_TAKEN', /^ports 3000 to 3020 of 127\.0\.0\.1 are in use/))
    assert.equal(one.tried.length, 21)
  })

  it('gives up at port 65535', async () => {
    const one = listener('65534', '65535')
    await assert.rejects(listen(one, 65_534), refusal('PORT_TAKEN', /^ports 65534 to 65535/))
  })

  it('takes 8080 or 8443 when only root may use the usual port', async () => {
    const one = listener('8080')
    one.privileged = 1024
    assert.equal((await listen(one, 80)).port, 8081)
    assert.equal((await listen(one, 443)).port, 8443)
  })

  it('refuses a requested port that only root may use', async () => {
    const one = listener()
    one.privileged = 1024
    await assert.rejects(listen(one, 3000, 443), refusal('PORT_FORBIDDEN', /port 443/))
  })

  it('gives up when all ports are forbidden', async () => {
    const one = listener()
    one.privileged = 65_536
    await assert.rejects(listen(one, 80), refusal('PORT_FORBIDDEN', /./))
  })

  it('refuses an address of another machine', async () => {
    await assert.rejects(
      listen(listener(), 3000, undefined, ['192.0.2.1']),
      refusal('ADDRESS_NOT_HERE', /--address 192\.0\.2\.1/),
    )
  })
})
