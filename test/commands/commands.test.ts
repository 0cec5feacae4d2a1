import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { interrupted } from '../../src/errors.ts'
import { FakeCluster } from '../fakes/fake-cluster.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { type FakeWorld, fakeWorld } from '../fakes/fake-world.ts'
import { grafana, ingressGateway, jaeger, kiali, prometheus } from '../fakes/mesh.ts'
import { expectGolden } from '../golden-file.ts'
import { configuration, runCommand } from './run-command.ts'

function world(answers?: Record<string, unknown>): FakeWorld {
  return fakeWorld(new FakeCluster([...grafana(), ...ingressGateway()]), new FakeTerminal(answers))
}

/** All of Istio's sample add-ons. */
function fullMesh(answers?: Record<string, unknown>): FakeWorld {
  const objects = [...grafana(), ...ingressGateway(), ...jaeger(), ...kiali(), ...prometheus()]
  return fakeWorld(new FakeCluster(objects), new FakeTerminal(answers))
}

/** Keys differ in every run, so golden files have placeholders. */
const withoutKeys = (text: string) => text.replace(/[A-Za-z0-9+/=]{200,}/g, 'BASE64')

describe('a flag that may be repeated', () => {
  it('takes one value at a time: the next word is an argument', async () => {
    const { commands } = await configuration()
    const classes = await Promise.all(commands.map((command) => command.load()))
    const greedy = classes.flatMap(({ id, flags, baseFlags }) =>
      Object.entries({ ...baseFlags, ...flags })
        .filter(([, flag]) => 'multiple' in flag && flag.multiple && !flag.multipleNonGreedy)
        .map(([name]) => `${id} --${name}`),
    )
    assert.deepEqual(greedy, [])
  })

  it('may come before an add-on', async () => {
    const { stdout, stderr, exitCode } = await runCommand(
      'expose --allow-cidr 10.0.0.0/8 grafana --dry-run=client',
      world(),
    )
    assert.deepEqual([stderr.includes('CIDR_INVALID'), exitCode], [false, 0])
    assert.match(stdout, /virtualservice.networking.istio.io\/\S*grafana/)
  })
})

describe('kubectl telemetry expose', () => {
  it('prints the changes, the table, and the next steps', async () => {
    const { stdout, stderr, exitCode } = await runCommand('expose grafana --allow-anonymous -y', world())
    expectGolden('expose-grafana.txt', stdout)
    assert.equal(stderr, '')
    assert.equal(exitCode, 0)
  })

  it('prints the failing hop and exits with 1', async () => {
    const one = world()
    one.prober.answers = [
      { ok: false, hop: 'tcp', milliseconds: 5000, message: 'no connection to 192.0.2.10 port 443: timed out' },
    ]
    one.prober.addresses = ['198.51.100.1']
    const { stdout, stderr, exitCode } = await runCommand('expose grafana --allow-anonymous -y --timeout 1s', one)
    expectGolden('expose-grafana-failed.txt', `${stdout}--- stderr\n${stderr}`)
    assert.equal(exitCode, 1)
  })

  for (const format of ['json', 'yaml']) {
    it(`prints the result as ${format}`, async () => {
      const { stdout, exitCode } = await runCommand(`expose grafana --allow-anonymous -y -o ${format}`, world())
      expectGolden(`expose-grafana.${format}`, stdout)
      assert.equal(exitCode, 0)
    })

    it(`prints manifests as ${format} in a dry run`, async () => {
      const { stdout, stderr, exitCode } = await runCommand(`expose grafana --dry-run=client -o ${format}`, world())
      expectGolden(`expose-grafana-manifests.${format}`, withoutKeys(stdout))
      assert.match(stderr, /PRIVATE_KEY_SHOWN/)
      assert.equal(exitCode, 0)
    })
  }

  it('prints a line for each of several add-ons', async () => {
    for (const argv of ['expose all', 'expose', 'expose grafana kiali prometheus jaeger']) {
      const { stdout, stderr, exitCode } = await runCommand(`${argv} --allow-anonymous -y`, fullMesh())
      expectGolden('expose-all.txt', stdout)
      assert.deepEqual([stderr, exitCode], ['', 0])
    }
  })

  it('prints the manifests of all add-ons', async () => {
    const { stdout, exitCode } = await runCommand('expose all --dry-run=client -o yaml', fullMesh())
    expectGolden('expose-all-manifests.yaml', withoutKeys(stdout))
    assert.equal(exitCode, 0)
  })

  it('warns about missing add-ons on stderr, and continues', async () => {
    const { stdout, stderr, exitCode } = await runCommand('expose all --allow-anonymous -y', world())
    expectGolden('expose-grafana.txt', stdout)
    expectGolden('expose-all-absent-stderr.txt', stderr)
    assert.equal(exitCode, 0)
  })

  it('warns about hosts that move to another domain', async () => {
    const one = fullMesh()
    await runCommand('expose grafana --allow-anonymous -y', one)
    const { stdout, stderr } = await runCommand('expose kiali --domain example.com --allow-anonymous -y', one)
    expectGolden('expose-moved.txt', `${stdout}--- stderr\n${stderr}`)
  })

  it('marks the output of a dry run', async () => {
    const { stdout } = await runCommand('expose grafana --dry-run=server', world())
    expectGolden('expose-grafana-dry-run.txt', stdout)
  })

  it('refuses with what, where, the next command and a code, on stderr for people and on stdout for scripts', async () => {
    const people = await runCommand('expose grafana -y', world())
    expectGolden('expose-refused.txt', people.stderr)
    assert.deepEqual([people.stdout, people.exitCode], ['', 1])
    const scripts = await runCommand('expose grafana -y -o json', world())
    expectGolden('expose-refused.json', scripts.stdout)
    assert.deepEqual([scripts.stderr, scripts.exitCode], ['', 1])
  })

  it('exits with 130 on Ctrl-C', async () => {
    const one = world({ 'Expose https://grafana.192.0.2.10.nip.io/?': interrupted() })
    const { stderr, exitCode } = await runCommand('expose grafana --allow-anonymous', one)
    assert.equal(stderr, 'error: interrupted; nothing was changed (INTERRUPTED)\n')
    assert.equal(exitCode, 130)
  })

  const wrong: [argv: string, code: string][] = [
    ['expose grafna', 'ADDON_UNKNOWN'],
    ['expose --ingress-ip 999.1.1.1', 'ADDRESS_INVALID'],
    ['expose --domain https://example.com', 'DOMAIN_INVALID'],
    ['expose --domain=', 'DOMAIN_INVALID'],
    [`expose --domain ${'a'.repeat(300)}`, 'DOMAIN_INVALID'],
    ['expose --gateway ingress', 'GATEWAY_INVALID'],
    ['expose --tls-secret a/b/c', 'SECRET_NAME_INVALID'],
    ['expose --tls-secret our-tls --insecure', 'USAGE'],
    ['expose --tls-secret our-tls --ca-cert package.json --ca-key package.json', 'USAGE'],
    ['expose --tls-issuer Issuer/a/b', 'ISSUER_INVALID'],
    ['expose --tls-issuer ours --tls-secret our-tls', 'USAGE'],
    ['expose --ca-cert package.json', 'USAGE'],
    ['expose --ca-cert package.json --ca-key package.json', 'CA_INVALID'],
    ['expose --timeout -1s', 'DURATION_INVALID'],
    ['expose --dry-run', 'USAGE'],
    ['expose --dry-run=yes', 'USAGE'],
    ['expose -o table', 'USAGE'],
    ['expose --nonsense', 'USAGE'],
    ['cleanup nonsense', 'ADDON_UNKNOWN'],
    ['cleanup grafana nonsense', 'ADDON_UNKNOWN'],
    ['cleanup --domain example.com', 'USAGE'],
  ]
  for (const [argv, code] of wrong) {
    it(`wrong usage is exit code 2: ${argv.slice(0, 60)} (${code})`, async () => {
      const one = world()
      const { stdout, stderr, exitCode } = await runCommand(argv, one)
      assert.match(stderr, new RegExp(`^error: .* \\(${code}\\)\n`))
      assert.deepEqual([stdout, exitCode, one.cluster.writes], ['', 2, []])
    })
  }
})

const NOT_EXPOSED =
  'note: grafana is not exposed (NOT_EXPOSED)\n  try: kubectl telemetry cleanup --dry-run=client   # shows all exposures\n'

describe('kubectl telemetry cleanup', () => {
  it('prints the removed objects, in the words of kubectl', async () => {
    const one = world()
    await runCommand('expose grafana --allow-anonymous -y', one)
    const { stdout, exitCode } = await runCommand('cleanup -y', one)
    expectGolden('cleanup.txt', stdout)
    assert.equal(exitCode, 0)
    assert.equal(
      (await runCommand('cleanup -y', one)).stdout,
      'nothing to remove: the cluster has no exposure of kubectl telemetry\n',
    )
  })

  it('prints removed and changed objects when one of several add-ons is removed', async () => {
    const one = fullMesh()
    await runCommand('expose grafana kiali --allow-anonymous -y', one)
    expectGolden('cleanup-grafana-dry-run.txt', (await runCommand('cleanup grafana --dry-run=client', one)).stdout)
    const { stdout, stderr, exitCode } = await runCommand('cleanup grafana -y', one)
    expectGolden('cleanup-grafana.txt', stdout)
    assert.deepEqual([stderr, exitCode], ['', 0])
  })

  it('prints removed and changed objects as json', async () => {
    const one = fullMesh()
    await runCommand('expose grafana kiali --allow-anonymous -y', one)
    expectGolden('cleanup-grafana.json', (await runCommand('cleanup grafana -y -o json', one)).stdout)
  })

  it('succeeds when an add-on is not exposed', async () => {
    const { stdout, stderr, exitCode } = await runCommand('cleanup grafana', world())
    assert.deepEqual([stdout, stderr, exitCode], ['nothing to remove\n', NOT_EXPOSED, 0])
  })

  it('notes on stderr that the certificate keeps its names', async () => {
    const one = fullMesh()
    await runCommand('expose grafana kiali --allow-anonymous -y', one)
    one.authorities.kept.clear()
    const { stderr, exitCode } = await runCommand('cleanup grafana -y', one)
    assert.match(stderr, /^note: .* \(CERTIFICATE_KEPT\)\n {2}try: run kubectl telemetry expose /)
    assert.equal(exitCode, 0)
  })

  it('prints it as json', async () => {
    const one = world()
    await runCommand('expose grafana --allow-anonymous -y', one)
    expectGolden('cleanup.json', (await runCommand('cleanup -y -o json', one)).stdout)
  })
})

describe('flags', () => {
  it('are a contract: a changed flag is a reviewed diff', async () => {
    const { commands } = await configuration()
    const contract = commands.map(({ id, args, flags }) => ({
      command: id,
      args: Object.keys(args ?? {}),
      flags: Object.values(flags)
        .map((flag) => ({
          name: flag.name,
          char: flag.char,
          type: flag.type,
          ...('options' in flag && { options: flag.options }),
          ...('multiple' in flag && { multiple: flag.multiple }),
        }))
        .sort((a, b) => a.name.localeCompare(b.name)),
    }))
    expectGolden(
      'flags.json',
      JSON.stringify(
        contract.sort((a, b) => a.command.localeCompare(b.command)),
        null,
        2,
      ),
    )
  })

  it('every command has a summary and an example', async () => {
    for (const { id, summary, examples } of (await configuration()).commands) {
      assert.ok(summary, `${id} has no summary`)
      assert.ok(examples?.length, `${id} has no example`)
    }
  })
})
