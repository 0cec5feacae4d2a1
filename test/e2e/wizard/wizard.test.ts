import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { after, afterEach, before, describe, it } from 'mocha'
import { parseAllDocuments } from 'yaml'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { statusOf } from '../tenant.ts'

interface Manifest {
  kind: string
  metadata: { name: string; namespace: string; labels?: object; annotations?: object }
  data?: object
  [field: string]: unknown
}

type Typing = { prompt: RegExp; type: string }[]

const DOMAIN = `${loadBalancerAddress}.nip.io`
const ENTER = '\r'
const DOWN = '\x1b[B'
const CTRL_C = '\x03'

/** All four are ticked: keeps only the first one. */
const GRAFANA: Typing = [
  { prompt: /\? Which add-ons\?[\s\S]*submit/, type: 'i' },
  { prompt: /◯ grafana/, type: ' ' },
  { prompt: /◉ grafana\s+◯ kiali/, type: ENTER },
]
const WAY = /\? How do you want to reach them\?[\s\S]*← back/
const EXPOSE: Typing = [{ prompt: WAY, type: ENTER }]
const PORT_FORWARD: Typing = [
  { prompt: WAY, type: DOWN },
  { prompt: /❯ port-forward/, type: ENTER },
]
const ADDRESS = /\? Address of the ingress gateway/
const PAGES = /\? Domain of the pages/
const FOUND: Typing = [
  { prompt: ADDRESS, type: ENTER },
  { prompt: PAGES, type: ENTER },
]
const WHO = /\? Who may enter grafana\?[\s\S]*← back/
const PASSWORD: Typing = [{ prompt: WHO, type: ENTER }]
const NETWORKS: Typing = [
  { prompt: WHO, type: DOWN },
  { prompt: /❯ only requests from some addresses/, type: ENTER },
]
const ANYONE: Typing = [
  { prompt: WHO, type: DOWN },
  { prompt: /❯ only requests from some addresses/, type: DOWN },
  { prompt: /❯ anyone who reaches/, type: ENTER },
]
const PLAN = /\? Expose https:\/\/\S+\? \(y\/N\)/
const YES: Typing = [{ prompt: PLAN, type: `y${ENTER}` }]

/** Networks, and a domain and an address after a wrong first attempt. */
const CORRECTED: Typing = [
  { prompt: ADDRESS, type: `127.0.0.9${ENTER}` },
  { prompt: /\? Domain of the pages.*127\.0\.0\.9\.nip\.io/, type: `<${ENTER}` },
  { prompt: /✔ Domain of the pages.*: <\s[\s\S]*\? Address of.*127\.0\.0\.9/, type: `${loadBalancerAddress}${ENTER}` },
  { prompt: new RegExp(`\\? Domain of the pages.*${DOMAIN}`), type: `example.com${ENTER}` },
  ...NETWORKS,
  { prompt: /\? Addresses or networks/, type: `203.0.113.0/24 2001:db8::/32${ENTER}` },
]

describe('the wizard on a terminal, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    untouched = dump(workplace)
  })
  afterEach(() => {
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })
  after(() => workplace.end())

  const paths: [string, Typing, string, string, number][] = [
    ['a password', [...FOUND, ...PASSWORD], 'expose grafana --auth basic', DOMAIN, 401],
    ['anyone', [...FOUND, ...ANYONE], 'expose grafana --allow-anonymous', DOMAIN, 200],
    [
      'networks, and back for another address',
      CORRECTED,
      'expose grafana --domain example.com --allow-cidr 2001:db8::/32 --allow-cidr 203.0.113.0/24',
      'example.com',
      403,
    ],
  ]
  for (const [title, answers, command, domain, status] of paths) {
    it(`exposes, and prints an equivalent command with the same manifests: ${title}`, async () => {
      const { screen, exitCode } = await workplace.onTerminal([], [...GRAFANA, ...EXPOSE, ...answers, ...YES])
      assert.equal(exitCode, 0, screen)
      assert.match(screen, /context +lab \(https:\/\/.*\)\s+gateway +istio-system\/istio-ingressgateway at /)
      assert.equal(printed(screen), command)
      assert.equal(statusOf(`https://grafana.${domain}/`), status)
      const applied = ownObjects(workplace)
      workplace.telemetry('cleanup', '-y')
      const dryRun = workplace.telemetry(...command.split(' '), '--dry-run=client', '-o', 'yaml')
      assert.equal(dryRun.exitCode, 0, dryRun.stderr)
      const planned = parseAllDocuments(dryRun.stdout).map((document) => document.toJS() as Manifest)
      assert.deepEqual(byName(planned), byName(applied))
    })
  }

  it('forwards ports until Ctrl-C', async () => {
    const { screen, exitCode } = await workplace.onTerminal(
      ['wizard', '-n', 'istio-system'],
      [...GRAFANA, ...PORT_FORWARD, { prompt: /grafana +http:\/\/localhost:\d+\/ +\(pod /, type: CTRL_C }],
    )
    assert.equal(exitCode, 0, screen)
    assert.equal(printed(screen), 'port-forward grafana -n istio-system')
  })

  it('changes nothing when the plan is declined, and goes back', async () => {
    const { screen, exitCode } = await workplace.onTerminal(
      [],
      [
        ...[...GRAFANA, ...EXPOSE, ...FOUND, ...ANYONE],
        { prompt: PLAN, type: `n${ENTER}` },
        { prompt: /\? What now\?[\s\S]*← back/, type: DOWN },
        { prompt: /❯ ← back/, type: ENTER },
        { prompt: /✔ What now\? ← back\s[\s\S]*\? Who may enter[\s\S]*❯ anyone who reaches/, type: CTRL_C },
      ],
    )
    assert.equal(exitCode, 130, screen)
    assert.match(screen, /nothing was changed/)
    assert.deepEqual(ownObjects(workplace), [])
  })

  const questions: [string, Typing, RegExp][] = [
    ['add-ons', [], /\? Which add-ons\?[\s\S]*submit/],
    ['way', GRAFANA, WAY],
    ['address', [...GRAFANA, ...EXPOSE], ADDRESS],
    ['domain', [...GRAFANA, ...EXPOSE, ...FOUND.slice(0, 1)], PAGES],
    ['access', [...GRAFANA, ...EXPOSE, ...FOUND], WHO],
    ['plan', [...GRAFANA, ...EXPOSE, ...FOUND, ...PASSWORD], PLAN],
  ]
  for (const [question, before, prompt] of questions) {
    it(`changes nothing on Ctrl-C, and exits with 130: ${question}`, async () => {
      const { screen, exitCode } = await workplace.onTerminal([], [...before, { prompt, type: CTRL_C }])
      assert.equal(exitCode, 130, screen)
      assert.match(screen, /interrupted; nothing was changed/)
      assert.deepEqual(difference(untouched, dump(workplace)), [])
    })
  }

  it('treats Ctrl-D like Ctrl-C', async () => {
    const { screen, exitCode } = await workplace.onTerminal([], [...GRAFANA, { prompt: WAY, type: '\x04' }])
    assert.equal(exitCode, 130, screen)
    assert.match(screen, /error: interrupted; nothing was changed/)
    assert.doesNotMatch(screen, /Warning/)
  })

  it('does not start without a terminal: a script gets the help', () => {
    const { stdout, stderr, exitCode } = workplace.telemetry()
    assert.deepEqual([exitCode, stderr], [0, ''])
    assert.match(stdout, /^COMMANDS$[\s\S]*^ {2}wizard +Ask what to do/m)
  })
})

/** Splits a command like a shell. */
function printed(screen: string): string {
  const [, line = ''] = /the same without questions:\s+kubectl telemetry (.*?)\r?\n/.exec(screen) ?? []
  return spawnSync('sh', ['-c', `echo ${line}`], { encoding: 'utf8' }).stdout.trimEnd()
}

function ownObjects(workplace: Workplace): Manifest[] {
  const kinds = ['secrets', 'virtualservices', 'gateways.networking.istio.io', 'authorizationpolicies', 'envoyfilters']
  const label = 'app.kubernetes.io/managed-by=kubectl-telemetry'
  return JSON.parse(workplace.kubectl('get', kinds.join(), '-A', '-l', label, '-o', 'json')).items as Manifest[]
}

/** Manifests by kind and name, without fields of the API server and without values that differ in each run: certificates and passwords. */
function byName(objects: Manifest[]): Record<string, unknown> {
  const lasting = ({ metadata, data, status: _, ...rest }: Manifest) => {
    const { name, namespace, labels, annotations = {} } = metadata
    return { ...rest, name, namespace, labels, annotations, data: Object.keys(data ?? {}).sort() }
  }
  const entries = objects.map((object) => [`${object.kind}/${object.metadata.name}`, lasting(object)])
  const text = JSON.stringify(Object.fromEntries(entries))
  // The version of a guard in the server's name is that of a generated password.
  const comparable = text
    .replace(/\{SHA\}[\w+/]+=*/g, 'HASH')
    .replace(/("https-telemetry-[a-z]+-)[0-9a-f]{4}"/g, '$1VERSION"')
  return JSON.parse(comparable) as Record<string, unknown>
}
