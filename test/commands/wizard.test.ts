import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'mocha'
import PortForward from '../../src/commands/port-forward.ts'
import { interrupted } from '../../src/errors.ts'
import { renderChoice } from '../../src/rendering/wizard.ts'
import { world as meshWith } from '../exposing/exposing.ts'
import { InTurn } from '../fakes/fake-terminal.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { grafana, kiali } from '../fakes/mesh.ts'
import { expectGolden } from '../golden-file.ts'
import {
  ADDONS,
  ADDRESS,
  ANYONE,
  BACK,
  BY_NETWORK,
  DOMAIN,
  ENTER,
  EXPOSE,
  MESH,
  NETWORKS,
  PASSWORD,
  WAY,
  WHAT_NOW,
  WHO,
} from '../wizard/wizarding.ts'
import { configuration, runCommand } from './run-command.ts'

const URLS = 'https://grafana.192.0.2.10.nip.io/, https://kiali.192.0.2.10.nip.io/kiali/'
const CONFIRM = `Expose ${URLS}?`
const OPEN = WHO('grafana', 'kiali')
const EXPOSING = { [ADDONS]: ['grafana', 'kiali'], [WAY]: EXPOSE, [ADDRESS]: ENTER, [DOMAIN]: ENTER, [CONFIRM]: true }

/** A mesh whose gateway asks for a login if a guard requires it. */
function meshWhere(answers?: Record<string, unknown>): FakeWorld {
  const one = meshWith(MESH, answers)
  one.prober.page = ({ authorization }) => {
    const asks = authorization === undefined && one.cluster.objects.some(({ kind }) => kind === 'EnvoyFilter')
    const [hop, status] = asks ? (['access', 401] as const) : (['upstream', 200] as const)
    return { ok: true, hop, status, protocol: 'HTTP/2', milliseconds: 12 }
  }
  return one
}

/** The printed command, split into words like in a shell. */
function printedWords(stderr: string): string[] {
  const [, line = ''] = /the same without questions:\n {2}(.*)\n/.exec(stderr) ?? []
  const { stdout } = spawnSync('sh', ['-c', `printf '%s\\0' ${line}`], { encoding: 'utf8' })
  return stdout.split('\0').slice(0, -1)
}

/** Without keys and certificates, which differ in every run. */
function lasting({ cluster }: FakeWorld): unknown[] {
  const objects = cluster.objects.map(({ metadata, ...rest }) => {
    // Counted by the fake: a plan that is made twice is rehearsed twice.
    const { uid: _u, resourceVersion: _r, ...kept } = metadata
    return { ...rest, metadata: kept }
  })
  return JSON.parse(JSON.stringify(objects).replace(/[A-Za-z0-9+/=]{200,}/g, 'PEM')) as unknown[]
}

describe('kubectl telemetry wizard', () => {
  it('shows the cluster, the choices and the command, and the output of the command', async () => {
    const one = meshWhere({ ...EXPOSING, [OPEN]: PASSWORD })
    const { stdout, stderr, exitCode } = await runCommand('wizard', one)
    const plan = one.terminal.notes.join('\n')
    expectGolden('wizard-expose.txt', `${stderr}--- plan\n${plan}\n--- stdout\n${stdout}`)
    assert.equal(exitCode, 0)
  })

  it('shows no token of the command line', () => {
    const shown = (...asked: string[]) =>
      renderChoice({ addons: ['grafana'] }, { command: 'port-forward', words: [], urls: [], guards: {} }, asked)
    assert.match(shown('--token', 'secret', '-n', 'a'), /port-forward --token TOKEN -n a$/m)
    assert.match(shown('--token=secret'), /port-forward --token=TOKEN$/m)
  })

  it('shows the choices and the command for port-forward', () => {
    const addons = ['grafana', 'kiali']
    expectGolden(
      'wizard-port-forward.txt',
      renderChoice({ addons }, { command: 'port-forward', words: addons, urls: [], guards: {} }, []),
    )
  })

  it('shows the obstacles to exposing, and the warnings', async () => {
    const [service, pod] = grafana('observability', { GF_AUTH_ANONYMOUS_ENABLED: 'false' })
    assert.ok(service && pod)
    const second = {
      ...service,
      metadata: { ...service.metadata, name: 'grafana-2' },
      spec: { ...(service.spec as object), selector: { app: 'other' } },
    }
    const one = meshWith([...kiali(), service, pod, second], { [ADDONS]: interrupted() })
    const { stderr, exitCode } = await runCommand('wizard', one)
    assert.equal(exitCode, 130)
    expectGolden('wizard-nothing-to-expose.txt', stderr)
  })

  const ways: [string, Record<string, unknown>][] = [
    ['password', { [OPEN]: PASSWORD }],
    ['networks', { [OPEN]: BY_NETWORK, [NETWORKS]: '203.0.113.0/24 2001:db8::/32' }],
    ['anyone', { [OPEN]: ANYONE }],
    [
      'address',
      { [OPEN]: ANYONE, [ADDRESS]: '198.51.100.7', [CONFIRM.replaceAll('192.0.2.10', '198.51.100.7')]: true },
    ],
  ]
  for (const [title, answers] of ways) {
    it(`prints a command that, run without the wizard, does the same: ${title}`, async () => {
      const one = meshWhere({ ...EXPOSING, ...answers })
      const { stdout, stderr, exitCode } = await runCommand('wizard', one)
      assert.equal(exitCode, 0, stderr)
      const [, , ...words] = printedWords(stderr)
      const other = meshWhere()
      const direct = await runCommand(`${words.join(' ')} -y`, other)
      assert.deepEqual([direct.stdout, direct.exitCode], [stdout, 0])
      assert.deepEqual(lasting(one), lasting(other))
    })
  }

  it('shows the present guard when it is unchanged', async () => {
    const one = meshWhere(EXPOSING)
    await runCommand('expose grafana kiali --auth basic -y', one)
    const { stderr, exitCode } = await runCommand('wizard', one)
    assert.match(stderr, /^access +grafana: with a password \(telemetry\), as before$/m)
    assert.deepEqual(printedWords(stderr), ['kubectl', 'telemetry', 'expose', 'grafana', 'kiali'])
    assert.equal(exitCode, 0)
  })

  it('prints its own flags, too, quoted for a shell', async () => {
    const { stderr } = await runCommand(
      "wizard -n istio-system --context it's",
      meshWhere({ ...EXPOSING, [OPEN]: PASSWORD }),
    )
    const own = ['-n', 'istio-system', '--context', "it's"]
    assert.deepEqual(printedWords(stderr), [
      'kubectl',
      'telemetry',
      'expose',
      'grafana',
      'kiali',
      '--auth',
      'basic',
      ...own,
    ])
  })

  it('passes its own flags to the command, too', async () => {
    const { stdout } = await runCommand('wizard -o json', meshWhere({ ...EXPOSING, [OPEN]: PASSWORD }))
    assert.equal(JSON.parse(stdout).outcome, 'applied')
  })

  it('prints a port-forward command that accepts its flags', async () => {
    const page = renderChoice(
      { addons: ['kiali'] },
      { command: 'port-forward', words: ['kiali', '-n', 'a'], urls: [], guards: {} },
      ['--as', 'a b'],
    )
    const command = new PortForward(printedWords(page).slice(3), await configuration())
    const parsing = command as unknown as { parse(of: typeof PortForward): ReturnType<PortForward['parse']> }
    const { args, flags } = await parsing.parse(PortForward)
    assert.deepEqual([args.addon, flags.namespace, flags.as], [['kiali'], 'a', 'a b'])
  })

  it('goes back when the plan is declined, and then runs the new choice', async () => {
    const answers = { [OPEN]: new InTurn(PASSWORD, ANYONE), [CONFIRM]: new InTurn(false, true), [WHAT_NOW]: BACK }
    const one = meshWhere({ ...EXPOSING, ...answers })
    const { stdout, exitCode } = await runCommand('wizard', one)
    assert.match(stdout, /^nothing was changed\n/)
    assert.doesNotMatch(stdout, /lets in/)
    assert.equal(exitCode, 0)
  })

  it('exits as the command does: 1 when it was declined', async () => {
    const one = meshWhere({ ...EXPOSING, [OPEN]: PASSWORD, [CONFIRM]: false, [WHAT_NOW]: 'end' })
    const { stdout, exitCode } = await runCommand('wizard', one)
    assert.deepEqual([stdout, exitCode, one.cluster.writes], ['nothing was changed\n', 1, []])
  })

  it('exits with 1 without a terminal', async () => {
    const { stdout, stderr, exitCode } = await runCommand('wizard', meshWhere())
    assert.match(stderr, /^error: the wizard asks questions and needs a terminal \(TERMINAL_REQUIRED\)\n/)
    assert.deepEqual([stdout, exitCode], ['', 1])
  })
})
