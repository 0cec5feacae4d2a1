/** The add-ons we know. An add-on is a row: what tells it apart is data, never a branch in the code. */
import { usageError } from '../errors.ts'
import { nearest } from './nearest.ts'

/** Where an add-on's configuration says something: in an environment variable, else in a file that is a key of a mounted ConfigMap. */
export interface Setting {
  env?: string
  file?: { key: string; format: 'ini' | 'yaml'; path: string[] }
}

/** Who an add-on lets in without a login, in words that follow "lets anyone in as". */
export type AccessRule =
  | { by: 'nature'; role: string }
  | { by: 'setting'; setting: Setting; open: string[]; role: Setting; defaultRole: string }

/** What somebody who got in could do, in words that follow "a visitor". */
export interface VisitorRule {
  /** By the role that the add-on gives to anyone. */
  roles: Record<string, string>
  /** With any other role. */
  otherwise: string
  facts: VisitorFact[]
}

/** More that is true of an add-on with such a setting, argument or right in the cluster. */
export type VisitorFact =
  | { setting: Setting; values: string[]; says: string }
  | { argument: string; says: string }
  /** `without`: a setting with which the right is not used. */
  | {
      right: { verb: string; group: string; resource: string }
      without: { setting: Setting; values: string[] }
      says: string
    }

/** Requests that are let through; everything else is answered 403. Method and path are regular expressions (RE2) over the whole. */
export interface AllowedRequests {
  methods: string
  path: string
}

export interface Addon {
  /** The argument people type, and the first label of its host. Several rows may share it: then they are of one sort. */
  name: string
  /** What people call it. */
  title: string
  /** Its Service has one of these label sets, on itself or in its selector; the first set that is found anywhere wins. */
  labels: Record<string, string>[]
  /** Ports of the Service that serve its pages, by number (of the Service or behind it) or by name. */
  ports: { numbers: number[]; names: string[] }
  /** Its port at the ingress gateway in the layout of Istio 1.5 and older: one host, a port for each add-on. */
  classicPort: number
  /** What Istio's samples/addons make of it, in istio-system. */
  sample: { service: string; port: number; path: string }
  /** Where its page is. */
  path: { setting?: Setting; byDefault: string }
  access: AccessRule
  visitor: VisitorRule
  /** Left out: every request is let through. */
  allowed?: AllowedRequests[]
}

const GRAFANA = (section: string, name: string) => ({
  key: 'grafana.ini',
  format: 'ini' as const,
  path: [section, name],
})
const GRAFANA_ANONYMOUS = (name: string) => GRAFANA('auth.anonymous', name)
const TRUE = ['true', 't', '1', 'yes', 'y', 'on']
const READS_TRACES: VisitorRule = { roles: {}, otherwise: 'reads every trace', facts: [] }
const YAML = (...path: string[]) => ({ key: 'config.yaml', format: 'yaml' as const, path })

/** The pages and the read-only API of Prometheus 2 and 3. Lifecycle (/-/quit, /-/reload) and admin answer to POST and PUT alone. */
const PROMETHEUS_PAGES =
  '/(alerts|query|graph|status|tsdb-status|flags|config|rules|targets|service-discovery|alertmanager-discovery|agent|federate|version|metrics|manifest\\.json|favicon\\.(ico|svg)|-/(ready|healthy)|(assets|static|classic|consoles|api/v1)(/.*)?)?'
const PROMETHEUS_QUERIES = '/api/v1/(query|query_range|query_exemplars|format_query|parse_query|series|labels)'

/**
 * Labels and ports: Istio's samples/addons and the communities' charts (`app` is what charts before 2020 set).
 * Grafana: https://grafana.com/docs/grafana/latest/setup-grafana/configure-grafana/ (auth.anonymous).
 * Kiali: https://kiali.io/docs/configuration/kialis.kiali.io/ (auth.strategy, server.web_root).
 * Jaeger: `base_path` of the jaeger_query extension (v2), QUERY_BASE_PATH (v1); since v2.16 `/` is 404 with a base path.
 */
export const ADDONS: readonly Addon[] = [
  {
    name: 'grafana',
    title: 'Grafana',
    classicPort: 15031,
    sample: { service: 'grafana', port: 3000, path: '/' },
    labels: [{ 'app.kubernetes.io/name': 'grafana' }, { app: 'grafana' }],
    ports: { numbers: [3000], names: ['service', 'http', 'http-web'] },
    path: { byDefault: '/' },
    access: {
      by: 'setting',
      setting: { env: 'GF_AUTH_ANONYMOUS_ENABLED', file: GRAFANA_ANONYMOUS('enabled') },
      open: TRUE,
      role: { env: 'GF_AUTH_ANONYMOUS_ORG_ROLE', file: GRAFANA_ANONYMOUS('org_role') },
      defaultRole: 'Viewer',
    },
    visitor: {
      roles: {
        Admin: 'may change dashboards, data sources and users',
        Editor: 'may change dashboards and ask the data sources anything',
      },
      otherwise: 'reads dashboards and asks their data sources',
      facts: [
        {
          setting: { env: 'GF_SECURITY_ADMIN_PASSWORD', file: GRAFANA('security', 'admin_password') },
          values: ['admin'],
          says: 'signs in as administrator with the password "admin", unless it was changed since',
        },
      ],
    },
  },
  {
    name: 'kiali',
    title: 'Kiali',
    classicPort: 15029,
    sample: { service: 'kiali', port: 20001, path: '/kiali/' },
    labels: [{ 'app.kubernetes.io/name': 'kiali' }, { app: 'kiali' }],
    ports: { numbers: [20001], names: ['http', 'tcp'] },
    path: { setting: { file: YAML('server', 'web_root') }, byDefault: '/kiali/' },
    access: {
      by: 'setting',
      setting: { file: YAML('auth', 'strategy') },
      open: ['anonymous'],
      role: {},
      defaultRole: "somebody with Kiali's own rights in the cluster",
    },
    visitor: {
      roles: {},
      otherwise: 'sees all of the mesh',
      facts: [
        {
          right: { verb: 'patch', group: 'networking.istio.io', resource: 'virtualservices' },
          without: { setting: { file: YAML('deployment', 'view_only_mode') }, values: TRUE },
          says: "may change Istio's configuration",
        },
      ],
    },
  },
  {
    name: 'prometheus',
    title: 'Prometheus',
    classicPort: 15030,
    sample: { service: 'prometheus', port: 9090, path: '/' },
    labels: [
      { 'app.kubernetes.io/name': 'prometheus', 'app.kubernetes.io/component': 'server' },
      { app: 'prometheus', component: 'server' },
      { 'operated-prometheus': 'true' },
    ],
    ports: { numbers: [9090], names: ['http-web', 'web', 'http'] },
    path: { byDefault: '/' },
    access: { by: 'nature', role: 'a reader of every metric' },
    visitor: {
      roles: {},
      otherwise: 'reads every metric',
      facts: [
        {
          argument: '--web.enable-lifecycle',
          says: 'could end it (--web.enable-lifecycle), but the gateway refuses that',
        },
        {
          argument: '--web.enable-admin-api',
          says: 'could delete metrics (--web.enable-admin-api), but the gateway refuses that',
        },
      ],
    },
    allowed: [
      { methods: 'GET|HEAD|OPTIONS', path: PROMETHEUS_PAGES },
      { methods: 'POST', path: PROMETHEUS_QUERIES },
    ],
  },
  {
    name: 'tracing',
    title: 'Jaeger',
    classicPort: 15032,
    sample: { service: 'tracing', port: 80, path: '/jaeger/' },
    labels: [{ app: 'jaeger' }, { 'app.kubernetes.io/name': 'jaeger' }],
    ports: { numbers: [16686], names: ['http-query', 'query'] },
    path: {
      setting: { env: 'QUERY_BASE_PATH', file: YAML('extensions', 'jaeger_query', 'base_path') },
      byDefault: '/',
    },
    access: { by: 'nature', role: 'a reader of every trace' },
    visitor: READS_TRACES,
  },
  {
    name: 'tracing',
    title: 'Zipkin',
    classicPort: 15032,
    sample: { service: 'tracing', port: 80, path: '/zipkin/' },
    labels: [{ app: 'zipkin' }, { 'app.kubernetes.io/name': 'zipkin' }],
    ports: { numbers: [9411], names: [] },
    path: { byDefault: '/zipkin/' },
    access: { by: 'nature', role: 'a reader of every trace' },
    visitor: READS_TRACES,
  },
  {
    name: 'tracing',
    title: 'SkyWalking',
    classicPort: 15032,
    sample: { service: 'tracing-ui', port: 8080, path: '/' },
    labels: [{ app: 'skywalking-ui' }],
    ports: { numbers: [8080], names: [] },
    path: { byDefault: '/' },
    access: { by: 'nature', role: 'a reader of every trace' },
    visitor: READS_TRACES,
  },
]

/** Istio 1.5's values of its ingress gateway had these ports; today's Services have none of them. */
export function classicPortOf(name: string): number | undefined {
  return rowsOf(name)[0]?.classicPort
}

/** Names of add-ons, each once. */
export const ADDON_NAMES: readonly string[] = [...new Set(ADDONS.map(({ name }) => name))]

/** Which add-ons a command is about. */
export interface AddonChoice {
  names: string[]
  /** Named ones have to be there; of "all" those are taken that are. */
  named: boolean
}

/** The rows of one name: an add-on, or several of one sort. */
export function rowsOf(name: string): Addon[] {
  return ADDONS.filter((row) => row.name === name)
}

/**
 * The add-ons of these names; all of them for none or `all`. A product's own name is its sort's: `jaeger` is `tracing`.
 * @throws UserError ADDON_UNKNOWN (exit 2), naming the nearest one
 */
export function requireAddons(words: string[]): AddonChoice {
  if (words.length === 0 || words.includes('all')) return { names: [...ADDON_NAMES], named: false }
  const known = new Map(
    ADDONS.flatMap(({ name, title }) => [[name, name] as const, [title.toLowerCase(), name] as const]),
  )
  const names = words.map((word) => {
    const name = known.get(word.toLowerCase())
    if (name !== undefined) return name
    const guess = nearest(word.toLowerCase(), [...known.keys()])
    const hint = guess === undefined ? [] : [`did you mean "${guess}"?`]
    throw usageError('ADDON_UNKNOWN', `there is no add-on "${word}"; known: ${ADDON_NAMES.join(', ')}`, hint)
  })
  return { names: [...new Set(names)], named: true }
}
