import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { describe, it } from 'mocha'
import { edited, invalidRecords, isEdited, oursIn, reverting } from '../../src/changes/edits.ts'
import { hasRecord, recordOf } from '../../src/changes/records.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { changedLabels, EXPOSING, part, SCRAPING } from '../../src/cluster/ownership.ts'

const TRACING = part('tracing')
const HELM = { manager: 'helm', operation: 'Update', fieldsV1: { 'f:data': { 'f:config.yaml': {} } } }
const OBJECT: KubeObject = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'kiali', namespace: 'x', uid: 'u', resourceVersion: '7', managedFields: [HELM] },
  data: { 'config.yaml': 'a: 1\n', other: 'b' },
}
const annotated = (annotations: Record<string, string>, text = 'a: 2\n'): KubeObject => ({
  ...OBJECT,
  metadata: { ...OBJECT.metadata, annotations },
  data: { 'config.yaml': text },
})
const FIELD = { path: ['data', 'config.yaml'], existed: 2, before: { value: 'a: 1\n' }, after: 'a: 2\n' }
const record = (fields: unknown, managedFields: unknown = []) =>
  annotated({ 'kubectl-telemetry/before-scraping': JSON.stringify({ fields, managedFields }) })

const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
const BOMB = gzipSync(Buffer.alloc(64 * 1024 * 1024)).toString('base64')

describe('the record of an edit', () => {
  it('is read where it is one', () => {
    assert.deepEqual(recordOf(record([FIELD]), SCRAPING), { fields: [FIELD], managedFields: [] })
    assert.deepEqual([recordOf(OBJECT, SCRAPING), hasRecord(OBJECT, SCRAPING)], [undefined, false])
  })

  const invalid: [string, KubeObject][] = [
    ['is no JSON', annotated({ 'kubectl-telemetry/before-scraping': '{' })],
    ['is no map', annotated({ 'kubectl-telemetry/before-scraping': '[]' })],
    ['is null', annotated({ 'kubectl-telemetry/before-scraping': 'null' })],
    ['has no list of fields', record({})],
    ['has managedFields that are none', record([FIELD], 'helm')],
    ['names the metadata of its object', record([{ ...FIELD, path: ['metadata', 'labels', 'x'] }])],
    ['names the whole content', record([{ ...FIELD, path: ['data'] }])],
    ['names a field of the object itself', record([{ ...FIELD, path: ['kind'] }])],
    ['names a part of a text', record([{ ...FIELD, path: ['data', 'config.yaml', 'x'] }])],
    ['names another field of its kind', record([{ ...FIELD, path: ['binaryData', 'x'] }])],
    ['has a value of another type', record([{ ...FIELD, before: { value: { a: 1 } } }])],
    ['has a number of steps that is none', record([{ ...FIELD, existed: 'all' }])],
    ['is deeper than the stack', annotated({ 'kubectl-telemetry/before-scraping': nested(20_000) })],
    ['has a value that is deeper than the stack', record([{ ...FIELD, after: JSON.parse(nested(200)) }])],
    ['has more fields than any edit', record(Array.from({ length: 101 }, () => FIELD))],
    ['has a path that is none', record([{ ...FIELD, path: 'data.x' }])],
    ['has a step that is none', record([{ ...FIELD, path: ['data', 7] }])],
    ['has a text that is not packed', record([{ ...FIELD, before: { gzip: 'AAAA' } }])],
    ['has a text that would fill the memory', record([{ ...FIELD, before: { gzip: BOMB } }])],
    ['has no value from before', record([{ ...FIELD, before: 'a: 1\n' }])],
  ]
  for (const [why, object] of invalid)
    it(`is not followed where it ${why}`, () => {
      assert.equal(recordOf(object, SCRAPING), undefined)
      assert.deepEqual([isEdited(object, SCRAPING), hasRecord(object, SCRAPING)], [false, true])
      assert.equal(reverting(object, SCRAPING), undefined)
      const [warning] = invalidRecords([object], SCRAPING)
      assert.deepEqual([warning?.code, warning?.severity], ['RECORD_INVALID', 'warns'])
      const edits = [{ path: ['data', 'x'], value: 'y' }]
      assert.throws(() => edited(object, edits, SCRAPING), { code: 'RECORD_INVALID' })
    })

  it('is each part’s own: what one restores, the other’s edit survives', () => {
    const traced = edited(OBJECT, [{ path: ['data', 'other'], value: 'traced' }], TRACING)
    const both = edited(traced, [{ path: ['data', 'config.yaml'], value: 'scraped' }], SCRAPING)
    const way = reverting(both, SCRAPING)
    assert.ok(way)
    const after = way.forgotten(way.values)
    assert.deepEqual(after.data, traced.data)
    assert.deepEqual(after.metadata.labels, changedLabels(TRACING))
    assert.deepEqual([isEdited(after, SCRAPING), isEdited(after, TRACING)], [false, true])
  })

  it('of links is read as the version before wrote it, and replaced by the new one', () => {
    const [before, text] = ['a: 1\n', 'a: 1\nlinked: yes\n']
    const former = {
      ...{ text: before, managedFields: [HELM], urls: { grafana: 'https://g/' }, replaced: {} },
      ...{ digest: createHash('sha256').update(text).digest('hex'), deployment: 'kiali' },
    }
    const object = annotated({ 'kubectl-telemetry/before-link': JSON.stringify(former), mine: 'yes' }, text)
    object.metadata.labels = { 'kubectl-telemetry/linked': 'true', mine: 'yes' }
    const ours = { urls: former.urls, deployment: 'kiali' }
    assert.deepEqual(oursIn(object, EXPOSING, 'kiali-links'), ours)
    const again = edited(
      object,
      [{ path: ['data', 'config.yaml'], value: 'c', fragment: 'kiali-links', ours }],
      EXPOSING,
    )
    assert.deepEqual(again.metadata.labels, { mine: 'yes', ...changedLabels(EXPOSING) })
    assert.deepEqual(Object.keys(again.metadata.annotations ?? {}), ['mine', 'kubectl-telemetry/before-exposing'])
    for (const one of [object, again]) {
      const way = reverting(one, EXPOSING)
      assert.ok(way)
      const { data, metadata } = way.forgotten(way.values)
      assert.deepEqual(data, { 'config.yaml': before })
      assert.deepEqual([metadata.labels, metadata.annotations], [{ mine: 'yes' }, { mine: 'yes' }])
      assert.deepEqual(metadata.managedFields, former.managedFields)
    }
  })
})

describe('the record of an edit of a workload', () => {
  const POD = ['spec', 'template', 'spec']
  const container = (fields: object = { name: 'app' }) => [...POD, 'containers', fields]
  const workload = (fields: object[]): KubeObject => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: 'web',
      namespace: 'tenant',
      annotations: { 'kubectl-telemetry/before-scraping': JSON.stringify({ fields, managedFields: [] }) },
    },
    spec: { template: { metadata: {}, spec: { containers: [{ name: 'app', image: 'web' }] } } },
  })
  const field = (path: unknown[], value?: unknown) => ({
    path,
    existed: 0,
    before: value === undefined ? {} : { value },
    after: {},
  })
  const hostPath = { name: 'istio-certs', hostPath: { path: '/' } }

  const beyond: [string, object][] = [
    ['an image', field([...container(), 'image'], 'evil')],
    ['the whole container', field(container(), { name: 'app', image: 'evil' })],
    ['a new container', field([...container({ name: 'x', image: 'evil' }), 'env', { name: 'X' }], { name: 'X' })],
    ['all containers', field([...POD, 'containers'], [])],
    ['a service account', field([...POD, 'serviceAccountName'], 'admin')],
    ['the pod template', field(['spec', 'template'], {})],
    ['the number of replicas', field(['spec', 'replicas'], 0)],
    ['another volume', field([...POD, 'volumes', { name: 'root' }], { name: 'root', emptyDir: {} })],
    ['a volume with files of the node', field([...POD, 'volumes', { name: 'istio-certs' }], hostPath)],
    ['another annotation', field(['spec', 'template', 'metadata', 'annotations', 'seccomp'], 'unconfined')],
    ['another label', field(['spec', 'template', 'metadata', 'labels', 'app'], 'admin')],
    ['another variable', field([...container(), 'env', { name: 'LD_PRELOAD' }], { name: 'LD_PRELOAD', value: '/x' })],
    ['prototypes', field(['__proto__', 'polluted'], 'yes')],
  ]
  for (const [what, one] of beyond)
    it(`cannot change ${what}`, () => {
      assert.equal(reverting(workload([one]), SCRAPING), undefined)
      assert.equal(invalidRecords([workload([one])], SCRAPING).length, 1)
    })

  it('does not create a container that is gone', () => {
    const name = 'METRICS_LOCALHOST_ACCESS_ONLY'
    const object = workload([field([...container({ name: 'gone' }), 'env', { name }], { name, value: 'false' })])
    assert.deepEqual(reverting(object, SCRAPING)?.values, object)
  })
})

describe('the owners in a record', () => {
  const restoredOwners = (managedFields: unknown[]) => {
    const text = JSON.stringify({ fields: [FIELD], managedFields })
    const object = annotated({ 'kubectl-telemetry/before-scraping': text })
    const ours = { ...HELM, manager: SCRAPING.manager }
    const present = { ...object, metadata: { ...object.metadata, managedFields: [ours] } }
    const way = reverting(present, SCRAPING)
    assert.ok(way)
    return way.forgotten(way.values).metadata.managedFields
  }

  it('are restored where our write took their fields', () => assert.deepEqual(restoredOwners([HELM]), [HELM]))

  for (const [what, entry] of Object.entries({
    'fields that the object does not have': { ...HELM, fieldsV1: { 'f:spec': { 'f:x': {} } } },
    'fields that were not taken': { ...HELM, fieldsV1: { 'f:data': { 'f:other': {} } } },
    'no fields': { manager: 'helm', operation: 'Update' },
    'fields that are none': { ...HELM, fieldsV1: 'all' },
    'an operation that is none': { ...HELM, operation: 'Steal' },
  }))
    it(`are not restored with ${what}`, () =>
      assert.equal(JSON.stringify(restoredOwners([entry]))?.includes('helm'), false))
})
