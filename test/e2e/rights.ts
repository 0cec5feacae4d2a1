/** Runs of the plugin as a user who has certain rights, and no others. */
import type { Outcome, Workplace } from './mesh.ts'

export const RBAC = 'rbac.authorization.k8s.io'
const USER = 'e2e-user'

export interface Rule {
  apiGroups: string[]
  resources: string[]
  verbs: string[]
  resourceNames?: string[]
}

export interface Rights {
  /** In the whole cluster. */
  cluster: readonly Rule[]
  /** In one namespace. */
  inside: readonly Rule[]
  namespace: string
}

/** @param resources, verbs separated by spaces */
export function rule(group: string, resources: string, verbs: string): Rule {
  return { apiGroups: [group], resources: resources.split(' '), verbs: verbs.split(' ') }
}

/** The same rules without one of them. */
export function without(rules: readonly Rule[], index: number): Rule[] {
  return rules.filter((_, at) => at !== index)
}

/** `kubectl telemetry … --as USER`; the roles exist only meanwhile. */
export function telemetryWith(
  { cluster, inside, namespace }: Rights,
  workplace: Workplace,
  ...words: string[]
): Outcome {
  const rights = [...rolesOf('ClusterRole', cluster, {}), ...rolesOf('Role', inside, { namespace })]
  workplace.apply(...rights)
  try {
    return workplace.telemetry(...words, '--as', USER)
  } finally {
    workplace.delete(...rights)
  }
}

function rolesOf(kind: string, rules: readonly Rule[], place: object): object[] {
  const metadata = { name: USER, ...place }
  const subjects = [{ kind: 'User', name: USER, apiGroup: RBAC }]
  return [
    { apiVersion: `${RBAC}/v1`, kind, metadata, rules },
    {
      ...{ apiVersion: `${RBAC}/v1`, kind: `${kind}Binding`, metadata, subjects },
      roleRef: { apiGroup: RBAC, kind, name: USER },
    },
  ]
}
