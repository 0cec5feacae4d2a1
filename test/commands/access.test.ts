import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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

describe('access, on pages for people', () => {
  it('shows an allow list and an expiry, on a machine outside the list', async () => {
    const one = fullMesh()
    one.prober.answers = [{ ok: true, hop: 'access', status: 403, protocol: 'HTTP/2', milliseconds: 3 }]
    const argv = 'expose grafana kiali --allow-cidr 203.0.113.0/24 --allow-cidr 2001:db8::/32 --ttl 8h -y'
    const { stdout, stderr, exitCode } = await runCommand(argv, one)
    expectGolden('expose-allow-list.txt', `${stdout}--- stderr\n${stderr}`)
    assert.equal(exitCode, 0)
  })

  it('shows a generated password, and a login at another server', async () => {
    const one = fullMesh()
    one.prober.page = ({ authorization }) => {
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

  it('accepts tokens of every audience only when asked to, and says what that means, in status too', async () => {
    const one = fullMesh()
    one.prober.answers = [{ ok: true, hop: 'access', status: 401, protocol: 'HTTP/2', milliseconds: 3 }]
    const issuer = 'expose grafana -y --auth jwt --issuer https://issuer.example.com'
    const words = `${issuer} --jwks-uri https://issuer.example.com/keys`
    const narrow = await runCommand(`${words} --audience telemetry`, one)
    assert.doesNotMatch(narrow.stderr, /AUDIENCE_ANY/)
    assert.match(narrow.stdout, /with a token from https:\/\/issuer\.example\.com for telemetry\n/)
    const any = await runCommand(`${words} --audience any`, one)
    assert.match(any.stderr, /grafana accepts every token of https:\/\/issuer\.example\.com, .*AUDIENCE_ANY/)
    assert.match(any.stdout, /for any application\n/)
    assert.match((await runCommand('status', one)).stdout, /AUDIENCE_ANY/)
  })

  it('says who sees the hashes of a password file, and masks them in --diff, but not in what can be applied', async () => {
    const one = fullMesh()
    one.prober.answers = [{ ok: true, hop: 'access', status: 401, protocol: 'HTTP/2', milliseconds: 3 }]
    const file = join(mkdtempSync(join(tmpdir(), 'htpasswd-')), 'users')
    const hash = (letter: string) => `{SHA}${letter.repeat(27)}=`
    writeFileSync(file, `me:${hash('a')}\n`)
    const first = await runCommand(`expose grafana -y --auth basic --htpasswd ${file}`, one)
    assert.match(first.stderr, /EnvoyFilters in namespace istio-system sees .*PASSWORD_HASH_READABLE/)
    assert.ok(!`${first.stdout}${first.stderr}`.includes(hash('a')))
    assert.doesNotMatch((await runCommand('expose grafana -y', one)).stderr, /PASSWORD_HASH_READABLE/)
    writeFileSync(file, `me:${hash('b')}\nyou:${hash('a')}\n`)
    const planned = `expose grafana --auth basic --htpasswd ${file} --dry-run=server`
    const { stdout } = await runCommand(`${planned} --diff`, one)
    assert.match(stdout, /-.*me:\{SHA\}\*\*\*$/m)
    assert.match(stdout, /\+.*me:\{SHA\}\*\*\* \(after\)$/m)
    assert.match(stdout, /\+.*you:\{SHA\}\*\*\*$/m)
    assert.doesNotMatch(stdout, /aaa|bbb/)
    assert.ok((await runCommand(`${planned} -o yaml`, one)).stdout.includes(hash('b')))
  })

  it('reports that nothing has expired', async () => {
    const one = fullMesh()
    await runCommand('expose grafana --allow-anonymous --ttl 8h -y', one)
    const { stdout, exitCode } = await runCommand('cleanup --expired -y', one)
    assert.deepEqual([stdout, exitCode], ['nothing to remove\n', 0])
  })
})

describe('wrong access flags: exit code 2, and nothing is read', () => {
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
    ['--auth jwt --issuer https://issuer.example.com --jwks-uri https://issuer.example.com/keys', 'AUTH_INVALID'],
    [
      '--auth jwt --issuer https://issuer.example.com --jwks-uri https://issuer.example.com/keys --audience any --audience a',
      'AUTH_INVALID',
    ],
    [
      '--auth jwt --issuer https://issuer.example.com --jwks-uri https://issuer.example.com/keys --audience=',
      'AUTH_INVALID',
    ],
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
