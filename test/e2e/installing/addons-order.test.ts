/** `addons` together with everything else that changes its objects, and back: no object of any API group differs at the end. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { after, before, describe, it } from 'mocha'
import type { InstallResult } from '../../../src/installing/result.ts'
import type { TrafficResult } from '../../../src/traffic/result.ts'
import { withShortDelays } from '../../lab/delays.ts'
import { addons as labAddons, loadBalancer } from '../../lab/lab.ts'
import { BOOKINFO, endBookinfo, startBookinfo } from '../bookinfo.ts'
import { difference, dump } from '../dump.ts'
import { awaitSpans } from '../jaeger-api.ts'
import { Workplace } from '../mesh.ts'
import { meshNamespace, meshWorkload } from '../mesh-workloads.ts'
import { assertOneError } from '../one-error.ts'
import { requestMetrics } from '../request-metrics.ts'

const FOUR = ['prometheus', 'grafana', 'kiali', 'jaeger']
const NAMESPACE = 'addons-order'
const packaged = (name: string) => fileURLToPath(new URL(`../../../src/samples/1.31/${name}.yaml`, import.meta.url))

describe('install, expose, scrape-secure, install again, and everything undone', function () {
  this.timeout(240_000)

  const workplace = new Workplace()
  /** The packaged samples with the delays of the lab: with those of Istio, every restart of Kiali takes half a minute (real-delays.test.ts). */
  const samples = join(workplace.directory, 'samples')
  before(async () => {
    await loadBalancer('on')
    workplace.apply(...meshNamespace(NAMESPACE), ...meshWorkload({ name: 'web', namespace: NAMESPACE }))
    workplace.kubectl('-n', NAMESPACE, 'rollout', 'status', 'deployment/web', '--timeout=60s')
    mkdirSync(samples)
    for (const name of FOUR)
      writeFileSync(join(samples, `${name}.yaml`), withShortDelays(readFileSync(packaged(name), 'utf8')))
  })
  after(async () => {
    workplace.kubectl('delete', 'namespace', NAMESPACE)
    workplace.end()
    await labAddons(FOUR)
  })

  const telemetry = (...words: string[]) => {
    const outcome = workplace.telemetry(...words)
    assert.equal(outcome.exitCode, 0, outcome.stdout + outcome.stderr)
    return outcome
  }
  const remove = (...names: string[]) =>
    workplace.kubectl('delete', '--ignore-not-found', ...names.flatMap((name) => ['-f', packaged(name)]))

  /** Kiali restarts, and may not answer for a moment. */
  async function everythingAnswers(): Promise<void> {
    let status = workplace.telemetry('status')
    for (let attempt = 0; status.exitCode !== 0 && attempt < 60; attempt++) {
      await sleep(1_000)
      status = workplace.telemetry('status')
    }
    assert.equal(status.exitCode, 0, status.stdout + status.stderr)
  }

  /** @param source where the samples are from @returns whose add-ons they are */
  async function everyCommand(...source: string[]): Promise<[string, string][]> {
    const install = () =>
      JSON.parse(telemetry('addons', 'install', ...source, '-y', '-o', 'json').stdout) as InstallResult
    const untouched = dump(workplace)
    const first = install()
    assert.ok(first.addons.every(({ ready }) => ready?.ready === 1))
    assert.match(
      telemetry('addons', 'list').stdout,
      /^grafana +istio-system +deployment\/grafana +12\.0\.1 +1\/1 +kubectl telemetry/m,
    )
    telemetry('expose', 'all', '--link', '--allow-anonymous', '-y')
    await everythingAnswers()
    telemetry('scrape-secure', '-n', NAMESPACE, '-y')
    if (first.addons.some(({ name, action }) => name === 'prometheus' && action === 'installed'))
      assertOneError(
        workplace.telemetry('addons', 'uninstall', 'prometheus', '-y'),
        'ADDON_IN_USE',
        /try: kubectl telemetry cleanup --scraping/,
      )
    const before = dump(workplace)
    assert.deepEqual(
      install().objects.filter(({ action }) => action !== 'unchanged'),
      [],
    )
    assert.deepEqual(difference(before, dump(workplace)), [], 'the second install')
    telemetry('cleanup', '-y')
    telemetry('cleanup', '--scraping', '-y')
    telemetry('addons', 'uninstall', '-y')
    assert.deepEqual(difference(untouched, dump(workplace)), [])
    return first.addons.map(({ name, action }) => [name, action])
  }

  it('leaves no difference where Prometheus, Kiali and Jaeger are somebody else’s', async () => {
    remove('grafana')
    const present = FOUR.map((name) => [name, name === 'grafana' ? 'installed' : 'present'])
    assert.deepEqual(await everyCommand(), present)
  })

  it('leaves no difference in a mesh without add-ons', async () => {
    remove(...FOUR)
    assert.deepEqual(
      await everyCommand('--from', samples),
      FOUR.map((name) => [name, 'installed']),
    )
  })

  it('is the whole quick start: installed, exposed, traced, counted, and undone in reverse', async () => {
    remove(...FOUR)
    startBookinfo(workplace)
    workplace.apply(requestMetrics())
    const untouched = dump(workplace)
    telemetry('addons', 'install', '--from', samples, '-y')
    telemetry('expose', 'all', '--link', '--allow-anonymous', '-y')
    const page = ['svc/productpage', '-n', BOOKINFO]
    telemetry('expose', ...page, '--path', '/productpage', '--allow-anonymous', '-y')
    const { proof } = JSON.parse(telemetry('tracing', 'on', '--sampling', '100', '-y', '-o', 'json').stdout)
    const spans = await awaitSpans(workplace, proof.traceId, 9)
    assert.deepEqual([...new Set(spans.map(({ service }) => service.split('.')[0]))].sort(), [
      'details',
      'istio-ingressgateway',
      'productpage',
      'ratings',
      'reviews',
    ])
    const { sent, seen } = JSON.parse(
      telemetry('traffic', ...page, '--requests', '60', '--max-errors', '0%', '-o', 'json').stdout,
    ) as TrafficResult
    assert.deepEqual([sent, seen.traces], [60, 60])
    assert.ok(Math.abs((seen.prometheus ?? 0) - 60) <= 2, `Prometheus counted ${seen.prometheus} of 60`)
    assert.match(seen.kiali ?? '', /namespaces=bookinfo/)
    await everythingAnswers()
    telemetry('tracing', 'off', '-y')
    telemetry('cleanup', '-y')
    telemetry('addons', 'uninstall', '-y')
    assert.deepEqual(difference(untouched, dump(workplace)), [])
    workplace.delete(requestMetrics())
    endBookinfo(workplace)
  })
})
