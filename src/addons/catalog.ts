/** The add-ons we know. An add-on is one row: what tells it apart is data, never a branch in the code. */
import { usageError } from '../errors.ts'
import { nearest } from './nearest.ts'

/** Where an add-on's configuration says that it lets anyone in without a login. */
export interface AnonymousSetting {
  /** Environment variables of the container: on or off, and as whom. */
  env: { enabled: string; role: string }
  /** The same in the add-on's ini file, a key of a ConfigMap that the pod mounts. */
  ini: { file: string; section: string; enabled: string; role: string }
  /** As whom, when the configuration does not say. */
  defaultRole: string
}

export interface Addon {
  /** The argument people type, and the first label of its host. */
  name: string
  /** What people call it. */
  title: string
  /** Its Service carries one of these label sets; the first set that is found anywhere wins. */
  labels: Record<string, string>[]
  /** Ports of the Service that serve its pages, by number or name, the best first. */
  ports: { numbers: number[]; names: string[] }
  /** Where its page is: always with a slash at the end. */
  basePath: string
  anonymous: AnonymousSetting
}

/**
 * Labels: Istio's samples/addons and the communities' charts (`app` is what charts before 2020 set).
 * Grafana's settings: https://grafana.com/docs/grafana/latest/setup-grafana/configure-grafana/ (auth.anonymous).
 */
export const ADDONS: readonly Addon[] = [
  {
    name: 'grafana',
    title: 'Grafana',
    labels: [{ 'app.kubernetes.io/name': 'grafana' }, { app: 'grafana' }],
    ports: { numbers: [3000], names: ['service', 'http', 'http-web'] },
    basePath: '/',
    anonymous: {
      env: { enabled: 'GF_AUTH_ANONYMOUS_ENABLED', role: 'GF_AUTH_ANONYMOUS_ORG_ROLE' },
      ini: { file: 'grafana.ini', section: 'auth.anonymous', enabled: 'enabled', role: 'org_role' },
      defaultRole: 'Viewer',
    },
  },
]

/**
 * The add-ons of these names; all of them for none or `all`.
 * @throws UserError ADDON_UNKNOWN (exit 2), naming the nearest one.
 */
export function requireAddons(names: string[]): readonly Addon[] {
  if (names.length === 0 || names.includes('all')) return ADDONS
  return [...new Set(names)].map((name) => {
    const addon = ADDONS.find((row) => row.name === name.toLowerCase())
    if (addon) return addon
    const known = ADDONS.map((row) => row.name)
    const guess = nearest(name.toLowerCase(), known)
    throw usageError('ADDON_UNKNOWN', `there is no add-on "${name}"; known: ${known.join(', ')}`, [
      ...(guess === undefined ? [] : [`did you mean "${guess}"?`]),
    ])
  })
}
