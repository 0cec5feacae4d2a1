import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { type Edit, edited, type Fragments, isEdited, reverting } from '../../src/changes/edits.ts'
import { at, removed, within } from '../../src/changes/fields.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { INSTALLING, SCRAPING } from '../../src/cluster/ownership.ts'

const OWNER = { manager: 'helm', operation: 'Update', time: '2026-01-01T00:00:00Z', fieldsV1: { 'f:spec': {} } }
const STATUS = { manager: 'kube-controller-manager', operation: 'Update', subresource: 'status', time: 'now' }
const OBJECT: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'prometheus', namespace: 'x', labels: { app: 'p' }, managedFields: [OWNER, STATUS] },
  spec: {
    template: {
      metadata: { labels: { 'sidecar.istio.io/inject': 'false' } },
      spec: {
        containers: [{ name: 'reload' }, { name: 'server', volumeMounts: [{ name: 'data', mountPath: '/data' }] }],
      },
    },
  },
}
const TEMPLATE = ['spec', 'template']
const CONTAINERS = [...TEMPLATE, 'spec', 'containers']
const MOUNT = [...CONTAINERS, { name: 'server' }, 'volumeMounts', { mountPath: '/etc/istio-certs' }]
const NOTE = [...TEMPLATE, 'metadata', 'annotations', 'proxy.istio.io/config']
const EDITS: Edit[] = [
  { path: [...TEMPLATE, 'metadata', 'labels', 'sidecar.istio.io/inject'], value: 'true' },
  { path: NOTE, value: 'ours', fragment: 'note' },
  { path: [...TEMPLATE, 'spec', 'volumes', { name: 'istio-certs' }], value: { name: 'istio-certs', emptyDir: {} } },
  { path: MOUNT, value: { name: 'istio-certs', mountPath: '/etc/istio-certs' } },
]
const FRAGMENTS: Fragments = { note: (present) => String(present).replace('ours', '').trim() || undefined }

/** As in the API server: a writer owns the field, at that time. */
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
  const { metadata, ...rest } = writtenBy(edited(object, EDITS, SCRAPING, FRAGMENTS), SCRAPING.manager)
  // What we write no longer belongs to the other manager; the time of its entry stays.
  const taken = (metadata.managedFields as { manager: string }[]).map((entry) =>
    entry.manager === OWNER.manager ? { ...entry, fieldsV1: {} } : entry,
  )
  return { ...rest, metadata: { ...metadata, managedFields: taken } } as KubeObject
}
const back = (object: KubeObject) => {
  const way = reverting(object, SCRAPING, FRAGMENTS)
  assert.ok(way)
  return way.forgotten(writtenBy(way.values, SCRAPING.manager))
}
/** The API server does not store empty maps. */
const plain = ({ metadata: { annotations = {}, ...metadata }, ...object }: KubeObject) => ({
  ...object,
  metadata: { ...metadata, ...(Object.keys(annotations).length === 0 ? {} : { annotations }) },
})

describe('edits with a record', () => {
  it('change only these fields, and are found again', () => {
    const after = edited(OBJECT, EDITS, SCRAPING)
    assert.equal(at(after, MOUNT) !== undefined, true)
    assert.equal(at(after, [...TEMPLATE, 'metadata', 'labels', 'sidecar.istio.io/inject']), 'true')
    assert.equal(after.metadata.labels?.['kubectl-telemetry/scraping'], 'true')
    assert.deepEqual([isEdited(OBJECT, SCRAPING), isEdited(after, SCRAPING)], [false, true])
    assert.deepEqual(at(after, [...CONTAINERS, { name: 'reload' }]), { name: 'reload' })
  })

  it('leave the object unchanged if it already has all values', () => {
    const once = edited(OBJECT, EDITS, SCRAPING)
    assert.equal(edited(once, EDITS, SCRAPING), once)
    assert.equal(edited(OBJECT, [{ path: ['kind'], value: 'Deployment' }], SCRAPING), OBJECT)
  })

  it('restore all values and their owners', () => {
    assert.deepEqual(plain(back(ours(OBJECT))), OBJECT)
  })

  it('restore the values before the first of several edits', () => {
    const again = edited(ours(OBJECT), [{ path: NOTE, value: 'ours, newer', fragment: 'note' }], SCRAPING, FRAGMENTS)
    assert.deepEqual(plain(back(again)), OBJECT)
  })

  it('continue after an interruption: the values are restored, the record still exists', () => {
    const half = reverting(ours(OBJECT), SCRAPING, FRAGMENTS)?.values ?? OBJECT
    assert.equal(reverting(half, SCRAPING, FRAGMENTS)?.isBack, true)
    assert.deepEqual(plain(back(half)), OBJECT)
  })

  it('restore only values that are still what we wrote, and keep the owners of the others', () => {
    const label = [...TEMPLATE, 'metadata', 'labels', 'sidecar.istio.io/inject']
    const usersObject = writtenBy(
      within(within(ours(OBJECT), label, 'maybe'), NOTE, 'mine ours') as KubeObject,
      'kubectl-edit',
    )
    const after = back(usersObject)
    assert.equal(at(after, label), 'maybe')
    assert.equal(at(after, NOTE), 'mine')
    assert.equal(at(after, MOUNT), undefined)
    assert.deepEqual((after.metadata.managedFields as { manager: string }[]).map(({ manager }) => manager).sort(), [
      'helm',
      'kube-controller-manager',
      'kubectl-edit',
    ])
    assert.equal(isEdited(after, SCRAPING), false)
  })

  it('keep what the user wrote into a text between two of our edits', () => {
    const usersObject = within(ours(OBJECT), NOTE, 'mine ours') as KubeObject
    const again = edited(usersObject, [{ path: NOTE, value: 'mine ours again', fragment: 'note' }], SCRAPING, FRAGMENTS)
    assert.equal(at(back(again), NOTE), 'mine')
  })

  it('keep the fields that we apply, whichever came first', () => {
    const applied = { manager: SCRAPING.manager, operation: 'Apply', time: 'x' }
    const object = ours(OBJECT)
    const fields = [...(object.metadata.managedFields as object[]), applied]
    const after = back({ ...object, metadata: { ...object.metadata, managedFields: fields } })
    assert.deepEqual(after.metadata.managedFields, [OWNER, STATUS, applied])
  })

  it('give fields back to what addons install applied, as to everybody', () => {
    const fieldsV1 = { 'f:spec': { 'f:template': {} } }
    const installed = { manager: INSTALLING.manager, operation: 'Apply', time: '2026-01-01T00:00:00Z', fieldsV1 }
    const managed = (object: KubeObject, managedFields: object[]) => ({
      ...object,
      metadata: { ...object.metadata, managedFields },
    })
    const object = managed(OBJECT, [installed])
    const update = { manager: SCRAPING.manager, operation: 'Update', time: 'later', fieldsV1 }
    const after = managed(edited(object, EDITS, SCRAPING, FRAGMENTS), [{ ...installed, fieldsV1: {} }, update])
    assert.deepEqual(plain(back(after)), object)
  })

  it('accept defaults that the API server added to our values', () => {
    const path = [...TEMPLATE, 'spec', 'volumes', { name: 'istio-certs' }]
    const defaulted = within(ours(OBJECT), path, { name: 'istio-certs', emptyDir: {}, added: 1 }) as KubeObject
    assert.deepEqual(plain(back(defaulted)), OBJECT)
  })

  it('keep long parts small', () => {
    const text = 'scrape\n'.repeat(100_000)
    const long = { ...OBJECT, kind: 'ConfigMap', data: { text } }
    const after = edited(long, [{ path: ['data', 'text'], value: 'short', fragment: 'note' }], SCRAPING)
    assert.ok(JSON.stringify(after.metadata).length < 10_000)
    assert.deepEqual(plain(back(after)), long)
  })
})

describe('fields by path', () => {
  it('are created with their parents, and removed with them', () => {
    const path = ['a', { name: 'b' }, 'c', 'd']
    const made = within({ x: 1 }, path, 2)
    assert.deepEqual(made, { x: 1, a: [{ name: 'b', c: { d: 2 } }] })
    assert.deepEqual(removed(made, path, 0), { x: 1 })
    assert.deepEqual(removed(made, path, 1), { x: 1, a: [] })
    assert.deepEqual(removed(made, path, 2), { x: 1, a: [{ name: 'b' }] })
    assert.equal(removed(made, ['a', { name: 'z' }, 'c'], 0), made)
  })
})
