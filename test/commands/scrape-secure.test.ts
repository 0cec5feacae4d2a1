import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { type FakeWorld, fakeWorld } from '../fakes/fake-world.ts'
import { istiod, RollingCluster, workload } from '../fakes/meshed.ts'
import { expectGolden } from '../golden-file.ts'
import { runCommand as runAnyCommand } from './run-command.ts'

/** The workloads alone. */
const runCommand = (argv: string, one: FakeWorld) =>
  runAnyCommand(argv.startsWith('scrape') && !argv.includes('--prometheus') ? `${argv} --prometheus none` : argv, one)

function world(): FakeWorld {
  const objects = [
    istiod(),
    ...workload('web', { pods: 2 }),
    ...workload('agent', { kind: 'DaemonSet', spec: { updateStrategy: { type: 'OnDelete' } } }),
    ...workload('db', { kind: 'StatefulSet', namespace: 'shop' }),
  ]
  return fakeWorld(new RollingCluster(objects), new FakeTerminal())
}

describe('kubectl telemetry scrape-secure', () => {
  const pages: [string, string, number][] = [
    ['scrape-secure -A -y', 'scrape-secure.txt', 0],
    ['scrape-secure -A -y -o json', 'scrape-secure.json', 0],
    ['scrape-secure -A --dry-run=server', 'scrape-secure-dry-run.txt', 0],
    ['scrape-secure web --dry-run=client -o yaml', 'scrape-secure-manifests.yaml', 0],
    ['scrape-secure web --diff', 'scrape-secure-diff.txt', 0],
    ['scrape-secure ds/agent -y', 'scrape-secure-skipped.txt', 1],
  ]
  for (const [argv, golden, code] of pages)
    it(`prints ${golden} for ${argv}`, async () => {
      const { stdout, stderr, exitCode } = await runCommand(argv, world())
      expectGolden(golden, stdout)
      assert.deepEqual([stderr, exitCode], ['', code])
    })

  it('takes one namespace for each -n, and names after it for workloads', async () => {
    const { stdout } = await runCommand('scrape-secure -n shop -n default sts/db --dry-run=client', world())
    assert.match(stdout, /^shop +statefulset\/db +1 +native +configured/m)
  })

  it('says that there is nothing to do', async () => {
    const { stdout, stderr, exitCode } = await runCommand('scrape-secure -n nowhere -y', world())
    assert.deepEqual([stdout, exitCode], ['nothing to change\n', 0])
    assert.match(stderr, /NO_WORKLOADS/)
  })

  const wrong: [string, string][] = [
    ['scrape-secure svc/web', 'WORKLOAD_INVALID'],
    ['scrape-secure deploy/', 'WORKLOAD_INVALID'],
    ['scrape-secure Web', 'WORKLOAD_INVALID'],
    ['scrape-secure web -A', 'SELECTION_INVALID'],
    ['scrape-secure --prometheus prometheus', 'PROMETHEUS_INVALID'],
    ['scrape-secure --timeout 2', 'DURATION_INVALID'],
    ['scrape-secure --harden', 'HARDEN_UNPROVEN'],
    ['scrape-secure --only-prometheus', 'HARDEN_UNPROVEN'],
    ['scrape-secure --method legacy', 'USAGE'],
    ['cleanup --scraping --certificates', 'USAGE'],
    ['cleanup kiali --scraping', 'SCRAPING_ALONE'],
  ]
  for (const [argv, code] of wrong)
    it(`refuses ${argv} as ${code}`, async () => {
      const { stdout, stderr, exitCode } = await runCommand(argv, world())
      assert.match(stderr, new RegExp(`\\(${code}\\)`))
      assert.deepEqual([stdout, exitCode], ['', 2])
    })

  for (const word of ['deploy/web', 'deployment/web', 'deployments/web', 'deployment.apps/web', 'web'])
    it(`knows ${word}`, async () => {
      const { stdout } = await runCommand(`scrape-secure ${word} --dry-run=client`, world())
      assert.match(stdout, /deployment\/web .*configured \(dry run\)/)
    })
})
