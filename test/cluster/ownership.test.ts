import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import {
  appliedFields,
  changedBy,
  changedLabels,
  EXPOSING,
  isChangedBy,
  isOwned,
  isOwnedBy,
  ownedLabels,
  type Part,
  part,
  requireOwned,
  SCRAPING,
  takenOver,
  withoutApplied,
} from '../../src/cluster/ownership.ts'
import { gateways, SECRETS } from '../../src/cluster/resources.ts'

const labelled = (labels?: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'tls', namespace: 'istio-system', ...(labels === undefined ? {} : { labels }) },
})

const MANAGED_BY = { 'app.kubernetes.io/managed-by': 'kubectl-telemetry' }
const TRACING = part('tracing')

describe('ownership', () => {
  it('consists of two labels, and a third one for the add-on', () => {
    const labels = { ...MANAGED_BY, 'kubectl-telemetry/part': 'exposing' }
    assert.deepEqual(ownedLabels(EXPOSING), labels)
    assert.deepEqual(ownedLabels(EXPOSING, 'grafana'), { ...labels, 'app.kubernetes.io/component': 'grafana' })
  })

  it("has a field manager for each part, with names that Flux does not treat as kubectl's", () => {
    const managers = [EXPOSING, SCRAPING, TRACING].map(({ manager }) => manager)
    assert.deepEqual(managers, ['istio-telemetry-exposing', 'istio-telemetry-scraping', 'istio-telemetry-tracing'])
  })

  it("adds a label to the user's objects for each part that changed them", () => {
    assert.deepEqual(
      { ...changedLabels(SCRAPING), ...changedLabels(TRACING) },
      { 'kubectl-telemetry/scraping': 'true', 'kubectl-telemetry/tracing': 'true' },
    )
    assert.equal(changedBy(SCRAPING), 'kubectl-telemetry/scraping=true')
    const both = labelled({ ...changedLabels(SCRAPING), ...changedLabels(TRACING) })
    assert.deepEqual([isChangedBy(both, SCRAPING), isChangedBy(both, EXPOSING)], [true, false])
  })

  const cases: [string, Record<string, string> | undefined, Part | undefined][] = [
    ['the labels of exposing', ownedLabels(EXPOSING), EXPOSING],
    ['the labels of exposing among others', { ...ownedLabels(EXPOSING, 'grafana'), team: 'a' }, EXPOSING],
    ['the labels of scraping', ownedLabels(SCRAPING), SCRAPING],
    ['the labels of a part that comes later', ownedLabels(TRACING), TRACING],
    ['these labels after another part changed it', { ...ownedLabels(TRACING), ...changedLabels(SCRAPING) }, TRACING],
    ['the label of the version without parts', MANAGED_BY, EXPOSING],
    ['the labels of its scraping', { ...MANAGED_BY, 'kubectl-telemetry/scraping': 'true' }, SCRAPING],
    ['only the label of the part', { 'kubectl-telemetry/part': 'exposing' }, undefined],
    ['the label of a changed object', changedLabels(SCRAPING), undefined],
    ["another tool's label", { 'app.kubernetes.io/managed-by': 'Helm' }, undefined],
    ['our name under another label', { app: 'kubectl-telemetry' }, undefined],
    ['a name like ours', { 'app.kubernetes.io/managed-by': 'kubectl-telemetry-2' }, undefined],
    ['no label', {}, undefined],
    ['no labels at all', undefined, undefined],
  ]
  for (const [name, labels, owner] of cases) {
    it(`belongs to ${owner?.name ?? 'no part'} by ${name}`, () => {
      assert.equal(isOwned(labelled(labels)), owner !== undefined)
      for (const one of [EXPOSING, SCRAPING, TRACING]) {
        assert.equal(isOwnedBy(labelled(labels), one), one === owner, one.name)
        const act = () => requireOwned(SECRETS, labelled(labels), one)
        if (one === owner) assert.doesNotThrow(act)
        else assert.throws(act, { name: 'UserError', code: 'NOT_OURS', exitCode: 1 })
      }
    })
  }

  it('accepts a missing object', () => assert.doesNotThrow(() => requireOwned(SECRETS, undefined, EXPOSING)))

  it('names the object that was not changed, and a command that shows it', () => {
    assert.throws(() => requireOwned(gateways('v1'), labelled(), EXPOSING), {
      message:
        'gateway.networking.istio.io/tls in namespace istio-system was created by something other than kubectl telemetry ' +
        '(it lacks the label app.kubernetes.io/managed-by=kubectl-telemetry); it was left unchanged',
      suggestions: [
        'kubectl -n istio-system get gateways.networking.istio.io tls -o yaml   # look at it, then rename or remove it',
      ],
    })
    assert.throws(() => requireOwned(SECRETS, labelled(ownedLabels(TRACING)), EXPOSING), {
      message:
        'secret/tls in namespace istio-system was created by another part of kubectl telemetry ' +
        '(it lacks the label kubectl-telemetry/part=exposing); it was left unchanged',
      suggestions: ['kubectl -n istio-system get secrets tls -o yaml   # look at it, then rename or remove it'],
    })
  })

  describe('of fields', () => {
    const container = {
      'f:spec': { 'f:containers': { 'k:{"name":"proxy"}': { '.': {}, 'f:name': {}, 'f:image': {} } } },
    }
    const variable = { 'f:env': { 'k:{"name":"OURS"}': { '.': {}, 'f:name': {}, 'f:value': {} } } }
    const ours = { 'f:spec': { 'f:containers': { 'k:{"name":"proxy"}': { '.': {}, 'f:name': {}, ...variable } } } }
    const entry = (manager: string, fieldsV1: object) => ({ manager, operation: 'Apply', fieldsV1 })
    const object = (env: object[], ...managedFields: object[]): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'a', managedFields },
      spec: { containers: [{ name: 'proxy', image: 'i', ...(env.length === 0 ? {} : { env }) }] },
    })
    const OURS = { name: 'OURS', value: '1' }

    it('keeps a list item that other managers also have, without our fields', () => {
      const both = object([OURS], entry('helm', container), entry(SCRAPING.manager, ours))
      assert.deepEqual(withoutApplied(both, SCRAPING).spec, object([]).spec)
      const theirs = object([{ name: 'THEIRS' }, OURS], entry('helm', container), entry(SCRAPING.manager, ours))
      assert.deepEqual(withoutApplied(theirs, SCRAPING).spec, object([{ name: 'THEIRS' }]).spec)
    })

    it('removes a list item that only we have, with the fields that the API server added', () => {
      assert.equal(withoutApplied(object([], entry(SCRAPING.manager, ours)), SCRAPING).spec, undefined)
    })

    it('that another part applied are not its own', () => {
      const both = object([OURS], entry(TRACING.manager, ours))
      assert.equal(appliedFields(both, SCRAPING), undefined)
      assert.deepEqual(withoutApplied(both, SCRAPING), both)
    })

    it('that the version without parts applied are its own, and can be taken over', () => {
      const old = entry('kubectl-telemetry', ours)
      const helm = entry('helm', container)
      assert.deepEqual(appliedFields(object([OURS], helm, old), SCRAPING), ours)
      assert.deepEqual(withoutApplied(object([OURS], helm, old), SCRAPING).spec, object([]).spec)
      assert.deepEqual(takenOver(object([OURS], helm, old), SCRAPING), [helm, entry(SCRAPING.manager, ours)])
      assert.equal(takenOver(object([OURS], helm), SCRAPING), undefined)
    })

    it('that both versions applied are taken over as one set', () => {
      const other = { 'f:spec': { 'f:containers': { 'k:{"name":"proxy"}': { 'f:name': {}, 'f:tty': {} } } } }
      const merged = {
        'f:spec': { 'f:containers': { 'k:{"name":"proxy"}': { '.': {}, 'f:name': {}, ...variable, 'f:tty': {} } } },
      }
      const both = object([OURS], entry('kubectl-telemetry', ours), entry(SCRAPING.manager, other))
      assert.deepEqual(takenOver(both, SCRAPING), [entry(SCRAPING.manager, merged)])
    })

    it('of a Deployment that exposing restarted and scraping changed are told apart, in the version without parts too', () => {
      const restarted = { 'f:spec': { 'f:template': {} } }
      const old = [entry('kubectl-telemetry', ours), entry('kubectl-telemetry-restart', restarted)]
      const kiali = { ...object([OURS], ...old), kind: 'Deployment' }
      assert.deepEqual(appliedFields(kiali, EXPOSING), restarted)
      assert.deepEqual(appliedFields(kiali, SCRAPING), ours)
    })
  })
})
