import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { UserError } from '../../src/errors.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { type FakeWorld, fakeWorld } from '../fakes/fake-world.ts'
import { ScrapedCluster } from '../fakes/scraped-cluster.ts'
import { istiod, RollingCluster, workload } from '../fakes/workloads.ts'
import { expectGolden } from '../golden-file.ts'
import { runCommand as runAnyCommand } from './run-command.ts'

/** Only the workloads. */
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

  it('reads one namespace after each -n, and the words after it as workloads', async () => {
    const { stdout } = await runCommand('scrape-secure -n shop -n default sts/db --dry-run=client', world())
    assert.match(stdout, /^shop +statefulset\/db +1 +native +configured/m)
  })

  it('reports that there is nothing to do', async () => {
    const { stdout, stderr, exitCode } = await runCommand('scrape-secure -n nowhere -y', world())
    assert.deepEqual([stdout, exitCode], ['nothing to change\n', 0])
    assert.match(stderr, /NO_WORKLOADS/)
  })

  const wrong: [string, string][] = [
    ['scrape-secure svc/web', 'WORKLOAD_INVALID'],
    ['scrape-secure deploy/', 'WORKLOAD_INVALID'],
    ['scrape-secure Web', 'WORKLOAD_INVALID'],
    ['scrape-secure web -A', 'SELECTION_INVALID'],
    ['scrape-secure --prometheus prometheus', 'PROMETHEUS_NAME_INVALID'],
    ['scrape-secure --timeout 2', 'DURATION_INVALID'],
    ['scrape-secure --harden', 'HARDEN_UNPROVEN'],
    ['scrape-secure --only-prometheus', 'HARDEN_UNPROVEN'],
    ['scrape-secure --method legacy', 'USAGE'],
    ['cleanup --scraping --certificates', 'USAGE'],
    ['cleanup kiali --scraping', 'SCRAPING_WITH_ADDONS'],
  ]
  for (const [argv, code] of wrong)
    it(`refuses ${argv} as ${code}`, async () => {
      const { stdout, stderr, exitCode } = await runCommand(argv, world())
      assert.match(stderr, new RegExp(`\\(${code}\\)`))
      assert.deepEqual([stdout, exitCode], ['', 2])
    })

  for (const word of ['deploy/web', 'deployment/web', 'deployments/web', 'deployment.apps/web', 'web'])
    it(`accepts ${word}`, async () => {
      const { stdout } = await runCommand(`scrape-secure ${word} --dry-run=client`, world())
      assert.match(stdout, /deployment\/web .*configured \(dry run\)/)
    })
})

describe('kubectl telemetry scrape-secure status', () => {
  const mesh = () =>
    new ScrapedCluster([
      ...workload('web', { pods: 2, namespace: 'shop' }),
      ...workload('db', { kind: 'StatefulSet', namespace: 'shop' }),
      ...workload('edge', { proxy: 'gateway', namespace: 'istio-system' }),
    ])
  const run = (argv: string, cluster: ScrapedCluster) => runAnyCommand(argv, fakeWorld(cluster, new FakeTerminal()))

  it('prints a page, or data, and changes nothing', async () => {
    const cluster = await mesh().secure()
    for (const [argv, golden] of [
      ['scrape-secure status', 'scrape-status.txt'],
      ['scrape-secure status -n shop -o json', 'scrape-status.json'],
    ] as const) {
      const { stdout, stderr, exitCode } = await run(argv, cluster)
      expectGolden(golden, stdout)
      assert.deepEqual([stderr, exitCode], ['', 0])
    }
    assert.deepEqual(cluster.writes, [])
  })

  it('prints each problem with the next command, and exits with 1', async () => {
    const cluster = await mesh().secure()
    cluster.targets.set('web-5d9f8-0', { health: 'down', lastError: 'context deadline exceeded' })
    const [clear] = cluster.pods.filter(({ metadata }) => metadata.name === 'db-5d9f8-0')
    const { podIP } = clear?.status as { podIP?: string }
    if (clear === undefined) assert.fail()
    const scrapeUrl = `http://${podIP}:15020/stats/prometheus`
    cluster.more.push(cluster.target(clear, { scrapePool: 'kubernetes-pods', scrapeUrl }))
    const { stdout, stderr, exitCode } = await run('scrape-secure status', cluster)
    expectGolden('scrape-status-problems.txt', `${stdout}--- stderr\n${stderr}`)
    assert.equal(exitCode, 1)
  })

  it('is found when its name comes after a flag', async () => {
    const { stderr } = await runCommand('scrape-secure -n shop status -y', world())
    assert.match(
      stderr,
      /there is no workload status in namespace shop \(WORKLOAD_NOT_FOUND\)\n.*scrape-secure status -n/,
    )
  })

  it('reports that nothing is scraped over mutual TLS', async () => {
    const { stdout, stderr, exitCode } = await run('scrape-secure status', mesh())
    expectGolden('scrape-status-nothing.txt', stdout)
    assert.deepEqual([stderr, exitCode], ['', 0])
    const { stdout: elsewhere } = await run('scrape-secure status -n far -n away', mesh())
    assert.equal(elsewhere, 'no workload is scraped over Istio mutual TLS in namespaces far, away\n')
  })

  it('does not report that when it could not read the cluster', async () => {
    const cluster = mesh()
    cluster.fail('list', 'pods', new UserError('FORBIDDEN', 'not allowed to list pods'))
    const { stdout, stderr, exitCode } = await run('scrape-secure status -n shop', cluster)
    assert.match(stdout, /^cannot tell which workloads are scraped over Istio mutual TLS in namespace shop/)
    assert.match(stderr, /\(WORKLOADS_UNREAD\)/)
    assert.equal(exitCode, 1)
  })
})
