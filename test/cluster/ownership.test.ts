import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { isOwned, OWNED, ownedLabels, requireOwned, withoutApplied } from '../../src/cluster/ownership.ts'
import { gateways, SECRETS } from '../../src/cluster/resources.ts'

const labelled = (labels?: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'tls', namespace: 'istio-system', ...(labels === undefined ? {} : { labels }) },
})

describe('ownership', () => {
  it('is a label, and the add-on is another one', () => {
    assert.deepEqual(ownedLabels(), { 'app.kubernetes.io/managed-by': 'kubectl-telemetry' })
    assert.deepEqual(ownedLabels('grafana'), {
      'app.kubernetes.io/managed-by': 'kubectl-telemetry',
      'app.kubernetes.io/component': 'grafana',
    })
  })

  it('is selected by that label, but for what secure scraping is made of', () =>
    assert.equal(OWNED, 'app.kubernetes.io/managed-by=kubectl-telemetry,!kubectl-telemetry/scraping'))

  const cases: [string, Record<string, string> | undefined, boolean][] = [
    ['our label', ownedLabels(), true],
    ['our label among others', { ...ownedLabels('grafana'), team: 'a' }, true],
    ["somebody else's", { 'app.kubernetes.io/managed-by': 'Helm' }, false],
    ['our name under another label', { app: 'kubectl-telemetry' }, false],
    ['a name like ours', { 'app.kubernetes.io/managed-by': 'kubectl-telemetry-2' }, false],
    ['no label', {}, false],
    ['no labels at all', undefined, false],
  ]
  for (const [name, labels, ours] of cases) {
    it(`is ${ours ? 'ours' : 'not ours'} by ${name}`, () => {
      assert.equal(isOwned(labelled(labels)), ours)
      const act = () => requireOwned(SECRETS, labelled(labels))
      if (ours) assert.doesNotThrow(act)
      else assert.throws(act, { name: 'UserError', code: 'NOT_OURS', exitCode: 1 })
    })
  }

  it('is no question where there is no object', () => assert.doesNotThrow(() => requireOwned(SECRETS, undefined)))

  it('names the object that was left alone, and how to look at it', () => {
    assert.throws(() => requireOwned(gateways('v1'), labelled()), {
      message:
        'gateway.networking.istio.io/tls in namespace istio-system exists and was not made by kubectl telemetry ' +
        '(it lacks the label app.kubernetes.io/managed-by=kubectl-telemetry); it was left as it is',
      suggestions: [
        'kubectl -n istio-system get gateways.networking.istio.io tls -o yaml   # look at it, then rename or remove it',
      ],
    })
    assert.throws(() => requireOwned(SECRETS, labelled()), {
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

    it('an item of a list that others have as well stays theirs, less what is ours in it', () => {
      const both = object([OURS], entry('helm', container), entry('kubectl-telemetry', ours))
      assert.deepEqual(withoutApplied(both).spec, object([]).spec)
      const theirs = object([{ name: 'THEIRS' }, OURS], entry('helm', container), entry('kubectl-telemetry', ours))
      assert.deepEqual(withoutApplied(theirs).spec, object([{ name: 'THEIRS' }]).spec)
    })

    it('an item that nobody else has goes whole, with what the API server put into it', () => {
      assert.equal(withoutApplied(object([], entry('kubectl-telemetry', ours))).spec, undefined)
    })
  })
})
