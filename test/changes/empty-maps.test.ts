import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import {
  hasBrokenMaps,
  lostMaps,
  recordedMaps,
  withMaps,
  withoutRecord,
  withRecord,
} from '../../src/changes/empty-maps.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import type { FieldSet } from '../../src/cluster/ownership.ts'

const TIME = '2026-11-21T12:00:00Z'
const RECORD = 'kubectl-telemetry/empty-maps'

const owner = (manager: string, fieldsV1: FieldSet, more = {}) => ({
  ...{ manager, operation: 'Apply', apiVersion: 'apps/v1', fieldsType: 'FieldsV1', time: TIME },
  ...{ fieldsV1, ...more },
})

function deployment(managedFields: object[], template: object = { labels: { app: 'web' } }, spec = {}): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'shop', resourceVersion: '7', managedFields },
    spec: { template: { metadata: template }, ...spec },
  }
}

const under = (...path: string[]) => path.reduceRight<FieldSet>((inner, step) => ({ [step]: inner }), {})
const ANNOTATIONS = ['f:spec', 'f:template', 'f:metadata', 'f:annotations']
const OURS = owner('ours', under(...ANNOTATIONS, 'f:ours'))
const applied = (...others: object[]) => deployment([...others, OURS], { annotations: { ours: '1' } })

describe('empty maps of another field manager', () => {
  it('are only the fields that it lost', () => {
    const replicas = under('f:spec', 'f:replicas')
    const before = deployment([
      owner('helm', { 'f:spec': { ...replicas['f:spec'], ...under(...ANNOTATIONS)['f:spec'] } }),
    ])
    assert.deepEqual(lostMaps(before, applied(owner('helm', replicas)), 'ours'), [owner('helm', under(...ANNOTATIONS))])
  })

  it('may be all fields of a manager, and several managers may own the same', () => {
    const both = ['helm', 'flux'].map((name) => owner(name, under(...ANNOTATIONS)))
    assert.deepEqual(lostMaps(deployment(both), applied(), 'ours'), both)
  })

  it('may be in an item of a list', () => {
    const path = ['f:spec', 'f:containers', 'k:{"name":"app"}', 'f:limits']
    const before = deployment([owner('helm', under(...path))], {}, { containers: [{ name: 'app', limits: {} }] })
    const own = deployment([owner('ours', under(...path, 'f:cpu'))])
    assert.deepEqual(lostMaps(before, own, 'ours'), [owner('helm', under(...path))])
    Object.assign(before.spec as object, { containers: [{ name: 'app', limits: { memory: '1Gi' } }] })
    assert.equal(lostMaps(before, own, 'ours'), undefined)
  })

  const others: [string, KubeObject, KubeObject][] = [
    [
      'a value',
      deployment([owner('helm', under(...ANNOTATIONS, 'f:ours'))], { annotations: { ours: '2' } }),
      applied(),
    ],
    ['a map with keys', deployment([owner('helm', under(...ANNOTATIONS))], { annotations: { users: '1' } }), applied()],
    [
      'a value that is not set',
      deployment([owner('helm', under('f:spec', 'f:paused'))]),
      deployment([owner('ours', under('f:spec', 'f:paused'))], {}, { paused: true }),
    ],
    [
      'a map that is owned whole',
      deployment([owner('helm', under('f:spec', 'f:selector'))]),
      deployment([owner('ours', under('f:spec', 'f:selector'))], {}, { selector: { app: 'web' } }),
    ],
    ['an empty list', deployment([owner('helm', under('f:spec', 'f:list'))], {}, { list: [] }), applied()],
    [
      'an item of a list',
      deployment([owner('helm', { 'f:spec': { 'f:list': { 'k:{"name":"a"}': { '.': {} } } } })]),
      applied(),
    ],
  ]
  for (const [what, before, then] of others)
    it(`are not ${what}`, () => assert.equal(lostMaps(before, then, 'ours'), undefined))

  it('are none if other managers lose nothing', () => {
    const helm = owner('helm', under('f:spec', 'f:replicas'))
    assert.equal(lostMaps(deployment([helm]), applied(helm), 'ours'), undefined)
  })

  it('are recorded for one version of the object', () => {
    const lost = [owner('helm', under(...ANNOTATIONS))]
    const manifest = { ...deployment([]), metadata: { name: 'web', annotations: { mine: '1' } } }
    const marked = withRecord(manifest, deployment([]), lost)
    assert.equal(marked.metadata.resourceVersion, '7')
    const annotations = { [RECORD]: JSON.stringify(lost) }
    const made = { ...applied(), metadata: { ...applied().metadata, annotations } }
    assert.deepEqual(marked.metadata.annotations, { mine: '1', ...annotations })
    assert.deepEqual(recordedMaps(made, 'ours'), lost)
    assert.deepEqual(recordedMaps(made, 'another manager'), [])
    assert.deepEqual(withoutRecord(marked).metadata.annotations, { mine: '1' })
    assert.equal('annotations' in withoutRecord(withRecord(deployment([]), deployment([]), lost)).metadata, false)
  })

  it('are not read from a forged record', () => {
    const texts = [
      '',
      '{',
      '{}',
      '"helm"',
      '[1, null, {"manager": "helm"}]',
      '[{"manager":"x","operation":"Apply","fieldsV1":{"a":{}}}]',
    ]
    for (const text of texts) {
      const object = applied()
      object.metadata.annotations = { [RECORD]: text }
      assert.deepEqual(recordedMaps(object, 'ours'), [], text)
      assert.equal(hasBrokenMaps(object), text !== '[]')
    }
    assert.equal(hasBrokenMaps(applied()), false)
  })

  it('are not read where they are no maps in which the manager has keys', () => {
    const elsewhere = [under(...ANNOTATIONS), under('f:spec', 'f:replicas'), under(...ANNOTATIONS, 'f:ours'), {}]
    for (const fieldsV1 of elsewhere) {
      const object = deployment([OURS], { annotations: { ours: '1', users: '1' } })
      object.metadata.annotations = { [RECORD]: JSON.stringify([owner('helm', fieldsV1)]) }
      assert.deepEqual(recordedMaps(object, 'ours'), [], JSON.stringify(fieldsV1))
    }
    assert.deepEqual(recordedMaps(deployment([]), 'ours'), [])
  })

  it('are returned to the managers that lost them, once', () => {
    const replicas = under('f:spec', 'f:replicas')
    const lost = [owner('helm', under(...ANNOTATIONS)), owner('flux', under(...ANNOTATIONS))]
    const managedFields = withMaps(applied(owner('helm', replicas)), lost) ?? assert.fail()
    const whole = { 'f:spec': { ...replicas['f:spec'], ...under(...ANNOTATIONS)['f:spec'] } }
    assert.deepEqual(managedFields, [owner('helm', whole), OURS, lost[1]])
    assert.equal(withMaps(deployment(managedFields as object[]), lost), undefined)
  })

  it('are not returned to a manager that has written since', () => {
    const later = owner('helm', under('f:spec', 'f:replicas'), { time: '2026-11-21T12:00:01Z' })
    assert.equal(withMaps(applied(later), [owner('helm', under(...ANNOTATIONS))]), undefined)
  })
})
