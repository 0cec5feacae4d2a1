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
  it('shows changes with three lines of context, like diff -u', () => {
    const spec = (host: string) => ({ spec: { a: 1, b: 2, c: 3, hosts: [host], d: 4, e: 5, f: 6, g: 7 } })
    const text = of(object('Gateway', spec('old.example.com')), object('Gateway', spec('new.example.com')))
    assert.deepEqual(text.split('\n'), [
      '--- thing/x\tlive',
      '+++ thing/x\tplanned',
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
    assert.deepEqual(lines.slice(0, 3), ['--- thing/x\tabsent', '+++ thing/x\tplanned', '@@ -0,0 +1,7 @@'])
    assert.ok(lines.slice(3).every((line) => line.startsWith('+')))
  })

  it('is bounded, whatever somebody has written into the object', () => {
    const spec = (text: string) => object('Gateway', { spec: { text, hosts: ['a'] } })
    const long = of(spec('x'.repeat(1_000_000)), spec('new')).split('\n')
    assert.ok(long.every((line) => line.length <= 8_000) && long.some((line) => /^-.*x…x/.test(line)))
    const many = of(spec('x\n'.repeat(40_000)), spec('new')).split('\n')
    assert.ok(many.length <= 2_001)
    assert.ok(many.some((line) => /^… 38\d{3} lines are left out/.test(line)))
    assert.match(many.at(-1) ?? '', /hosts|- a/)
  })

  it('shows only whether values of a Secret change', () => {
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

  it('shows no value of a Secret that is deleted, has text values, or was applied by kubectl', () => {
    const copy = { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{"data":{"key":"c2VjcmV0"}}' } }
    const before = object('Secret', { data: { key: 'c2VjcmV0' }, stringData: { text: 'secret' } }, copy)
    for (const after of [undefined, object('Secret', { data: { key: 'b3RoZXI=' } })])
      assert.doesNotMatch(renderDiff([{ name: 'secret/x', before, after }]), /c2VjcmV0|: secret$/m)
  })

  it('leaves out the fields that the API server manages', () => {
    const kept = { resourceVersion: '1', uid: 'u', generation: 3, managedFields: [], creationTimestamp: 't' }
    assert.equal(of(object('Gateway', { status: {} }, kept), object('Gateway', {})), 'no differences')
  })
})
