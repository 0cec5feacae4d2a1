import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { renderProgress } from '../../src/rendering/traffic.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { expectGolden } from '../golden-file.ts'
import { exposedShop, FakeTraffic, manyExposed, prometheusCounts, prometheusServer } from '../traffic/traffic-world.ts'
import { type Outcome, runCommand } from './run-command.ts'

async function run(argv: string, world: FakeWorld, fake = new FakeTraffic()): Promise<Outcome> {
  return fake.during(runCommand(argv, world, { trafficEnvironment: async () => fake.environment }))
}

async function shop(): Promise<FakeWorld> {
  const world = await manyExposed([prometheusServer()])
  prometheusCounts(world, [{ destination: 40 }, { destination: 138 }])
  return world
}

function failing(): FakeTraffic {
  const fake = new FakeTraffic()
  fake.answer = (index) => {
    if (index < 60) return { after: index % 20 === 3 ? 120 : 8 }
    return { after: 2, sent: index % 2 === 0 ? { status: 503 } : { failed: 'ECONNRESET' } }
  }
  return fake
}

describe('kubectl telemetry traffic', () => {
  const line = 'traffic svc/productpage -n bookinfo --requests 98'

  it('prints target, statuses, latencies and what the mesh recorded', async () => {
    const { stdout, stderr, exitCode } = await run(line, await shop())
    expectGolden('traffic.txt', stdout)
    assert.deepEqual([stderr, exitCode], ['', 0])
  })

  for (const format of ['json', 'yaml'])
    it(`prints them as ${format}`, async () => {
      const { stdout, exitCode } = await run(`${line} -o ${format}`, await shop())
      expectGolden(`traffic.${format}`, stdout)
      assert.equal(exitCode, 0)
    })

  it('prints what failed, and exits with 1', async () => {
    const { stdout, stderr, exitCode } = await run(`${line} --prometheus none`, await shop(), failing())
    expectGolden('traffic-failed.txt', `${stdout}--- stderr\n${stderr}`)
    assert.equal(exitCode, 1)
  })

  it('exits with 130 after an interruption, with the summary as the only result', async () => {
    const fake = new FakeTraffic()
    fake.interruptAt(2_020)
    const { stdout, stderr, exitCode } = await run(`${line} -o json`, await shop(), fake)
    const { outcome, sent, statuses } = JSON.parse(stdout)
    assert.deepEqual([outcome, sent, statuses, stderr, exitCode], ['interrupted', 41, { 200: 41 }, '', 130])
  })

  it('is for a URL with its path and query, and for several paths', async () => {
    const fake = new FakeTraffic()
    await run('traffic https://grafana.192.0.2.10.nip.io/d/x?orgId=1 --requests 2', await shop(), fake)
    assert.deepEqual(
      fake.senders[0]?.asked.map(({ path }) => path),
      ['/d/x?orgId=1', '/d/x?orgId=1'],
    )
    const several = new FakeTraffic()
    await run('traffic grafana --path /a --path /b%20c?d --head --requests 3 --concurrency 2', await shop(), several)
    assert.deepEqual(
      several.senders[0]?.asked.map(({ path }) => path),
      ['/a', '/b%20c?d', '/a'],
    )
    assert.deepEqual([several.opened[0]?.method, several.opened[0]?.connections], ['HEAD', 2])
  })

  const wrong: [argv: string, code: string][] = [
    ['https://example.org', 'TRAFFIC_HOST_FOREIGN'],
    ['https://example.org/ --rate 0', 'TRAFFIC_LIMIT'],
    ['--rate 1e6', 'TRAFFIC_LIMIT'],
    ['--rate 201', 'TRAFFIC_LIMIT'],
    ['--requests 0', 'TRAFFIC_LIMIT'],
    ['--requests 10001', 'TRAFFIC_LIMIT'],
    ['--for 31m', 'TRAFFIC_LIMIT'],
    ['--for 0s', 'DURATION_INVALID'],
    ['--concurrency 33', 'TRAFFIC_LIMIT'],
    ['--max-errors 101%', 'TRAFFIC_LIMIT'],
    ['--path productpage', 'TRAFFIC_PATH_INVALID'],
    ['--path http://example.org/', 'TRAFFIC_PATH_INVALID'],
    ['--path /a#b', 'TRAFFIC_PATH_INVALID'],
    ['https://grafana.192.0.2.10.nip.io/a --path /b', 'TRAFFIC_PATH_INVALID'],
    ['--method POST', 'USAGE'],
    ['--via port-forward', 'USAGE'],
    ['--via api-server', 'TRAFFIC_VIA_INVALID'],
    ['svc/reviews -n bookinfo --via api-server --gateway istio-system/istio-ingressgateway', 'TRAFFIC_VIA_INVALID'],
    ['svc/reviews -n bookinfo --via api-server --ingress-ip 192.0.2.10', 'TRAFFIC_VIA_INVALID'],
    ['svc/reviews -n bookinfo --via api-server --path /a%20b', 'TRAFFIC_VIA_INVALID'],
    ['svc/reviews -n bookinfo --via api-server --path /a/../../b', 'TRAFFIC_VIA_INVALID'],
    ['svc/reviews -n bookinfo --via api-server --path //example.org/', 'TRAFFIC_VIA_INVALID'],
    ['svc/reviews -n bookinfo --via api-server --path /a?b=1&b=2', 'TRAFFIC_VIA_INVALID'],
    ['svc/productpage:9080 -n bookinfo', 'TRAFFIC_VIA_INVALID'],
    ['grafana kiali', 'TRAFFIC_TARGET_INVALID'],
    ['all', 'TRAFFIC_TARGET_INVALID'],
    ['ftp://example.org/', 'TRAFFIC_TARGET_INVALID'],
    ['https://', 'TRAFFIC_TARGET_INVALID'],
    ['https://me:secret@grafana.192.0.2.10.nip.io/', 'TRAFFIC_TARGET_INVALID'],
    ['https://grafana.192.0.2.10.nip.io/#top', 'TRAFFIC_TARGET_INVALID'],
    ['example.org', 'ADDON_UNKNOWN'],
    ['svc/', 'SERVICE_INVALID'],
    ['', 'TRAFFIC_TARGET_UNCLEAR'],
  ]
  for (const [argv, code] of wrong)
    it(`refuses "traffic ${argv}" with one error and exit code 2, before any request`, async () => {
      const fake = new FakeTraffic()
      const { stdout, stderr, exitCode } = await run(`traffic ${argv}`, await shop(), fake)
      assert.deepEqual([exitCode, stdout], [2, ''])
      assert.match(stderr, new RegExp(`^error: .* \\(${code}\\)\n`))
      assert.ok(!stderr.includes('secret'))
      assert.deepEqual(
        fake.senders.flatMap(({ asked }) => asked),
        [],
      )
    })

  it('names what has to be exposed', async () => {
    const { stderr, exitCode } = await run('traffic svc/reviews -n bookinfo', await exposedShop())
    expectGolden('traffic-not-exposed.txt', stderr)
    assert.equal(exitCode, 1)
  })
})

describe('the live line of traffic', () => {
  it('has what is known so far', () => {
    const state = { done: 412, requests: 1_000, rate: 19.84, left: 29_400, refused: 2, unanswered: 0 }
    assert.equal(
      renderProgress({ ...state, p50: 12, p99: 140.4 }),
      '412/1000  19.8/s  p50 12 ms  p99 140 ms  5xx 2  30 s left',
    )
    assert.equal(
      renderProgress({ ...state, refused: 0, isOver: true }),
      '412/1000  19.8/s  waiting for what the mesh recorded',
    )
    assert.equal(renderProgress({ ...state, refused: 0, unanswered: 3 }), '412/1000  19.8/s  no answer 3  30 s left')
  })
})
