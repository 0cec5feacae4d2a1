import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { managementOf } from '../../src/changes/management.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'

const object = (metadata: object): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop', ...metadata },
})
const labelled = (labels: Record<string, string>) => object({ labels })
const annotated = (annotations: Record<string, string>) => object({ annotations })
const applied = (manager: string, operation = 'Apply') => object({ managedFields: [{ manager, operation }] })
const HELM = {
  labels: { 'app.kubernetes.io/managed-by': 'Helm' },
  annotations: { 'meta.helm.sh/release-name': 'web', 'meta.helm.sh/release-namespace': 'shop' },
}
const FLUX = { 'kustomize.toolkit.fluxcd.io/name': 'apps', 'kustomize.toolkit.fluxcd.io/namespace': 'flux-system' }
const TRACKED = 'apps:apps/Deployment:shop/web'

describe('the tool that manages an object', () => {
  for (const [what, by, found] of [
    ['Helm', 'Helm release shop/web', object(HELM)],
    ['Helm 4', 'Helm release', applied('helm')],
    ['Argo CD', 'Argo CD application apps', annotated({ 'argocd.argoproj.io/tracking-id': TRACKED })],
    ['Argo CD by its label', 'Argo CD application apps', labelled({ 'argocd.argoproj.io/instance': 'apps' })],
    ['Argo CD by server-side apply', 'Argo CD application', applied('argocd-controller')],
    ['a Kustomization of Flux', 'Flux Kustomization flux-system/apps', labelled(FLUX)],
    ['Flux by server-side apply', 'Flux Kustomization', applied('kustomize-controller')],
    [
      'a HelmRelease of Flux',
      'Flux HelmRelease web',
      object({ ...HELM, labels: { ...HELM.labels, 'helm.toolkit.fluxcd.io/name': 'web' } }),
    ],
    ['Config Sync', 'Config Sync', annotated({ 'configmanagement.gke.io/managed': 'enabled' })],
    ['kapp', 'kapp', labelled({ 'kapp.k14s.io/app': '1' })],
    [
      'Fleet',
      'Rancher Fleet bundle shop-web',
      object({
        labels: { 'objectset.rio.cattle.io/hash': 'x' },
        annotations: { 'objectset.rio.cattle.io/id': 'shop-web' },
      }),
    ],
    [
      'k3s',
      'k3s Addon traefik',
      object({
        labels: { 'objectset.rio.cattle.io/hash': 'x' },
        annotations: {
          'objectset.rio.cattle.io/owner-gvk': 'k3s.cattle.io/v1, Kind=Addon',
          'objectset.rio.cattle.io/owner-name': 'traefik',
        },
      }),
    ],
    ['the addon manager', 'the addon manager', labelled({ 'addonmanager.kubernetes.io/mode': 'Reconcile' })],
    ['an operator', 'Istio default', object({ ownerReferences: [{ kind: 'Istio', name: 'default' }] })],
    ['OLM', 'Operator Lifecycle Manager (web.v1)', labelled({ 'olm.owner': 'web.v1' })],
    ['Terraform', 'Terraform', applied('Terraform')],
  ] as const)
    it(`is ${what}`, () => assert.equal(managementOf(found)?.by, by))

  for (const [what, found] of [
    ['no traces', object({})],
    [
      'only the instance label of charts',
      labelled({ 'app.kubernetes.io/instance': 'web', 'app.kubernetes.io/managed-by': 'helm' }),
    ],
    [
      'a tracking id that names another object, as copies have',
      annotated({ 'argocd.argoproj.io/tracking-id': 'apps:apps/Deployment:shop/other' }),
    ],
    ['a manager that only updated', applied('argocd-controller', 'Update')],
    [
      'Flux switched off',
      object({ labels: FLUX, annotations: { 'kustomize.toolkit.fluxcd.io/reconcile': 'disabled' } }),
    ],
    [
      'Flux, which creates it only once',
      object({ labels: FLUX, annotations: { 'kustomize.toolkit.fluxcd.io/ssa': 'IfNotPresent' } }),
    ],
  ] as const)
    it(`is none with ${what}`, () => assert.equal(managementOf(found), undefined))

  it('is the one that runs the others', () => {
    const chart = object({ ...HELM, annotations: { ...HELM.annotations, 'argocd.argoproj.io/tracking-id': TRACKED } })
    assert.match(managementOf(chart)?.by ?? '', /^Argo CD/)
  })

  it('removes added fields if it writes objects whole', () => {
    const removes = (found: KubeObject) => managementOf(found)?.removes !== undefined
    const id = { 'argocd.argoproj.io/tracking-id': TRACKED }
    assert.equal(removes(annotated(id)), false)
    assert.equal(removes(annotated({ ...id, 'argocd.argoproj.io/sync-options': 'Prune=false,Replace=true' })), true)
    assert.equal(removes(object({ ownerReferences: [{ kind: 'Istio', name: 'default' }] })), true)
  })
})
