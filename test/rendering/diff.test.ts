import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { renderDiff } from '../../src/rendering/diff.ts'

const object = (kind: string, rest: object, metadata: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name: 'x', namespace: 'ns', ...metadata },
  ...rest,
})
const of = (before: KubeObject | undefined, after: KubeObject) => renderDiff([{ name: 'thing/x', before, after }])

describe('renderDiff', () => {
  it('shows what changes with three lines around it, as diff -u does', () => {
    const spec = (host: string) => ({ spec: { a: 1, b: 2, c: 3, hosts: [host], d: 4, e: 5, f: 6, g: 7 } })
    const text = of(object('Gateway', spec('old.example.com')), object('Gateway', spec('new.example.com')))
    assert.deepEqual(text.split('\n'), [
      '--- thing/x\tas it is',
      '+++ thing/x\tas planned',
      '@@ -8,7 +8,7 @@',
      '   b: 2',
      '   c: 3',
      '   hosts:',
      '-    - old.example.com',
      '+    - new.example.com',
      '   d: 4',
      '   e: 5',
      '   f: 6',
    ])
  })

  it('shows a new object as all new', () => {
    const lines = of(undefined, object('Gateway', { spec: { a: 1 } })).split('\n')
    assert.deepEqual(lines.slice(0, 3), ['--- thing/x\tnot there', '+++ thing/x\tas planned', '@@ -0,0 +1,7 @@'])
    assert.ok(lines.slice(3).every((line) => line.startsWith('+')))
  })

  it('shows no value of a Secret, but whether it changes', () => {
    const text = of(
      object('Secret', { data: { same: 'c2FtZQ==', other: 'b2xk' } }),
      object('Secret', { data: { same: 'c2FtZQ==', other: 'bmV3' } }),
    )
    assert.doesNotMatch(text, /c2FtZQ|b2xk|bmV3/)
    assert.match(text, /-.*other: "?\*\*\* \(before\)/)
    assert.match(text, /\+.*other: "?\*\*\* \(after\)/)
    assert.match(text, /^ .*same: "?\*\*\*"?$/m)
    assert.doesNotMatch(of(undefined, object('Secret', { data: { key: 'c2VjcmV0' } })), /c2VjcmV0/)
  })

  it('leaves out what the API server keeps for itself', () => {
    const kept = { resourceVersion: '1', uid: 'u', generation: 3, managedFields: [], creationTimestamp: 't' }
    assert.equal(of(object('Gateway', { status: {} }, kept), object('Gateway', {})), 'no differences')
  })
})
