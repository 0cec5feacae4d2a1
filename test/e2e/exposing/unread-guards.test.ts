/** A user who may expose add-ons but not list guards, at a gateway where another user's add-on has one. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, before, describe, it } from 'mocha'
import { parse } from 'yaml'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { type Outcome, Workplace } from '../mesh.ts'
import { assertOneError } from '../one-error.ts'
import { runPlugin } from '../plugin-runs.ts'
import { type Door, Stranger } from '../stranger.ts'

const DOMAIN = `${loadBalancerAddress}.nip.io`
const HOST = `prometheus.${DOMAIN}`
const doorAt = (host: string, port = 443): Door => ({ host, port, secure: port !== 80, path: '/-/healthy' })
/** Where prometheus is, and where the runs below would move it. */
const DOORS = [doorAt(HOST), doorAt('prometheus.example.com'), doorAt(`telemetry.${DOMAIN}`, 15030), doorAt(HOST, 80)]
const NOBODY = '192.0.2.1'
const MOVE = ['expose', 'kiali', '--allow-anonymous', '--domain', 'example.com']
const COLLEAGUE = 'e2e-colleague'

interface Rule {
  apiGroups: string[]
  resources: string[]
  verbs: string[]
}

/** The permissions of docs/rbac.md for a user, without the right to list one kind. */
function permissions(unlisted: string): object[] {
  const [, text = ''] = /```yaml\n(.*?)```/s.exec(readFileSync('docs/rbac.md', 'utf8')) ?? []
  const { rules } = parse(text) as { rules: Rule[] }
  const narrowed = rules.flatMap((rule) => [
    { ...rule, resources: rule.resources.filter((name) => name !== unlisted) },
    { ...rule, resources: rule.resources.filter((name) => name === unlisted), verbs: without(rule.verbs, 'list') },
  ])
  const api = 'rbac.authorization.k8s.io'
  const metadata = { name: COLLEAGUE }
  return [
    {
      apiVersion: `${api}/v1`,
      kind: 'ClusterRole',
      metadata,
      rules: narrowed.filter(({ resources }) => resources.length > 0),
    },
    {
      apiVersion: `${api}/v1`,
      kind: 'ClusterRoleBinding',
      metadata,
      subjects: [{ kind: 'User', name: COLLEAGUE, apiGroup: api }],
      roleRef: { apiGroup: api, kind: 'ClusterRole', name: COLLEAGUE },
    },
  ]
}

function without(verbs: string[], verb: string): string[] {
  return verbs.filter((one) => one !== verb)
}

describe('a user who may not list guards, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    untouched = dump(workplace)
  })
  afterEach(() => {
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
    workplace.kubectl('delete', 'clusterrolebinding,clusterrole', COLLEAGUE, '--ignore-not-found')
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })
  after(() => workplace.end())

  const asColleague = (...words: string[]): Promise<Outcome> => runPlugin(workplace, ...words, '-y', '--as', COLLEAGUE)
  async function asAdministrator(...words: string[]): Promise<void> {
    const { stdout, stderr, exitCode } = await runPlugin(workplace, ...words, '-y')
    assert.equal(exitCode, 0, stdout + stderr)
  }

  /** Asks at every door while something happens. @returns how often each kind of answer was seen; never a page */
  async function keptOut(happening: () => Promise<void>): Promise<Record<string, number>> {
    const stranger = new Stranger(...DOORS)
    stranger.start()
    await happening().finally(() => sleep(300))
    const seen = await stranger.end()
    assert.deepEqual(stranger.pages, [], JSON.stringify(seen))
    return seen
  }

  for (const [unlisted, guard, status] of [
    ['authorizationpolicies', ['--allow-cidr', NOBODY], 403],
    ['envoyfilters', ['--auth', 'basic'], 401],
  ] as const) {
    it(`changes nothing that has a guard, and the administrator’s same command moves it: no right to list ${unlisted}`, async () => {
      workplace.apply(...permissions(unlisted))
      await asAdministrator('expose', 'prometheus', '--allow-anonymous', ...guard)
      const guarded = dump(workplace)
      const seen = await keptOut(async () => {
        for (const [why, ...words] of [
          [/prometheus would move/, ...MOVE],
          [/prometheus would move/, 'expose', 'kiali', '--allow-anonymous', '--layout', 'ports'],
          [/prometheus would move/, 'expose', 'kiali', '--allow-anonymous', '--insecure'],
          [/prometheus is exposed already/, 'expose', 'prometheus', '--allow-anonymous'],
          [/a guard is to be set/, 'expose', 'kiali', '--auth', 'basic'],
          [/a guard is to be set/, 'expose', 'kiali', '--allow-cidr', '10.0.0.0/8'],
        ] as [RegExp, ...string[]][])
          assertOneError(await asColleague(...words), 'GUARDS_UNREADABLE', why)
        assert.deepEqual(difference(guarded, dump(workplace)), [])
        // A first exposure without a guard moves nothing.
        const first = await asColleague('expose', 'kiali', '--allow-anonymous')
        assert.equal(first.exitCode, 0, first.stderr)
        assert.match(first.stderr, /ACCESS_UNREAD/)
        await asAdministrator(...MOVE)
      })
      assert.ok((seen[`new ${status}`] ?? 0) > 0, JSON.stringify(seen))
      const routes = [
        '-n',
        'istio-system',
        'get',
        'virtualservices.networking.istio.io',
        '-o',
        'jsonpath={..spec.hosts}',
      ]
      assert.equal(workplace.kubectl(...routes), '["kiali.example.com"] ["prometheus.example.com"]')
    })
  }

  it('control: would move the add-on without its guard, by the writes of a former version, and then strangers get pages', async () => {
    workplace.apply(...permissions('authorizationpolicies'))
    await asAdministrator('expose', 'prometheus', '--allow-anonymous', '--allow-cidr', NOBODY)
    const patch = (what: string, change: object[]) => {
      const words = ['-n', 'istio-system', 'patch', what, '--type=json', '-p', JSON.stringify(change)]
      workplace.kubectl('--as', COLLEAGUE, ...words)
    }
    const replaced = (path: string, host: string) => ({ op: 'replace', path, value: host })
    const stranger = new Stranger(...DOORS)
    stranger.start()
    patch('virtualservices.networking.istio.io/kubectl-telemetry-prometheus', [
      replaced('/spec/hosts/0', 'prometheus.example.com'),
    ])
    patch('gateways.networking.istio.io/kubectl-telemetry', [
      replaced('/spec/servers/0/hosts/0', './prometheus.example.com'),
    ])
    await stranger.untilPage()
    await stranger.end()
  })
})
