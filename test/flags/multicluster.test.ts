/** Values of flags of `multicluster connect` that are refused before anything is read. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { UserError } from '../../src/errors.ts'
import { connectFlags } from '../../src/flags/multicluster.ts'

type Parse = (text: string, context: object, options: object) => Promise<unknown>

describe('--address of connect', () => {
  const parse = connectFlags.address.parse as unknown as Parse
  const refused = (text: string) =>
    assert.rejects(
      parse(text, {}, {}),
      (error) => error instanceof UserError && error.code === 'CLUSTER_VALUE_INVALID' && error.exitCode === 2,
    )

  for (const host of ['240.240.0.1', '240.240.255.254:15443', '127.0.0.1', '224.0.0.1', '0.0.0.0', '[::1]:15443'])
    it(`is refused where no other cluster could ever reach it: ${host}`, () => refused(`west=${host}`))

  it('is refused without the name of a cluster, and where it is no address', async () => {
    for (const text of ['203.0.113.7', '=203.0.113.7', 'west=', 'west=a b', 'west=999.1.1.1']) await refused(text)
  })

  it('has a host and a port, or is auto', async () => {
    assert.deepEqual(await parse('west=203.0.113.7:8443', {}, {}), {
      name: 'west',
      value: { host: '203.0.113.7', port: 8443 },
    })
    assert.deepEqual(await parse('west=lb.example.com', {}, {}), {
      name: 'west',
      value: { host: 'lb.example.com', port: undefined },
    })
    assert.deepEqual(await parse('west=auto', {}, {}), { name: 'west', value: 'auto' })
  })
})
