/** Add-ons that a tenant claims to have, and logins that an add-on does not ask for, on the real mesh. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before, describe, it } from 'mocha'
import type { KubeObject } from '../../../src/cluster/cluster.ts'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { reportTrace } from '../jaeger-api.ts'
import { Workplace } from '../mesh.ts'
import { assertOneError } from '../one-error.ts'
import { statusOf } from '../tenant.ts'

const TENANT = 'tenant-addons'
const LOGIN = 'login-addons'
const GRAFANA = { 'app.kubernetes.io/name': 'grafana' }
const EXPOSE = ['expose', 'grafana', '-y', '--dry-run=client']
const GATEWAY = ['--gateway', 'istio-system/istio-ingressgateway']

const namespace = (name: string) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
const service = (place: string, name: string, metadata: object) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: place, ...metadata },
  spec: { selector: { app: 'mine' }, ports: [{ name: 'http', port: 3000 }] },
})

/** A Grafana that asks for a login, as its configuration says. It never runs: only its configuration is read. */
function grafana(ini: string, container: object = {}): object[] {
  const main = {
    name: 'grafana',
    image: 'none',
    ports: [{ containerPort: 3000 }],
    volumeMounts: [{ name: 'config', mountPath: '/etc/grafana' }],
    ...container,
  }
  const spec = {
    nodeSelector: { 'example.com/no': 'node' },
    containers: [main],
    volumes: [{ name: 'config', configMap: { name: 'grafana' } }],
  }
  return [
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'grafana', namespace: LOGIN },
      data: { 'grafana.ini': ini },
    },
    { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'grafana', namespace: LOGIN, labels: { app: 'mine' } }, spec },
  ]
}

describe('add-ons of tenants, and logins that are not asked for, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    untouched = dump(workplace)
    workplace.apply(namespace(TENANT), namespace(LOGIN))
    workplace.apply(
      service(TENANT, 'mine', { annotations: { 'kubectl-telemetry/addon': 'grafana' } }),
      service(LOGIN, 'grafana', { labels: GRAFANA }),
    )
  })
  after(() => {
    workplace.kubectl('delete', 'namespace', TENANT, LOGIN, '--ignore-not-found', '--wait=true')
    workplace.end()
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })

  /** Where the planned route of Grafana leads. */
  function destination(...words: string[]): string | undefined {
    const { stdout, stderr, exitCode } = workplace.telemetry(...EXPOSE, ...GATEWAY, ...words, '-o', 'json')
    assert.equal(exitCode, 0, stderr)
    const { items } = JSON.parse(stdout) as { items: KubeObject[] }
    return /"host":"([^"]+)\.svc/.exec(JSON.stringify(items.find(({ kind }) => kind === 'VirtualService')))?.[1]
  }

  describe('an annotation in a namespace of a tenant', () => {
    // What the attack wants is possible: the route can lead there, when the user says so.
    it('control: -n leads to the tenant', () => assert.equal(destination('-n', TENANT), `mine.${TENANT}`))

    it('hides nothing: -n istio-system leads to the real one', () =>
      assert.equal(destination('-n', 'istio-system'), 'grafana.istio-system'))

    for (const command of [
      [...EXPOSE, ...GATEWAY],
      ['port-forward', 'grafana'],
    ]) {
      it(`is a choice for ${command[0]}, and an error without a terminal`, () => {
        const both = new RegExp(`${TENANT}/mine \\(Grafana, only by its annotation\\)[^]*-n ${TENANT}`)
        assertOneError(workplace.telemetry(...command), 'ADDON_AMBIGUOUS', both)
      })
    }
  })

  describe('a Grafana whose configuration', () => {
    const cases: [string, object[], 'login' | 'refused'][] = [
      ['was read, and asks for a login', grafana(''), 'login'],
      [
        'has auth.proxy by a variable',
        grafana('', { env: [{ name: 'GF_AUTH_PROXY_ENABLED', value: 'true' }] }),
        'refused',
      ],
      ['has auth.proxy in its file', grafana('[auth.proxy]\nenabled = true\n'), 'refused'],
      ['lets anyone sign up', grafana('', { env: [{ name: 'GF_USERS_ALLOW_SIGN_UP', value: 'true' }] }), 'refused'],
      [
        'has arguments',
        grafana('', { args: ['cfg:auth.anonymous.enabled=true', 'cfg:auth.anonymous.org_role=Admin'] }),
        'refused',
      ],
      ['is another file', grafana('', { env: [{ name: 'GF_PATHS_CONFIG', value: '/etc/other.ini' }] }), 'refused'],
      ['is in the image', grafana('', { volumeMounts: [] }), 'refused'],
    ]
    for (const [title, objects, expected] of cases) {
      it(`${title}: ${expected === 'login' ? 'is exposed without a question' : 'is not exposed without consent'}`, () => {
        workplace.delete(...objects.slice(1).map((one) => ({ ...one })))
        workplace.run('kubectl', [
          '-n',
          LOGIN,
          'delete',
          'pod',
          'grafana',
          '--ignore-not-found',
          '--force',
          '--grace-period=0',
        ])
        workplace.apply(...objects)
        const words = ['expose', 'grafana', '-n', LOGIN, ...GATEWAY, '-y', '--timeout', '1s']
        if (expected === 'login') {
          const planned = workplace.telemetry(...words, '--dry-run=server', '-o', 'json')
          assert.equal(planned.exitCode, 0, planned.stderr)
        } else assertOneError(workplace.telemetry(...words), 'ANONYMOUS_ACCESS', /./)
        assert.equal(
          workplace.run('kubectl', ['-n', 'istio-system', 'get', 'gateway', 'kubectl-telemetry']).exitCode,
          1,
        )
      })
    }
  })

  describe('tracing behind its allow-list', () => {
    const host = `tracing.${loadBalancerAddress}.nip.io`
    const asked = (method: string, path: string) => {
      const words = [
        '-sk',
        '-o',
        '/dev/null',
        '-w',
        '%{http_code}',
        '-X',
        method,
        '--resolve',
        `${host}:443:${loadBalancerAddress}`,
      ]
      return Number(workplace.run('curl', [...words, `https://${host}${path}`]).stdout)
    }
    const TRACE = randomBytes(16).toString('hex')
    const ARCHIVE = ['POST', `/jaeger/api/archive/${TRACE}`] as const

    it('shows the page and refuses to archive; the control: without the list it would', async () => {
      await reportTrace(workplace, TRACE)
      const { stdout, stderr, exitCode } = workplace.telemetry(
        ...['expose', 'tracing', '-n', 'istio-system', '--allow-anonymous', '-y', '-o', 'json'],
      )
      assert.equal(exitCode, 0, stdout + stderr)
      const [exposed] = (JSON.parse(stdout) as ExposeResult).exposures
      assert.deepEqual([exposed?.namespace, exposed?.service, exposed?.probe?.status], ['istio-system', 'tracing', 200])
      assert.equal(statusOf(`https://${host}/jaeger/api/services`), 200)
      for (const [method, path] of [
        ARCHIVE,
        ['PUT', '/jaeger/'],
        ['DELETE', '/jaeger/api/traces/1'],
        ['POST', '/jaeger/api/traces'],
      ] as const)
        assert.equal(asked(method, path), 403, `${method} ${path}`)
      const name = 'virtualservice/kubectl-telemetry-tracing'
      const route = JSON.parse(workplace.kubectl('-n', 'istio-system', 'get', name, '-o', 'json')) as KubeObject
      const { http } = route.spec as { http: { match?: object[]; route?: object[] }[] }
      const open = http
        .filter((rule) => rule.route !== undefined)
        .map((rule) => ({ route: rule.route, match: [{ port: 443 }] }))
      const patch = JSON.stringify([{ op: 'replace', path: '/spec/http', value: open }])
      workplace.kubectl('-n', 'istio-system', 'patch', name, '--type=json', '-p', patch)
      for (let attempt = 0; asked(...ARCHIVE) === 403 && attempt < 100; attempt++) await sleep(100)
      assert.equal(asked(...ARCHIVE), 200, 'the control')
      assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
    })
  })
})
