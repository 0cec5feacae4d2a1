import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { addressesInAnswer, dnsQuery } from '../../../src/forwarding/tunnel/dns-message.ts'

const ID = 0x1234
/** What a server answers: the question again, and records with a pointer to its name. */
function answer(query: Buffer, records: { type: number; data: Buffer }[], code = 0): Buffer {
  const message = Buffer.from(query)
  message.writeUInt16BE(0x8180 + code, 2)
  message.writeUInt16BE(records.length, 6)
  const all = records.map(({ type, data }) => {
    const head = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 5, 0, data.length])
    return Buffer.concat([head, data])
  })
  return Buffer.concat([message, ...all])
}

const QUERY = dnsQuery('httpbin.bar.global', 4, ID)

describe('messages of DNS', () => {
  it('ask for the addresses of a name', () => {
    assert.equal(QUERY.toString('hex'), '1234010000010000000000000768747470' + '62696e0362617206676c6f62616c0000010001')
  })

  for (const [title, records, addresses] of [
    ['an address', [{ type: 1, data: Buffer.from([240, 0, 0, 2]) }], ['240.0.0.2']],
    ['none', [], []],
    [
      'an alias before the address',
      [
        { type: 5, data: Buffer.from([1, 97, 0xc0, 12]) },
        { type: 1, data: Buffer.from([240, 0, 0, 3]) },
      ],
      ['240.0.0.3'],
    ],
    ['an IPv6 address', [{ type: 28, data: Buffer.from(`fd${'00'.repeat(14)}02`, 'hex') }], ['fd00::2']],
    ['an address of another length', [{ type: 1, data: Buffer.from([1, 2, 3]) }], []],
  ] as const)
    it(`have ${title}`, () =>
      assert.deepEqual(addressesInAnswer(answer(QUERY, [...records]), ID), { addresses: [...addresses] }))

  it('say that there is no such name', () =>
    assert.deepEqual(addressesInAnswer(answer(QUERY, [], 3), ID), { addresses: [] }))

  it('say that the server has failed', () => {
    const failed = addressesInAnswer(answer(QUERY, [], 2), ID)
    assert.match('failed' in failed ? failed.failed : '', /the error 2/)
  })

  it('are cut off anywhere, have another id, or point into the void, without an exception', () => {
    const whole = answer(QUERY, [{ type: 1, data: Buffer.from([240, 0, 0, 2]) }])
    for (let length = 0; length < whole.length - 4; length++)
      assert.ok('failed' in addressesInAnswer(whole.subarray(0, length), ID), String(length))
    assert.ok('failed' in addressesInAnswer(whole, ID + 1))
    const lying = Buffer.from(whole)
    lying.writeUInt16BE(60_000, 6)
    assert.ok('failed' in addressesInAnswer(lying, ID))
    assert.ok('failed' in addressesInAnswer(QUERY, ID), 'it is a question')
  })
})
