/**
 * Which other tool manages an object, and what its next run does to our changes. Pure. Anybody can write these labels and annotations, so
 * they lead to words and never to an action.
 */
import type { KubeObject } from '../cluster/cluster.ts'
import { isOurManager } from '../cluster/ownership.ts'

export interface Management {
  /** The tool and its object: `Helm release shop/web`. */
  by: string
  /** When it writes back values that we changed: `the next helm upgrade`. */
  resets: string
  /** When it removes fields that we added. Left out: it keeps fields that it does not set itself. */
  removes?: string
  /** What to change instead. */
  instead: string
  /** Set for a tool that only acts when somebody runs it, so that changes stay until then. */
  waits?: true
}

/** What a row reads. */
interface Traces {
  object: KubeObject
  labels: Record<string, string>
  annotations: Record<string, string>
  /** Managers that apply fields (server-side apply). */
  appliers: string[]
}

type Row = (traces: Traces) => Management | undefined

/** The tool that manages an object. If several left traces, the first of the table: it runs the others. */
export function managementOf(object: KubeObject): Management | undefined {
  const { labels = {}, annotations = {}, managedFields = [] } = object.metadata
  const traces = { object, labels, annotations, appliers: appliersOf(managedFields) }
  for (const row of ROWS) {
    const found = row(traces)
    if (found !== undefined) return found
  }
  return undefined
}

/** Any other client that applies the object by the server: it may be `kubectl apply --server-side` of a pipeline. */
export function applierOf({ metadata: { managedFields = [] } }: KubeObject): Management | undefined {
  const manager = appliersOf(managedFields).find((one) => !isOurManager(one))
  return (
    (manager && {
      by: `field manager ${manager} (server-side apply)`,
      resets: `its next apply (${BY_FORCE})`,
      instead: 'make the change in the manifest that it applies',
    }) ||
    undefined
  )
}

/** What an apply by the server meets in values that another manager has changed. */
const BY_FORCE = 'with --force-conflicts; without, it fails with a conflict'

/** Managers that apply the object itself, and not only its status. */
function appliersOf(managedFields: unknown[]): string[] {
  const entries = managedFields as { manager?: string; operation?: string; subresource?: string }[]
  return entries.flatMap(({ manager, operation, subresource }) =>
    operation === 'Apply' && manager && !subresource ? [manager] : [],
  )
}

/** https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/: an annotation that names another object is a copy's, and ignored. */
const argo: Row = ({ object, annotations, labels, appliers }) => {
  const id = annotations['argocd.argoproj.io/tracking-id']
  const [application, ...rest] = id?.split(':') ?? []
  const { name, namespace = '' } = object.metadata
  const isTracked = rest.join(':').endsWith(`/${object.kind}:${namespace}/${name}`)
  // `app.kubernetes.io/instance` may be the label of Argo CD, but charts set it too, so it is no trace.
  const named = isTracked ? application : labels['argocd.argoproj.io/instance']
  if (named === undefined && !appliers.includes('argocd-controller')) return undefined
  // https://argo-cd.readthedocs.io/en/stable/user-guide/sync-options/
  const replaces = /(^|,)\s*(Replace|Force)=true/.test(annotations['argocd.argoproj.io/sync-options'] ?? '')
  const next = 'the next sync (at once, if it heals itself)'
  return {
    by: `Argo CD application${called(named)}`,
    resets: next,
    ...(replaces ? { removes: next } : {}),
    instead: 'make the change in the repository of the application, or exclude the field by ignoreDifferences',
  }
}

/** https://fluxcd.io/flux/components/kustomize/kustomizations/#controlling-the-apply-behavior-of-resources */
const fluxKustomization: Row = ({ labels, annotations, appliers }) => {
  const toolkit = 'kustomize.toolkit.fluxcd.io'
  const name = labels[`${toolkit}/name`]
  if (name === undefined && !appliers.includes('kustomize-controller')) return undefined
  const settings = [annotations, labels]
  const ssa = settings.map((one) => one[`${toolkit}/ssa`]?.toLowerCase()).find((one) => one !== undefined)
  const isOff = settings.some((one) => one[`${toolkit}/reconcile`]?.toLowerCase() === 'disabled')
  if (isOff || ssa === 'ignore' || ssa === 'ifnotpresent') return undefined
  return {
    by: `Flux Kustomization${called(name, labels[`${toolkit}/namespace`])}`,
    resets: 'its next reconciliation',
    instead: 'make the change in the repository of the Kustomization',
  }
}

/** https://fluxcd.io/flux/components/helm/helmreleases/#drift-detection */
const fluxHelm: Row = ({ labels, appliers }) => {
  const toolkit = 'helm.toolkit.fluxcd.io'
  const name = labels[`${toolkit}/name`]
  if (name === undefined && !appliers.includes('helm-controller')) return undefined
  return {
    by: `Flux HelmRelease${called(name, labels[`${toolkit}/namespace`])}`,
    resets: 'its next upgrade (its next reconciliation, with driftDetection)',
    instead: 'make the change in the values of the HelmRelease',
  }
}

/** https://cloud.google.com/kubernetes-engine/enterprise/config-sync/docs/how-to/managing-objects */
const configSync: Row = ({ labels, annotations }) => {
  const isManaged =
    annotations['configmanagement.gke.io/managed'] === 'enabled' ||
    labels['app.kubernetes.io/managed-by'] === 'configmanagement.gke.io'
  return isManaged
    ? {
        by: 'Config Sync',
        resets: 'its controller, at once,',
        instead: 'make the change in the repository of Config Sync',
      }
    : undefined
}

/** https://fleet.rancher.io/bundle-diffs, https://docs.k3s.io/installation/packaged-components: both use these annotations. */
const rancher: Row = ({ labels, annotations }) => {
  if (labels['objectset.rio.cattle.io/hash'] === undefined) return undefined
  const prefix = 'objectset.rio.cattle.io/owner-'
  const isK3s = annotations[`${prefix}gvk`]?.startsWith('k3s.cattle.io/') === true
  const name = called(annotations[`${prefix}name`] ?? annotations['objectset.rio.cattle.io/id'])
  return {
    by: isK3s ? `k3s Addon${name}` : `Rancher Fleet bundle${name}`,
    resets: isK3s ? 'the next change of its manifest' : 'its next deployment (at once, with correctDrift)',
    instead: isK3s
      ? 'make the change in its manifest on the servers'
      : 'make the change in the repository of the bundle',
  }
}

/** https://carvel.dev/kapp/docs/latest/diff/: it writes its objects whole. */
const kapp: Row = ({ labels, annotations }) => {
  if (labels['kapp.k14s.io/app'] === undefined && annotations['kapp.k14s.io/identity'] === undefined) return undefined
  const next = 'the next kapp deploy that changes it'
  return { by: 'kapp', resets: next, removes: next, instead: 'make the change in the files of kapp deploy' }
}

/** https://github.com/kubernetes/kubernetes/blob/master/cluster/addons/addon-manager/README.md */
const addonManager: Row = ({ labels }) =>
  labels['addonmanager.kubernetes.io/mode'] === 'Reconcile'
    ? {
        by: 'the addon manager',
        resets: 'its controller, within a minute,',
        instead: 'make the change where the addon comes from',
      }
    : undefined

/** Operators write their objects whole. https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/ */
const operator: Row = ({ object: { metadata } }) => {
  const [owner] = (metadata.ownerReferences ?? []) as { kind: string; name: string }[]
  if (owner === undefined) return undefined
  const { kind, name } = owner
  const at = 'its controller, at once,'
  return { by: `${kind} ${name}`, resets: at, removes: at, instead: `make the change in ${kind} ${name}` }
}

/** https://olm.operatorframework.io/docs/ */
const olm: Row = ({ labels }) =>
  labels['olm.owner'] === undefined
    ? undefined
    : {
        by: `Operator Lifecycle Manager (${labels['olm.owner']})`,
        resets: 'its controller, at once,',
        removes: 'its controller, at once,',
        instead: 'make the change in the Subscription or the operator’s own object',
      }

/** https://helm.sh/docs/faq/changes_since_helm2/#improved-upgrade-strategy-3-way-strategic-merge-patches; helm 4 applies by the server. */
const helm: Row = ({ labels, annotations, appliers }) => {
  const release = annotations['meta.helm.sh/release-name']
  const isHelm4 = appliers.includes('helm')
  if (!isHelm4 && (release === undefined || labels['app.kubernetes.io/managed-by'] !== 'Helm')) return undefined
  return {
    by: `Helm release${called(release, annotations['meta.helm.sh/release-namespace'])}`,
    resets: isHelm4 ? `the next helm upgrade (${BY_FORCE})` : 'the next helm upgrade',
    instead: 'make the change in the values of the release',
    waits: true,
  }
}

/** Tools without labels of their own: https://registry.terraform.io/providers/hashicorp/kubernetes/latest/docs/resources/manifest */
const applier: Row = ({ appliers }) => {
  const known: [RegExp, string, string][] = [
    [/^Terraform$/i, 'Terraform', 'terraform apply (with force_conflicts; without, it fails with a conflict)'],
    [/^pulumi/i, 'Pulumi', 'pulumi up (with pulumi.com/patchForce; without, it fails with a conflict)'],
    [/^fleetagent|^fleet-agent/, 'Rancher Fleet', 'deployment'],
  ]
  const found = known.find(([pattern]) => appliers.some((one) => pattern.test(one)))
  return (
    found && {
      by: found[1],
      resets: `the next ${found[2]}`,
      instead: `make the change in the configuration of ${found[1]}`,
      ...(found[1] === 'Rancher Fleet' ? {} : { waits: true as const }),
    }
  )
}

/** GitOps first: they render charts, too, and an operator's object may come from them. */
const ROWS: Row[] = [
  argo,
  fluxKustomization,
  fluxHelm,
  configSync,
  rancher,
  kapp,
  addonManager,
  operator,
  olm,
  helm,
  applier,
]

function called(name: string | undefined, namespace?: string): string {
  return name === undefined ? '' : ` ${namespace === undefined ? '' : `${namespace}/`}${name}`
}
