import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { type Edit, edited, isEdited, type Parts, reverting } from '../../src/changes/edits.ts'
import { at, removed, within } from '../../src/changes/fields.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'

const OWNER = { manager: 'helm', operation: 'Update', time: '2026-01-01T00:00:00Z', fieldsV1: { 'f:spec': {} } }
const STATUS = { manager: 'kube-controller-manager', operation: 'Update', subresource: 'status', time: 'now' }
const OBJECT: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'prometheus', namespace: 'x', labels: { app: 'p' }, managedFields: [OWNER, STATUS] },
  spec: {
    template: {
      metadata: { labels: { inject: 'false' } },
      spec: {
        containers: [{ name: 'reload' }, { name: 'server', volumeMounts: [{ name: 'data', mountPath: '/data' }] }],
      },
    },
  },
}
const TEMPLATE = ['spec', 'template']
const CONTAINERS = [...TEMPLATE, 'spec', 'containers']
const MOUNT = [...CONTAINERS, { name: 'server' }, 'volumeMounts', { mountPath: '/certs' }]
const NOTE = [...TEMPLATE, 'metadata', 'annotations', 'note']
const EDITS: Edit[] = [
  { path: [...TEMPLATE, 'metadata', 'labels', 'inject'], value: 'true' },
  { path: NOTE, value: 'ours', part: 'note' },
  { path: [...TEMPLATE, 'spec', 'volumes', { name: 'certs' }], value: { name: 'certs', emptyDir: {} } },
  { path: MOUNT, value: { name: 'certs', mountPath: '/certs' } },
]
const PARTS: Parts = { note: (present) => String(present).replace('ours', '').trim() || undefined }

/** As the API server does it: who writes owns it, at that time. */
const writtenBy = (object: KubeObject, manager: string, time = 'later'): KubeObject => ({
  ...object,
  metadata: {
    ...object.metadata,
    managedFields: [
      ...((object.metadata.managedFields ?? []) as { manager: string; operation: string }[]).filter(
        (one) => one.manager !== manager || one.operation !== 'Update',
      ),
      { manager, operation: 'Update', time },
    ],
  },
})
const ours = (object: KubeObject) => {
  const { metadata, ...rest } = writtenBy(edited(object, EDITS, PARTS), 'kubectl-telemetry')
  // What we write is no longer theirs; the time of their entry stays.
  const taken = (metadata.managedFields as { manager: string }[]).map((entry) =>
    entry.manager === OWNER.manager ? { ...entry, fieldsV1: {} } : entry,
  )
  return { ...rest, metadata: { ...metadata, managedFields: taken } } as KubeObject
}
const back = (object: KubeObject) => {
  const way = reverting(object, PARTS)
  assert.ok(way)
  return way.forgotten(writtenBy(way.values, 'kubectl-telemetry'))
}
/** The API server leaves empty maps out. */
const plain = ({ metadata: { annotations = {}, ...metadata }, ...object }: KubeObject) => ({
  ...object,
  metadata: { ...metadata, ...(Object.keys(annotations).length === 0 ? {} : { annotations }) },
})

describe('edits with a record', () => {
  it('change these fields and nothing else, and are found again', () => {
    const after = edited(OBJECT, EDITS)
    assert.equal(at(after, MOUNT) !== undefined, true)
    assert.equal(at(after, [...TEMPLATE, 'metadata', 'labels', 'inject']), 'true')
    assert.equal(after.metadata.labels?.['kubectl-telemetry/scraping'], 'true')
    assert.deepEqual([isEdited(OBJECT), isEdited(after)], [false, true])
    assert.deepEqual(at(after, [...CONTAINERS, { name: 'reload' }]), { name: 'reload' })
  })

  it('leave the object alone where all of it is so already', () => {
    const once = edited(OBJECT, EDITS)
    assert.equal(edited(once, EDITS), once)
    assert.equal(edited(OBJECT, [{ path: ['kind'], value: 'Deployment' }]), OBJECT)
  })

  it('give it all back, and who owned it', () => {
    assert.deepEqual(plain(back(ours(OBJECT))), OBJECT)
  })

  it('give it back as it was before the first of several edits', () => {
    const again = edited(ours(OBJECT), [{ path: NOTE, value: 'ours, newer', part: 'note' }], PARTS)
    assert.deepEqual(plain(back(again)), OBJECT)
  })

  it('go on where they were cut off: values are back, the record is still there', () => {
    const half = reverting(ours(OBJECT), PARTS)?.values ?? OBJECT
    assert.equal(reverting(half, PARTS)?.isBack, true)
    assert.deepEqual(plain(back(half)), OBJECT)
  })

  it('take only what is still as we wrote it, and then leave the others’ entries alone', () => {
    const label = [...TEMPLATE, 'metadata', 'labels', 'inject']
    const theirs = writtenBy(
      within(within(ours(OBJECT), label, 'maybe'), NOTE, 'mine ours') as KubeObject,
      'kubectl-edit',
    )
    const after = back(theirs)
    assert.equal(at(after, label), 'maybe')
    assert.equal(at(after, NOTE), 'mine')
    assert.equal(at(after, MOUNT), undefined)
    assert.deepEqual((after.metadata.managedFields as { manager: string }[]).map(({ manager }) => manager).sort(), [
      'helm',
      'kube-controller-manager',
      'kubectl-edit',
    ])
    assert.equal(isEdited(after), false)
  })

  it('keep what somebody made of a text between two edits of ours', () => {
    const theirs = within(ours(OBJECT), NOTE, 'mine ours') as KubeObject
    const again = edited(theirs, [{ path: NOTE, value: 'mine ours anew', part: 'note' }], PARTS)
    assert.equal(at(back(again), NOTE), 'mine')
  })

  it('keep what we apply ourselves, whichever came first', () => {
    const applied = { manager: 'kubectl-telemetry', operation: 'Apply', time: 'x' }
    const object = ours(OBJECT)
    const fields = [...(object.metadata.managedFields as object[]), applied]
    const after = back({ ...object, metadata: { ...object.metadata, managedFields: fields } })
    assert.deepEqual(after.metadata.managedFields, [OWNER, STATUS, applied])
  })

  it('take defaults of the API server for what we wrote', () => {
    const path = [...TEMPLATE, 'spec', 'volumes', { name: 'certs' }]
    const defaulted = within(ours(OBJECT), path, { name: 'certs', emptyDir: {}, added: 1 }) as KubeObject
    assert.deepEqual(plain(back(defaulted)), OBJECT)
  })

  it('keep long parts small', () => {
    const text = 'scrape\n'.repeat(100_000)
    const long = { ...OBJECT, data: { text } }
    const after = edited(long, [{ path: ['data', 'text'], value: 'short', part: 'note' }])
    assert.ok(JSON.stringify(after.metadata).length < 10_000)
    assert.deepEqual(plain(back(after)), long)
  })
})

describe('fields by path', () => {
  it('are made with all that leads to them, and go with it', () => {
    const path = ['a', { name: 'b' }, 'c', 'd']
    const made = within({ x: 1 }, path, 2)
    assert.deepEqual(made, { x: 1, a: [{ name: 'b', c: { d: 2 } }] })
    assert.deepEqual(removed(made, path, 0), { x: 1 })
    assert.deepEqual(removed(made, path, 1), { x: 1, a: [] })
    assert.deepEqual(removed(made, path, 2), { x: 1, a: [{ name: 'b' }] })
    assert.equal(removed(made, ['a', { name: 'z' }, 'c'], 0), made)
  })
})
