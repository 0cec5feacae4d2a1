import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { expectGolden } from '../golden-file.ts'
import { DAY, exposedWorld } from '../operations/certifying.ts'
import { find } from '../operations/exposing.ts'
import { runCommand } from './run-command.ts'

/** Keys are new in every run, and so are fingerprints; goldens keep their place. */
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

  it('exits with 1 when a certificate ends soon', async () => {
    const world = await exposedWorld()
    await world.clock.sleep(390 * DAY)
    const { text, exitCode } = await page('cert status', world)
    expectGolden('cert-status-expires-soon.txt', text)
    assert.equal(exitCode, 1)
    assert.equal((await page('cert status --expires-in 24h', world)).exitCode, 0)
  })

  it('exits with 1 when the Secret is gone, on a machine without the authority', async () => {
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
  it('prints what changed, and the certificates as they are now', async () => {
    const { text, exitCode } = await page('cert rotate -y', await exposedWorld())
    expectGolden('cert-rotate.txt', text)
    assert.equal(exitCode, 0)
  })

  it('marks what a dry run says', async () => {
    const { text } = await page('cert rotate --dry-run=server', await exposedWorld())
    assert.equal(text, 'secret/kubectl-telemetry-tls configured (server dry run)\n')
  })

  it('says on another machine whose authority it is', async () => {
    const world = await exposedWorld()
    world.authorities.kept.clear()
    const { text, exitCode } = await page('cert rotate -y', world)
    expectGolden('cert-rotate-elsewhere.txt', text)
    assert.equal(exitCode, 1)
  })

  it('refuses another type of key', async () => {
    const { stderr, exitCode } = await runCommand('cert rotate --key-type ecdsa', await exposedWorld())
    assert.match(stderr, /\(USAGE\)/)
    assert.equal(exitCode, 2)
  })
})
