import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { download } from '../../../src/installing/source/download.ts'
import { FakeWeb } from '../../fakes/fake-outside.ts'
import { FakeClock } from '../../fakes/fake-world.ts'

const START = 'https://example.com/grafana.yaml?token=secret'
const LOCAL = 'http://127.0.0.1:8000/grafana.yaml'

async function fetched(web: FakeWeb, start = START, clock = new FakeClock()): Promise<string> {
  const { body } = await download(new URL(start), web, clock)
  return Buffer.from(body).toString()
}

describe('downloading a sample', () => {
  it('follows redirects, also relative ones', async () => {
    const web = new FakeWeb()
    web.redirect(START, '/raw/grafana.yaml', 'https://other.example/x')
    web.redirect('https://example.com/raw/grafana.yaml', 'https://other.example/x')
    web.pages.set('https://other.example/x', 'a: 1')
    assert.equal(await fetched(web), 'a: 1')
    assert.equal(web.requests.length, 3)
  })

  it('of this machine may be redirected on this machine, and to TLS', async () => {
    const web = new FakeWeb()
    web.redirect(LOCAL, 'http://localhost:9000/', 'https://example.com/')
    web.pages.set('https://example.com/', 'a: 1')
    assert.equal(await fetched(web, LOCAL), 'a: 1')
  })

  const chain = (length: number) => Array.from({ length }, (_, number) => `https://example.com/${number}`)
  for (const [what, urls, why] of [
    ['a circle', [START, 'https://example.com/b', START], /in a circle/],
    ['itself', [START, START], /in a circle/],
    ['more than five others', [START, ...chain(7)], /more than 5 times/],
    ['plain HTTP', [START, 'http://example.com/grafana.yaml'], /redirected to http:\/\/example\.com\/grafana\.yaml/],
    ['this machine', [START, 'https://localhost/x'], /which is not followed/],
    ['this machine over HTTP', [START, 'http://127.1/x'], /which is not followed/],
    ['a file', [START, 'file:///etc/passwd'], /which is not followed/],
    ['credentials', [START, 'https://a:b@example.com/'], /which is not followed/],
    ['nonsense', [START, 'https://'], /not a URL/],
    ['plain HTTP elsewhere, from this machine', [LOCAL, 'http://example.com/'], /which is not followed/],
  ] as const)
    it(`does not follow a redirect to ${what}`, async () => {
      const web = new FakeWeb()
      web.redirect(...urls)
      await assert.rejects(fetched(web, urls[0]), ({ code, message }) => {
        assert.match(message, why)
        // The query may be a secret.
        assert.doesNotMatch(message, /token/)
        return code === 'SAMPLE_NOT_FETCHED'
      })
      assert.ok(web.requests.length <= 6)
    })

  for (const [what, page, why] of [
    ['404', { status: 404 }, /it answers 404/],
    ['a redirect without an address', { status: 302 }, /it answers 302/],
    ['no content', { status: 204 }, /it answers 204/],
    ['an endless body', 'a'.repeat(3 * 1024 * 1024), /more than 2 MiB/],
    [
      'a broken connection',
      Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' }),
      /hang up \(ECONNRESET\)/,
    ],
  ] as const)
    it(`reports ${what}`, async () => {
      const web = new FakeWeb()
      web.pages.set(START, page)
      await assert.rejects(fetched(web), ({ code, message }) => {
        assert.match(message, why)
        return code === 'SAMPLE_NOT_FETCHED'
      })
    })

  it('ends when redirects take too long', async () => {
    const web = new FakeWeb()
    const clock = new FakeClock()
    web.passing = () => void clock.sleep(20_000)
    web.redirect(START, ...chain(4))
    await assert.rejects(fetched(web, START, clock), /more than 30 s/)
    assert.equal(web.requests.length, 2)
  })
})
