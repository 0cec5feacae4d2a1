/** A tenant who may edit one namespace, and Istio's objects in it, has created everything that could misuse an administrator's rights. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import { ENVOY_FILTERS } from '../../src/cluster/resources.ts'
import { guardFilter } from '../../src/manifests/envoy-filter.ts'
import { basicAuth } from '../../src/manifests/guard-filters.ts'
import type { ScrapeStatusResult } from '../../src/scraping/status-result.ts'
import type { StatusReport } from '../../src/status/report.ts'
import { loadBalancer } from '../lab/lab.ts'
import { difference, dump } from './dump.ts'
import { HostileTenant } from './hostile-tenant.ts'
import { Workplace } from './mesh.ts'

const NAMESPACE = 'adversary'
const OURS = { 'app.kubernetes.io/managed-by': 'kubectl-telemetry', 'kubectl-telemetry/part': 'exposing' }
const CHANGED = { 'kubectl-telemetry/scraping': 'true' }
const LINKED = { 'kubectl-telemetry/exposing': 'true', 'kubectl-telemetry/linked': 'true' }
const RECORD = 'kubectl-telemetry/before-scraping'
const ESCAPE = '\u001b]0;owned\u0007\u001b[2J'
const HUGE = 'x'.repeat(200 * 1024)

const field = (path: unknown[], value: unknown) => ({ path, existed: 1, before: { value }, after: {} })
const record = (...fields: object[]) => ({ [RECORD]: JSON.stringify({ managedFields: [], fields }) })
const at = (name: string, labels = {}, annotations = {}) => ({ name, namespace: NAMESPACE, labels, annotations })

function configMap(name: string, labels: object, annotations: object, data: object = { a: 'b' }): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: at(name, labels, annotations), data }
}

function deployment(name: string, annotations: object, args: string[] = [], ofPods: object = {}): object {
  const container = { name: 'app', image: 'none.example/none', args, securityContext: { readOnlyRootFilesystem: true } }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: at(name, CHANGED, annotations),
    spec: {
      replicas: 0,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name }, annotations: ofPods }, spec: { containers: [container] } },
    },
  }
}

/** Objects that carry marks of a change, by the name under which each has to be reported. */
const EDITED: Record<string, object> = {
  'ConfigMap adversary/innocent': configMap(
    'innocent',
    CHANGED,
    record(field(['data'], { k: 'evil' }), field(['metadata'], { name: 'target', namespace: 'adversary-victim' })),
  ),
  'ConfigMap adversary/broken': configMap('broken', CHANGED, { [RECORD]: '{' }),
  'ConfigMap adversary/loud': configMap('loud', CHANGED, { [RECORD]: ESCAPE }),
  'ConfigMap adversary/huge': configMap('huge', CHANGED, { [RECORD]: HUGE }, { a: HUGE.repeat(4) }),
  'ConfigMap adversary/deep': configMap('deep', CHANGED, { [RECORD]: '['.repeat(100_000) }),
  'ConfigMap adversary/labelled': configMap('labelled', CHANGED, {}),
  'Deployment adversary/operator': deployment(
    'operator',
    record(
      field(['spec', 'template', 'spec', 'serviceAccountName'], 'admin'),
      field(['spec', 'template', 'spec', 'containers', { name: 'app' }, 'image'], 'evil'),
    ),
  ),
}

const NETWORKING = 'networking.istio.io/v1'
const sso = { hosts: ['sso.corp.example'], gateways: ['kubectl-telemetry'] }
const route = [{ route: [{ destination: { host: 'mine', port: { number: 3000 } } }] }]

/** Objects that say that exposing made them. */
const MADE: Record<string, object> = {
  'Gateway adversary/kubectl-telemetry': {
    apiVersion: NETWORKING,
    kind: 'Gateway',
    metadata: at('kubectl-telemetry', OURS),
    spec: {
      selector: { istio: 'ingressgateway' },
      servers: [
        {
          hosts: ['sso.corp.example', 'mail.corp.example'],
          port: { number: 443, name: 'https-telemetry', protocol: 'HTTPS' },
          tls: { mode: 'SIMPLE', credentialName: 'kubectl-telemetry-tls' },
        },
      ],
    },
  },
  'Gateway adversary/plaintext': {
    apiVersion: NETWORKING,
    kind: 'Gateway',
    metadata: at('plaintext', OURS),
    spec: {
      selector: { istio: 'ingressgateway' },
      servers: [{ hosts: ['grafana.corp.example'], port: { number: 80, name: 'http-telemetry', protocol: 'HTTP' } }],
    },
  },
  'VirtualService adversary/kubectl-telemetry-sso': {
    apiVersion: NETWORKING,
    kind: 'VirtualService',
    metadata: at('kubectl-telemetry-sso', { ...OURS, 'app.kubernetes.io/component': 'sso' }),
    spec: { ...sso, http: route },
  },
  'VirtualService adversary/kubectl-telemetry-grafana': {
    apiVersion: NETWORKING,
    kind: 'VirtualService',
    metadata: at(
      'kubectl-telemetry-grafana',
      { ...OURS, 'app.kubernetes.io/component': 'grafana' },
      { 'kubectl-telemetry/expires-at': '2020-01-01T00:00:00Z' },
    ),
    spec: { ...sso, gateways: ['istio-system/kubectl-telemetry'], http: route },
  },
  'AuthorizationPolicy adversary/kubectl-telemetry-grafana': {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: at('kubectl-telemetry-grafana', { ...OURS, 'app.kubernetes.io/component': 'grafana' }),
    spec: { action: 'DENY', rules: [{}] },
  },
  'EnvoyFilter adversary/kubectl-telemetry-grafana': guardFilter(
    ENVOY_FILTERS,
    {
      namespace: NAMESPACE,
      selector: { istio: 'ingressgateway' },
      addonName: 'grafana',
      host: 'sso.corp.example',
      ports: undefined,
      serverNames: ['sso.corp.example'],
      serverPort: 443,
    },
    basicAuth(['me:{SHA}q/eq1kOINtvlJqojGr3i0O73TUI=']),
  ),
  'Secret adversary/kubectl-telemetry-tls': {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: at('kubectl-telemetry-tls', OURS),
    type: 'kubernetes.io/tls',
    data: { 'tls.crt': '', 'tls.key': '' },
  },
}

/** With fields of our field manager, as the layout `ports` leaves them in the Service of the gateway. */
const SHARED: Record<string, object> = {
  'Service adversary/mine': {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: at('mine', {}, { 'kubectl-telemetry/addon': 'grafana', note: ESCAPE }),
    spec: { selector: { app: 'mine' }, ports: [{ name: 'telemetry-grafana', port: 3000 }] },
  },
}

/** Kiali's configuration with the marks of links, of this version and of the one before records. */
const LINKS: Record<string, object> = {
  'ConfigMap adversary/kiali': configMap(
    'kiali',
    LINKED,
    {
      'kubectl-telemetry/before-exposing': JSON.stringify({
        managedFields: [],
        fields: [
          field(['data'], { k: 'evil' }),
          field(['metadata'], { name: 'target', namespace: 'adversary-victim' }),
        ],
      }),
      'kubectl-telemetry/before-link': ESCAPE,
    },
    { 'config.yaml': 'external_services: {}' },
  ),
}

const OTHERS: object[] = [
  deployment('prometheus', {}, [
    '--config.file=/x.yml',
    '--storage.tsdb.path=/data',
    '--web.route-prefix=/../../../../secrets?x=',
  ]),
]

const VICTIM = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'target', namespace: 'adversary-victim' },
  data: { k: 'original' },
}

const COMMANDS = [
  ['expose', 'prometheus', '-n', 'istio-system', '--allow-anonymous', '-y'],
  ['expose', 'all', '--dry-run=server'],
  ['status'],
  ['status', '-o', 'json'],
  ['scrape-secure', 'status'],
  ['scrape-secure', 'status', '-o', 'json'],
  ['scrape-secure', '-n', NAMESPACE, '--dry-run=server'],
  ['cert', 'status'],
  ['cert', 'rotate', '-y'],
  ['cert', 'trust', '--dry-run=client'],
  ['addons', 'list'],
  ['addons', 'install', 'loki', '--dry-run=server'],
  ['addons', 'uninstall', '-y'],
  ['cleanup', '--expired', '-y'],
  ['cleanup', '--scraping', '--dry-run=server'],
  ['cleanup', '--scraping', '-y', '-o', 'json'],
  ['cleanup', 'kiali', '-y'],
  ['cleanup', '--documented-setup', '-y'],
  ['cleanup', '-y', '-o', 'json'],
]

describe('a tenant that works against the administrator, on the real mesh', () => {
  const workplace = new Workplace()
  const secret = () =>
    workplace.kubectl('-n', NAMESPACE, 'get', 'secret', 'kubectl-telemetry-tls', '-o', 'jsonpath={.data}')
  let tenant: HostileTenant
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    workplace.kubectl('create', 'namespace', 'adversary-victim')
    workplace.apply(VICTIM)
    tenant = new HostileTenant(workplace, NAMESPACE)
    tenant.plant(...[EDITED, MADE, SHARED, LINKS].flatMap((objects) => Object.values(objects)), ...OTHERS)
    untouched = dump(workplace)
  })
  after(() => {
    tenant?.remove()
    workplace.kubectl('delete', 'namespace', 'adversary-victim')
    workplace.end()
  })

  it('control: the API server would accept what the record asks for, and not from the tenant', () => {
    const path = '/api/v1/namespaces/adversary-victim/configmaps/target?dryRun=All'
    const write = (...as: string[]) =>
      workplace.run('kubectl', [...as, 'replace', '--raw', path, '-f', '-'], {
        input: JSON.stringify({ ...VICTIM, data: { k: 'evil' } }),
      })
    assert.equal(write().exitCode, 0)
    assert.match(write('--as', tenant.user).stderr, /forbidden/i)
  })

  for (const words of COMMANDS)
    it(`gains nothing by ${words.join(' ')}`, () => {
      const key = secret()
      const { stdout, stderr, exitCode } = workplace.telemetry(...words)
      const said = `${stdout}${stderr}`
      assert.ok([0, 1, 2].includes(exitCode), `exit code ${exitCode}: ${said}`)
      assert.doesNotMatch(said, /\bBUG\b|^ {4}at /m)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
      assert.doesNotMatch(said, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/)
      assert.ok(said.length < 100_000, `${said.length} characters`)
      assert.equal(secret(), key)
      if (words.includes('json')) requireEachOnce(reportedBy(words), stdout)
      if (words[0] === 'status' && words.includes('json')) requireNoExposure(JSON.parse(stdout))
    })

  it('does not have its Prometheus taken for the one of the mesh, by scrape-secure status', () => {
    const secured = deployment('secured', { [RECORD]: '{"managedFields":[],"fields":[]}' }, [], {
      'prometheus.istio.io/secure-port': '15443',
    })
    tenant.plant(secured)
    const { stdout, stderr } = workplace.telemetry('scrape-secure', 'status', '-o', 'json')
    workplace.kubectl('-n', NAMESPACE, 'delete', 'deployment', 'secured')
    const { prometheus, warnings } = JSON.parse(stdout) as ScrapeStatusResult
    assert.equal(prometheus, undefined, stderr)
    const unknown = warnings.find(({ code }) => code === 'TARGETS_UNKNOWN')
    assert.ok(unknown?.remedies.includes('--prometheus istio-system/prometheus'), JSON.stringify(warnings, null, 1))
  })

  it('sees nothing changed by them, in no namespace', () => {
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })
})

/** The objects that the report of a command names. */
function reportedBy([verb, ...words]: string[]): string[] {
  if (verb === 'scrape-secure' || words.includes('--scraping')) return Object.keys(EDITED)
  return Object.keys(verb === 'status' ? { ...MADE, ...SHARED } : { ...MADE, ...SHARED, ...LINKS })
}

function requireEachOnce(names: string[], json: string): void {
  const { warnings, problems = warnings } = JSON.parse(json) as Record<string, { message: string }[] | undefined>
  for (const name of names)
    assert.equal(
      problems?.filter(({ message }) => message.includes(`${name} `)).length,
      1,
      `${name} in ${JSON.stringify(problems, null, 1)}`,
    )
}

/** Nothing of the tenant is an exposure, and nothing else is exposed here than what the first command exposed. */
function requireNoExposure({ gateway, addons, problems }: StatusReport): void {
  assert.equal(gateway?.namespace, 'istio-system')
  const exposed = addons.filter(({ exposure }) => exposure !== undefined)
  assert.deepEqual(
    exposed.map(({ name, exposure }) => [name, exposure?.gateway]),
    [['prometheus', 'istio-system/istio-ingressgateway']],
  )
  // The annotated Service is listed among the places of Grafana, where none runs.
  const known = ['OBJECT_NOT_TRUSTED', 'ADDON_NOT_READY']
  assert.deepEqual(
    problems.filter(({ code, message }) => !known.includes(code) && message.includes(NAMESPACE)),
    [],
  )
}
