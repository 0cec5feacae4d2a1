import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { RememberingProber } from '../../src/probing/remembering-prober.ts'
import { FakeProber } from '../fakes/fake-world.ts'

describe('RememberingProber', () => {
  it('resolves each name once, also while the first answer is pending', async () => {
    const fake = new FakeProber()
    fake.resolutions['b.example.com'] = { addresses: [], failure: 'no-such-name' }
    const prober = new RememberingProber(fake)
    const first = prober.resolve(['a.example.com', 'b.example.com', 'a.example.com'])
    const second = prober.resolve(['c.example.com', 'b.example.com'])
    const [a, b, c] = [{ addresses: ['192.0.2.10'] }, fake.resolutions['b.example.com'], { addresses: ['192.0.2.10'] }]
    assert.deepEqual(await first, [a, b, a])
    assert.deepEqual(await second, [c, b])
    assert.deepEqual(await prober.resolve(['b.example.com']), [b])
    assert.deepEqual(fake.lookups, [['a.example.com', 'b.example.com'], ['c.example.com']])
  })

  it('probes every time', async () => {
    const fake = new FakeProber()
    const prober = new RememberingProber(fake)
    const target = { host: 'x', address: '192.0.2.10', port: 443, path: '/', authorityCertificate: undefined }
    await prober.probe(target)
    await prober.probe(target)
    assert.deepEqual(fake.probed, [target, target])
  })
})
