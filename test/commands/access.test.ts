import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { FakeCluster } from '../fakes/fake-cluster.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { type FakeWorld, fakeWorld } from '../fakes/fake-world.ts'
import { grafana, ingressGateway, jaeger, kiali, prometheus } from '../fakes/mesh.ts'
import { expectGolden } from '../golden-file.ts'
import { runCommand } from './run-command.ts'

function fullMesh(): FakeWorld {
  const objects = [...grafana(), ...ingressGateway(), ...jaeger(), ...kiali(), ...prometheus()]
  return fakeWorld(new FakeCluster(objects), new FakeTerminal())
}

describe('who may enter, as people read it', () => {
  it('an allow list and an expiry, by a machine that is kept out', async () => {
    const one = fullMesh()
    one.prober.answers = [{ ok: true, hop: 'access', status: 403, protocol: 'HTTP/2', milliseconds: 3 }]
    const argv = 'expose grafana kiali --allow-cidr 203.0.113.0/24 --allow-cidr 2001:db8::/32 --ttl 8h -y'
    const { stdout, stderr, exitCode } = await runCommand(argv, one)
    expectGolden('expose-allow-list.txt', `${stdout}--- stderr\n${stderr}`)
    assert.equal(exitCode, 0)
  })

  it('a password that was made, and a login elsewhere', async () => {
    const one = fullMesh()
    one.prober.probe = async ({ authorization }) => {
      const page = { ok: true, protocol: 'HTTP/2', milliseconds: 3 }
      return authorization === undefined
        ? { ...page, hop: 'access', status: 401 }
        : { ...page, hop: 'upstream', status: 200 }
    }
    const { stdout, stderr, exitCode } = await runCommand('expose grafana kiali --auth basic -y', one)
    expectGolden('expose-password.txt', stdout)
    expectGolden('expose-password.json', (await runCommand('expose tracing --auth basic -y -o json', one)).stdout)
    assert.deepEqual([stderr, exitCode], ['', 0])
  })

  it('nothing has expired', async () => {
    const one = fullMesh()
    await runCommand('expose grafana --allow-anonymous --ttl 8h -y', one)
    const { stdout, exitCode } = await runCommand('cleanup --expired -y', one)
    assert.deepEqual([stdout, exitCode], ['nothing to remove\n', 0])
  })
})

describe('bad input about who may enter: exit code 2, and nothing is read', () => {
  const cases: [string, string][] = [
    ['--allow-cidr 10.0.0.0/33', 'CIDR_INVALID'],
    ['--allow-cidr 2001:db8::/129', 'CIDR_INVALID'],
    ['--allow-cidr office', 'CIDR_INVALID'],
    ['--allow-cidr any --allow-cidr 10.0.0.0/8', 'CIDR_INVALID'],
    ['--ttl=-1h', 'DURATION_INVALID'],
    ['--ttl 0s', 'DURATION_INVALID'],
    ['--ttl tomorrow', 'DURATION_INVALID'],
    ['--auth magic', 'AUTH_INVALID'],
    ['--auth ext-authz', 'AUTH_INVALID'],
    ['--auth ext-authz=', 'AUTH_INVALID'],
    ['--auth jwt', 'AUTH_INVALID'],
    ['--auth jwt --issuer https://issuer.example.com', 'AUTH_INVALID'],
    ['--auth basic --issuer https://issuer.example.com', 'AUTH_INVALID'],
    ['--auth jwt --jwks-uri http://issuer.example.com/', 'JWKS_URI_INVALID'],
    ['--auth jwt --jwks package.json', 'JWKS_INVALID'],
    ['--auth basic --htpasswd package.json', 'HTPASSWD_INVALID'],
    ['--auth basic --htpasswd /nowhere', 'FILE_UNREADABLE'],
    ['--htpasswd package.json', 'HTPASSWD_INVALID'],
    ['--issuer https://issuer.example.com', 'USAGE'],
    ['--while-running --dry-run=server', 'USAGE'],
    ['--while-running --diff', 'USAGE'],
  ]
  for (const [words, code] of cases) {
    it(`${words}: ${code}`, async () => {
      const one = fullMesh()
      one.cluster.fail('list', 'services', new Error('it was read'))
      const { stdout, exitCode } = await runCommand(`expose grafana -o json -y ${words}`, one)
      assert.deepEqual([JSON.parse(stdout).error.code, exitCode], [code, 2])
    })
  }
})
