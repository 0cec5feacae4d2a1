import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { digestsOf, requireDigest, requireOrigin } from '../../../src/installing/source/origin.ts'

const A = 'a'.repeat(64)
const B = 'b'.repeat(64)

describe('--from', () => {
  for (const [text, kind] of [
    ['release', 'release'],
    ['./release', 'path'],
    ['samples/addons', 'path'],
    ['C:\\istio\\samples', 'path'],
    ['https://example.com/addons/', 'url'],
    ['HTTPS://example.com/grafana.yaml', 'url'],
    ['http://127.0.0.1:8000/addons/', 'url'],
    ['http://localhost/grafana.yaml', 'url'],
    ['http://[::1]:8000/', 'url'],
    // Read as URLs are: another way to write 127.0.0.1.
    ['http://0x7f.1/', 'url'],
  ] as const)
    it(`${text} is of the kind ${kind}`, () => assert.equal(requireOrigin(text).kind, kind))

  for (const text of [
    '',
    'http://example.com/addons/',
    'http://localhost.example.com/',
    'http://127.0.0.1.example.com/',
    'ftp://example.com/grafana.yaml',
    'file:///etc/passwd',
    'https://',
    'https://me:secret@example.com/grafana.yaml',
  ])
    it(`refuses ${JSON.stringify(text)}, without showing credentials`, () => {
      assert.throws(
        () => requireOrigin(text),
        ({ code, exitCode, message }) => {
          assert.doesNotMatch(message, /secret/)
          return code === 'SOURCE_INVALID' && exitCode === 2
        },
      )
    })
})

describe('--sha256', () => {
  it('is a digest, or one of an add-on', () => {
    assert.deepEqual(requireDigest(A.toUpperCase()), { sha256: A })
    assert.deepEqual(requireDigest(`grafana=${A}`), { addon: 'grafana', sha256: A })
  })

  for (const text of ['', 'aa', `${A}a`, 'g'.repeat(64), `sha256:${A}`, `=${A} `])
    it(`refuses ${JSON.stringify(text.slice(0, 20))}`, () =>
      assert.throws(() => requireDigest(text), { code: 'SHA256_INVALID', exitCode: 2 }))

  it('knows the names of add-ons', () =>
    assert.throws(() => requireDigest(`grafna=${A}`), { code: 'SAMPLE_UNKNOWN', exitCode: 2 }))

  it('without a name counts for the only add-on', () =>
    assert.deepEqual([...digestsOf([{ sha256: A }], ['loki'])], [['loki', [A]]]))

  it('given twice for one add-on requires both: no file has both', () =>
    assert.deepEqual([...digestsOf([{ sha256: A }, { addon: 'loki', sha256: B }], ['loki'])], [['loki', [A, B]]]))

  for (const [what, required, chosen] of [
    ['is for one of several', [{ sha256: A }], ['loki', 'grafana']],
    ['names an add-on that is not installed', [{ addon: 'kiali', sha256: A }], ['loki']],
    ['leaves one out', [{ addon: 'loki', sha256: A }], ['loki', 'grafana']],
  ] as const)
    it(`is refused when it ${what}`, () =>
      assert.throws(() => digestsOf(required, chosen), { code: 'SHA256_INVALID', exitCode: 2 }))
})
