import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { DAY, exposedWorld, held } from '../certifying/certifying.ts'
import { find } from '../exposing/exposing.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { expectGolden } from '../golden-file.ts'
import { runCommand } from './run-command.ts'

/** Keys and fingerprints differ in every run, so golden files have placeholders. */
const withoutFingerprints = (text: string) => text.replace(/([0-9A-F]{2}:){31}[0-9A-F]{2}/g, 'FINGERPRINT')

async function page(argv: string, world: FakeWorld): Promise<{ text: string; exitCode: number }> {
  const { stdout, stderr, exitCode } = await runCommand(argv, world)
  return { text: withoutFingerprints(stderr === '' ? stdout : `${stdout}--- stderr\n${stderr}`), exitCode }
}

describe('kubectl telemetry cert status', () => {
  it('prints a table, and names, issuer and fingerprint below', async () => {
    const { text, exitCode } = await page('cert status', await exposedWorld())
    expectGolden('cert-status.txt', text)
    assert.equal(exitCode, 0)
  })

  it('prints it as json', async () => {
    const { text, exitCode } = await page('cert status -o json', await exposedWorld())
    expectGolden('cert-status.json', text)
    assert.equal(exitCode, 0)
  })

  it('exits with 1 when a certificate expires soon', async () => {
    const world = await exposedWorld()
    await world.clock.sleep(390 * DAY)
    const { text, exitCode } = await page('cert status', world)
    expectGolden('cert-status-expires-soon.txt', text)
    assert.equal(exitCode, 1)
    assert.equal((await page('cert status --expires-in 24h', world)).exitCode, 0)
  })

  it('exits with 1 when the Secret is missing, on a machine without the CA', async () => {
    const world = await exposedWorld()
    world.authorities.kept.clear()
    world.cluster.objects.splice(world.cluster.objects.indexOf(find(world.cluster, 'Secret')), 1)
    const { text, exitCode } = await page('cert status', world)
    expectGolden('cert-status-secret-missing.txt', text)
    assert.equal(exitCode, 1)
  })

  for (const text of ['14', '14 d', 'd', '-1d', '1.5d', '']) {
    it(`refuses --expires-in ${JSON.stringify(text)}`, async () => {
      const { stderr, exitCode } = await runCommand(
        `cert status --expires-in=${text.replace(' ', '_')}`,
        await exposedWorld(),
      )
      assert.match(
        stderr,
        /^error: --expires-in .* is not a duration \(DURATION_INVALID\)\n {2}try: --expires-in 14d\n$/,
      )
      assert.equal(exitCode, 2)
    })
  }
})

describe('kubectl telemetry cert rotate', () => {
  it('prints the changes, and the present certificates', async () => {
    const { text, exitCode } = await page('cert rotate -y', await exposedWorld())
    expectGolden('cert-rotate.txt', text)
    assert.equal(exitCode, 0)
  })

  it('marks the output of a dry run', async () => {
    const { text } = await page('cert rotate --dry-run=server', await exposedWorld())
    assert.equal(text, 'secret/kubectl-telemetry-tls configured (server dry run)\n')
  })

  it('names the machine of the CA on another machine', async () => {
    const world = await exposedWorld()
    world.authorities.kept.clear()
    const { text, exitCode } = await page('cert rotate -y', world)
    expectGolden('cert-rotate-elsewhere.txt', text)
    assert.equal(exitCode, 1)
  })

  it('prints both CAs, and the next steps for clients and users', async () => {
    const world = await exposedWorld()
    expectGolden('cert-rotate-ca.txt', (await page('cert rotate --ca -y', world)).text)
    expectGolden('cert-rotate-ca-status.txt', (await page('cert status', world)).text)
    expectGolden('cert-rotate-finish.txt', (await page('cert rotate --finish -y', world)).text)
  })

  it('prints it as json', async () => {
    const world = await exposedWorld()
    expectGolden('cert-rotate-ca.json', (await page('cert rotate --ca -y -o json', world)).text)
  })

  it('refuses another type of key', async () => {
    const { stderr, exitCode } = await runCommand('cert rotate --key-type ecdsa', await exposedWorld())
    assert.match(stderr, /\(USAGE\)/)
    assert.equal(exitCode, 2)
  })
})

describe('kubectl telemetry cert create', () => {
  it('prints the file of the CA, and the next steps', async () => {
    const world = await exposedWorld()
    const { text, exitCode } = await page('cert create --domain example.com', world)
    expectGolden('cert-create.txt', text)
    assert.equal(exitCode, 0)
    assert.match((await page('cert create --domain example.com', world)).text, /^CA of example\.com unchanged\n/)
  })

  const wrong = [
    ['--ca-cert package.json', 'USAGE'],
    ['--ca-key package.json', 'USAGE'],
    ['--ca-cert not-there --ca-key package.json', 'FILE_UNREADABLE'],
    ['--ca-cert package.json --ca-key package.json', 'CA_INVALID'],
    ['--key-type rsa1024', 'USAGE'],
  ]
  for (const [words, code] of wrong) {
    it(`wrong usage is exit code 2: ${words} (${code})`, async () => {
      const { stderr, exitCode } = await runCommand(`cert create --domain example.com ${words}`, await exposedWorld())
      assert.match(stderr, new RegExp(`^error: .* \\(${code}\\)\n`))
      assert.equal(exitCode, 2)
    })
  }
})

describe('kubectl telemetry cert export', () => {
  it('prints only PEM, for a file or a pipe', async () => {
    const world = await exposedWorld()
    const { stdout, stderr } = await runCommand('cert export ca', world)
    assert.equal(stdout, held(world, 'ca.crt'))
    assert.match(
      stderr,
      /^CA O=kubectl telemetry, .*\n {2}vouches for {2}only names in .*\n {2}fingerprint .*\n {2}from .*\n$/,
    )
  })

  it('shows the generated password on stderr', async () => {
    const { stdout, stderr, exitCode } = await runCommand('cert export pkcs12 -f telemetry.p12', await exposedWorld())
    assert.equal(stdout, 'pkcs12 of istio-system/kubectl-telemetry-tls written to telemetry.p12\n')
    assert.match(stderr, /\npassword: [\w-]{24} {3}# shown only now\n$/)
    assert.equal(exitCode, 0)
  })

  for (const words of ['', ' key', ' pkcs12']) {
    it(`wrong usage is exit code 2: cert export${words}`, async () => {
      assert.equal((await runCommand(`cert export${words}`, await exposedWorld())).exitCode, 2)
    })
  }
})

describe('kubectl telemetry cert trust', () => {
  it('prints each store, and the commands that the user has to run', async () => {
    const world = await exposedWorld()
    world.trustStores.stores = [
      {
        place: { kind: 'anchors', directory: '/usr/local/share/ca-certificates', refresh: ['update-ca-certificates'] },
        entries: [],
        obstacle: 'not-allowed',
      },
      { place: { kind: 'nss', directory: '/home/me/.pki/nssdb' }, entries: [] },
      { place: { kind: 'nss', directory: '/home/me/.mozilla/firefox/abc' }, entries: [] },
    ]
    world.trustStores.complaints.install = 'never run'
    const { text, exitCode } = await page('cert trust -y', world)
    expectGolden('cert-trust.txt', text.replace(/kubectl-telemetry-[0-9a-f]{16}/g, 'kubectl-telemetry-NAME'))
    assert.equal(exitCode, 1)
    const { stdout } = await runCommand('cert trust --remove --dry-run=client', world)
    assert.match(stdout, /^system \(.*\) unchanged \(dry run\)\nbrowsers \(.*\) removed \(dry run\)\n {2}certutil /)
  })

  it('has no dry run on the server, because it changes only this machine', async () => {
    assert.equal((await runCommand('cert trust --dry-run=server', await exposedWorld())).exitCode, 2)
  })
})
