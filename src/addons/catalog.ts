/** The catalogue of add-ons. Each add-on is a row: its peculiarities are data, never a branch in the code. */
import { usageError } from '../errors.ts'
import type { Addon, Setting, VisitorRule } from './addon.ts'
import { nearest } from './nearest.ts'

const GRAFANA = (section: string, name: string): Setting => ({
  env: `GF_${section}_${name}`.replace(/\W/g, '_').toUpperCase(),
  file: { format: 'ini', path: [section, name] },
})
const TRUE = ['true', 't', '1', 'yes', 'y', 'on']
const READS_TRACES: VisitorRule = { roles: {}, otherwise: 'reads every trace', facts: [] }
export const READING = 'GET|HEAD|OPTIONS'
const YAML = (...path: string[]): Pick<Setting, 'file'> => ({ file: { format: 'yaml', path } })
const ANY_USER = 'any user that a request header names (auth.proxy)'
const NEW_USER = 'a new user, because anyone may sign up (users.allow_sign_up)'
/** A role that is set where it is not read. */
export const ROLE_UNREAD = 'a user whose role could not be read'

/** The pages and the read-only API of Prometheus 2 and 3. Lifecycle (/-/quit, /-/reload) and admin answer only to POST and PUT. */
const PROMETHEUS_PAGES =
  '/(alerts|query|graph|status|tsdb-status|flags|config|rules|targets|service-discovery|alertmanager-discovery|agent|federate|version|metrics|manifest\\.json|favicon\\.(ico|svg)|-/(ready|healthy)|(assets|static|classic|consoles|api/v1)(/.*)?)?'
const PROMETHEUS_QUERIES = '/api/v1/(query|query_range|query_exemplars|format_query|parse_query|series|labels)'

/**
 * Labels and ports: Istio's samples/addons and the communities' charts (`app` is what charts before 2020 set).
 * Grafana: https://grafana.com/docs/grafana/latest/setup-grafana/configure-grafana/ (auth.anonymous, auth.proxy, users, snapshots;
 * the administrator's first password is `admin` by default), server.protocol.
 * Kiali: https://kiali.io/docs/configuration/kialis.kiali.io/ (auth.strategy, server.web_root); with both files of `identity` it serves HTTPS.
 * Jaeger: `http.tls` and `base_path` of the jaeger_query extension (v2), --query.base-path and QUERY_BASE_PATH (v1); since v2.16 `/` is 404 with a base path.
 */
export const ADDONS: readonly Addon[] = [
  {
    name: 'grafana',
    title: 'Grafana',
    classicPort: 15031,
    sample: { service: 'grafana', port: 3000, path: '/' },
    // The last labels and `grafana-http` are of Grafana Operator; `nginx-http` is of Rancher, whose nginx stands before Grafana in its pod.
    labels: [
      { 'app.kubernetes.io/name': 'grafana' },
      { app: 'grafana' },
      { 'app.kubernetes.io/managed-by': 'grafana-operator' },
    ],
    ports: { numbers: [3000], names: ['service', 'http', 'http-web', 'grafana-http', 'nginx-http'] },
    path: { byDefault: '/' },
    https: { settings: [GRAFANA('server', 'protocol')], on: ['https', 'h2'] },
    program: {
      executables: ['grafana', 'grafana-server', 'run.sh'],
      file: '/etc/grafana/grafana.ini',
      fileVariable: 'GF_PATHS_CONFIG',
      takesSettings: true,
    },
    access: {
      by: 'setting',
      doors: [
        { setting: GRAFANA('auth.proxy', 'enabled'), open: TRUE, as: ANY_USER },
        {
          setting: GRAFANA('auth.anonymous', 'enabled'),
          open: TRUE,
          role: GRAFANA('auth.anonymous', 'org_role'),
          as: 'Viewer',
        },
        { setting: GRAFANA('users', 'allow_sign_up'), open: TRUE, as: NEW_USER },
        {
          setting: GRAFANA('snapshots', 'public_mode'),
          open: TRUE,
          as: 'a writer of snapshots (snapshots.public_mode)',
        },
      ],
      mostOpen: 'Admin',
    },
    identity: {
      byDefault: 'x-webauth-user',
      settings: [GRAFANA('auth.proxy', 'header_name'), GRAFANA('auth.proxy', 'headers')],
    },
    visitor: {
      roles: {
        Admin: 'may change dashboards, data sources and users',
        Editor: 'may change dashboards and send any query to the data sources',
        [ANY_USER]: 'may be the administrator, and so change dashboards, data sources and users',
        [ROLE_UNREAD]: 'may change dashboards, data sources and users, if the role is Admin',
      },
      otherwise: 'reads dashboards and queries their data sources',
      facts: [
        {
          setting: GRAFANA('security', 'admin_password'),
          values: ['admin'],
          byDefault: true,
          says: 'can sign in as administrator with the password "admin", unless it was changed',
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
    program: { executables: ['kiali'], file: '/kiali-configuration/config.yaml' },
    path: { setting: YAML('server', 'web_root'), byDefault: '/kiali/' },
    https: { settings: [YAML('identity', 'cert_file'), YAML('identity', 'private_key_file')] },
    access: {
      by: 'setting',
      doors: [
        {
          setting: YAML('auth', 'strategy'),
          open: ['anonymous'],
          // Not `header`: Kiali then believes the headers of a proxy, and the gateway is none.
          closed: ['', 'token', 'openid', 'openshift', 'login', 'ldap'],
          as: "a user with Kiali's own rights in the cluster",
        },
      ],
      mostOpen: "a user with Kiali's own rights in the cluster",
    },
    visitor: {
      roles: {},
      otherwise: 'sees all of the mesh',
      facts: [
        {
          right: { verb: 'patch', group: 'networking.istio.io', resource: 'virtualservices' },
          without: { setting: YAML('deployment', 'view_only_mode'), values: TRUE },
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
    // https://prometheus.io/docs/prometheus/latest/command-line/prometheus/: the default prefix is the path of the external URL
    path: { setting: { flags: ['web.route-prefix', 'web.external-url'] }, byDefault: '/' },
    // https://prometheus.io/docs/prometheus/latest/configuration/https/: the file may have only passwords.
    https: { settings: [YAML('tls_server_config', 'cert_file')], fileFlag: 'web.config.file' },
    access: { by: 'nature', role: 'a reader of every metric' },
    visitor: {
      roles: {},
      otherwise: 'reads every metric',
      facts: [
        {
          argument: '--web.enable-lifecycle',
          says: 'could stop it (--web.enable-lifecycle), but the gateway refuses that',
        },
        {
          argument: '--web.enable-admin-api',
          says: 'could delete metrics (--web.enable-admin-api), but the gateway refuses that',
        },
      ],
    },
    allowed: [
      { methods: READING, path: PROMETHEUS_PAGES },
      { methods: 'POST', path: PROMETHEUS_QUERIES },
    ],
    allowedBelowPage: true,
    // They answer Prometheus' queries, but their pages have other paths, which the allow list would refuse.
    others: [
      { title: 'Thanos', images: ['thanos'] },
      { title: 'VictoriaMetrics', images: ['victoria-metrics', 'vmselect', 'vmsingle', 'vmauth'] },
      { title: 'Mimir or Cortex', images: ['mimir', 'cortex'] },
    ],
  },
  {
    name: 'tracing',
    title: 'Jaeger',
    classicPort: 15032,
    sample: { service: 'tracing', port: 80, path: '/jaeger/' },
    // The operator of Tempo runs Jaeger's pages before it.
    labels: [
      { app: 'jaeger' },
      { 'app.kubernetes.io/name': 'jaeger' },
      { 'app.kubernetes.io/name': 'tempo-monolithic', 'app.kubernetes.io/component': 'jaegerui' },
      { 'app.kubernetes.io/name': 'tempo', 'app.kubernetes.io/component': 'query-frontend' },
    ],
    ports: { numbers: [16686], names: ['http-query', 'query'] },
    program: { executables: ['jaeger'], file: '/jaeger-configuration/config.yaml' },
    path: {
      setting: {
        flags: ['query.base-path'],
        env: 'QUERY_BASE_PATH',
        ...YAML('extensions', 'jaeger_query', 'base_path'),
      },
      byDefault: '/',
    },
    https: {
      settings: [
        {
          flags: ['query.http.tls.enabled'],
          env: 'QUERY_HTTP_TLS_ENABLED',
          ...YAML('extensions', 'jaeger_query', 'http', 'tls', 'cert_file'),
        },
      ],
    },
    access: { by: 'nature', role: 'a reader of every trace' },
    visitor: READS_TRACES,
    // Not POST /api/archive/ID. The page converts an uploaded trace with POST /api/transform, which stores nothing.
    allowed: [
      { methods: READING, path: '/.*' },
      { methods: 'POST', path: '(/[^%]*)?/api/transform' },
    ],
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
    // Its port is also the collector (POST /api/v2/spans) and has Spring's /actuator. No percent sign: it might be decoded behind the gateway.
    allowed: [{ methods: READING, path: '/(zipkin(/[^%]*)?|api/v2/[^%]*|health|info|favicon\\.ico)?' }],
  },
  {
    name: 'tracing',
    title: 'SkyWalking',
    classicPort: 15032,
    sample: { service: 'tracing-ui', port: 8080, path: '/' },
    labels: [{ app: 'skywalking-ui' }, { app: 'skywalking', component: 'ui' }],
    ports: { numbers: [8080], names: [] },
    path: { byDefault: '/' },
    access: { by: 'nature', role: 'a reader of every trace' },
    // Queries and the start of a profiling task are both POST /graphql.
    visitor: { roles: {}, otherwise: 'reads every trace and may start profiling tasks', facts: [] },
    allowed: [
      { methods: READING, path: '/.*' },
      { methods: 'POST', path: '/graphql' },
    ],
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
  /** Whether the user named them: then each must exist. Of "all", only existing ones are used. */
  named: boolean
}

/** The rows of one name: an add-on, or alternative products. */
export function rowsOf(name: string): Addon[] {
  return ADDONS.filter((row) => row.name === name)
}

/**
 * The add-ons of these names; all add-ons for no name or `all`. The name of a product works too: `jaeger` is `tracing`.
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
