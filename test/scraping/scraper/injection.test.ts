import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../../src/cluster/cluster.ts'
import { isSelected, type LabelSelector } from '../../../src/cluster/label-selector.ts'
import { labelsForSidecar, type Webhooks } from '../../../src/scraping/scraper/injection.ts'

const rule = (key: string, operator: string, ...values: string[]) => ({ key, operator, values })
const all = (...matchExpressions: ReturnType<typeof rule>[]): LabelSelector => ({ matchExpressions })
const INJECT = 'sidecar.istio.io/inject'

/** As istiod 1.31 writes them, by revision. */
function webhooks(revision: string, isDefault: boolean): Webhooks {
  const wanted = rule(INJECT, 'NotIn', 'false')
  const none = [rule('istio.io/rev', 'DoesNotExist'), rule('istio-injection', 'DoesNotExist')]
  const one = (name: string, namespaceSelector: LabelSelector, objectSelector: LabelSelector) => ({
    name: `${name}.sidecar-injector.istio.io`,
    namespaceSelector,
    objectSelector,
  })
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: `istio-${revision}`, labels: { 'istio.io/rev': revision } },
    webhooks: [
      one(
        'rev.namespace',
        all(rule('istio.io/rev', 'In', revision), rule('istio-injection', 'DoesNotExist')),
        all(wanted),
      ),
      one('rev.object', all(...none), all(wanted, rule('istio.io/rev', 'In', revision))),
      ...(isDefault
        ? [
            one('namespace', all(rule('istio-injection', 'In', 'enabled')), all(wanted)),
            one('object', all(...none), all(rule(INJECT, 'In', 'true'), rule('istio.io/rev', 'DoesNotExist'))),
          ]
        : []),
    ],
  }
}
const namespace = (labels: Record<string, string> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'monitoring', labels },
})

describe('whether a pod gets a sidecar', () => {
  const yes = { [INJECT]: 'true' }
  const cases: [string, Webhooks[], Record<string, string>, Record<string, string> | undefined][] = [
    ['a plain namespace', [webhooks('default', true)], {}, yes],
    ['one with injection', [webhooks('default', true)], { 'istio-injection': 'enabled' }, yes],
    ['one with a revision', [webhooks('1-31', false)], { 'istio.io/rev': '1-31' }, yes],
    ['a plain one where only a revision is there', [webhooks('1-31', false)], {}, { ...yes, 'istio.io/rev': '1-31' }],
    ['one that is kept out', [webhooks('default', true)], { 'istio-injection': 'disabled' }, undefined],
    ['one with a revision that is gone', [webhooks('default', true)], { 'istio.io/rev': 'old' }, undefined],
    ['a mesh without injector', [], {}, undefined],
  ]
  for (const [name, configurations, labels, wanted] of cases)
    it(`in ${name}`, () => {
      assert.deepEqual(labelsForSidecar(configurations, namespace(labels), { [INJECT]: 'false', app: 'p' }), wanted)
    })

  it('depends on selectors as the API server evaluates them', () => {
    const labels = { a: '1' }
    assert.equal(isSelected(labels, {}), true)
    assert.equal(isSelected(labels, { matchLabels: { a: '1' } }), true)
    assert.equal(isSelected(labels, { matchLabels: { a: '2' } }), false)
    assert.equal(isSelected(labels, all(rule('b', 'NotIn', 'x'))), true)
    assert.equal(isSelected(labels, all(rule('b', 'In', 'x'))), false)
    assert.equal(isSelected(labels, all(rule('a', 'Exists'), rule('b', 'DoesNotExist'))), true)
  })
})
