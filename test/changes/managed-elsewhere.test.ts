import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { Action, Change, WritingBy } from '../../src/changes/changes.ts'
import { managedElsewhere, mayHaveReset } from '../../src/changes/managed-elsewhere.ts'
import { SCRAPING } from '../../src/cluster/ownership.ts'
import { CONFIG_MAPS, DEPLOYMENTS } from '../../src/cluster/resources.ts'

const HELM = {
  labels: { 'app.kubernetes.io/managed-by': 'Helm' },
  annotations: { 'meta.helm.sh/release-name': 'shop', 'meta.helm.sh/release-namespace': 'shop' },
}
function change(name: string, by: WritingBy, metadata: object = HELM, action: Action = 'configured'): Change {
  const resource = by === 'replacing' ? CONFIG_MAPS : DEPLOYMENTS
  const object = { apiVersion: 'v1', kind: resource.kind, metadata: { name, namespace: 'shop', ...metadata } }
  return { resource, manifest: object, by, part: SCRAPING, restarts: false, present: object, action }
}
const found = (...changes: Change[]) =>
  managedElsewhere(changes).map(({ severity, message }) => `${severity}: ${message}`)

describe('changes of objects that another tool manages', () => {
  it('are one finding for fifty workloads of one chart', () => {
    const fifty = Array.from({ length: 50 }, (_, number) => change(`web-${number}`, 'sharing'))
    assert.deepEqual(found(...fifty), [
      'notes: Deployment shop/web-0 and 49 more are managed by Helm release shop/shop: the next helm upgrade keeps the fields that are added',
    ])
  })

  it('warn where values are reset, and say what to change instead', () => {
    const [finding] = managedElsewhere([change('prometheus', 'replacing')])
    assert.equal(finding?.severity, 'warns')
    assert.equal(
      finding.message,
      'ConfigMap shop/prometheus is managed by Helm release shop/shop: the next helm upgrade resets the values that are changed',
    )
    assert.equal(finding.remedies[0], 'make the change in the values of the release')
  })

  it('warn that the next apply by the server meets a conflict, whoever applies', () => {
    const applied = (manager: string, more = {}) => ({ managedFields: [{ manager, operation: 'Apply', ...more }] })
    const conflict = 'with --force-conflicts; without, it fails with a conflict'
    const named: [string, string][] = [
      ['helm', `Helm release: the next helm upgrade (${conflict})`],
      ['ci-pipeline', `field manager ci-pipeline (server-side apply): its next apply (${conflict})`],
      ['kubectl', `field manager kubectl (server-side apply): its next apply (${conflict})`],
      ['Terraform', 'Terraform: the next terraform apply (with force_conflicts; without, it fails with a conflict)'],
      ['kustomize-controller', 'Flux Kustomization: its next reconciliation'],
      ['argocd-controller', 'Argo CD application: the next sync (at once, if it heals itself)'],
    ]
    for (const [manager, words] of named)
      assert.deepEqual(found(change('prometheus', 'replacing', applied(manager))), [
        `warns: ConfigMap shop/prometheus is managed by ${words} resets the values that are changed`,
      ])
    assert.deepEqual(found(change('web', 'sharing', applied('ci-pipeline'))), [], 'added fields are no conflict')
    for (const ours of [applied(SCRAPING.manager), applied('controller', { subresource: 'status' })])
      assert.deepEqual(found(change('prometheus', 'replacing', ours)), [])
  })

  it('warn where added fields are removed', () => {
    const owned = { ownerReferences: [{ kind: 'Istio', name: 'default' }] }
    assert.deepEqual(found(change('gateway', 'sharing', owned)), [
      'warns: Deployment shop/gateway is managed by Istio default: its controller, at once, removes the fields that are added',
    ])
  })

  it('are no finding for our own objects, unchanged ones and those of nobody', () => {
    const nothing = [change('a', 'owning'), change('b', 'sharing', {}), change('c', 'sharing', HELM, 'unchanged')]
    assert.deepEqual(found(...nothing), [])
  })

  it('are named when they are gone', () => {
    assert.equal(
      mayHaveReset([change('a', 'replacing'), change('b', 'sharing')]),
      '; Helm release shop/shop manages it and may have reset it',
    )
    assert.equal(mayHaveReset([change('a', 'replacing', {})]), '')
  })
})
