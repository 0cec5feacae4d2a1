import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { entryOf, withEntries, withoutEntries } from '../../src/changes/yaml-text.ts'

const ENTRIES = [
  { path: ['proxyMetadata', 'OUTPUT_CERTS'], value: '/etc/istio-certs' },
  { path: ['holdApplicationUntilProxyStarts'], value: true },
]
const TEXTS = [
  undefined,
  'concurrency: 2 # few\n',
  'proxyMetadata:\n  # mine\n  A: "1"\n',
  '{"proxyMetadata": {"A": "1"}}',
  'holdApplicationUntilProxyStarts: false\n',
  'proxyMetadata:\n  OUTPUT_CERTS: /mine\n',
]

describe('entries in a user’s YAML text', () => {
  for (const text of TEXTS)
    it(`are added to and removed from ${JSON.stringify(text)}`, () => {
      const after = withEntries(text, ENTRIES, 'it')
      for (const { path, value } of ENTRIES) assert.equal(entryOf(after, path), value)
      for (const comment of text?.match(/# \w+/g) ?? []) assert.ok(after.includes(comment))
      assert.equal(withEntries(after, ENTRIES, 'it'), after)
      const back = withoutEntries(after, text, ENTRIES)
      assert.deepEqual(
        entryOf(back, []) === undefined ? undefined : JSON.stringify(entryOf(back, [])),
        entryOf(text, []) === undefined ? undefined : JSON.stringify(entryOf(text, [])),
      )
    })

  it('stay if the user has changed them since', () => {
    const after = withEntries(undefined, ENTRIES, 'it').replace('/etc/istio-certs', '/users')
    assert.equal(withoutEntries(after, undefined, ENTRIES), 'proxyMetadata:\n  OUTPUT_CERTS: /users\n')
  })

  it('are not added to a text that cannot be parsed', () => {
    assert.throws(() => withEntries('a: [', ENTRIES, 'annotation x'), {
      code: 'YAML_INVALID',
      message: /annotation x cannot be read/,
    })
    assert.throws(() => withEntries('- a', ENTRIES, 'annotation x'), { code: 'YAML_INVALID' })
  })
})
