import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import { parse } from 'yaml'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { loadBalancer } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'

const KIALI = ['-n', 'istio-system', 'get', 'configmap', 'kiali', '-o']

describe('expose --link, on the real mesh', () => {
  const workplace = new Workplace()
  before(() => loadBalancer('on'))
  after(() => {
    workplace.end()
    workplace.waitForRollout('kiali')
  })

  const expose = (...words: string[]) => {
    const { stdout, exitCode } = workplace.telemetry('expose', ...words, '--allow-anonymous', '-y', '-o', 'json')
    assert.equal(exitCode, 0, stdout)
    return JSON.parse(stdout) as ExposeResult
  }
  const podTemplate = () =>
    workplace.kubectl('-n', 'istio-system', 'get', 'deployment', 'kiali', '-o', 'jsonpath={.spec.template.metadata}')

  it('sets Kiali’s addresses of Grafana and tracing and restarts Kiali; cleanup restores its configuration', () => {
    const untouched = dump(workplace)
    const config = workplace.kubectl(...KIALI, 'jsonpath={.data.config\\.yaml}')
    const template = podTemplate()
    const result = expose('all', '--link', '--layout', 'ports')
    assert.notEqual(podTemplate(), template, 'Kiali reads its configuration when it starts')
    const urls = Object.fromEntries(result.exposures.map(({ addon, url }) => [addon, url]))
    const linked = workplace.kubectl(...KIALI, 'jsonpath={.data.config\\.yaml}')
    assert.match(linked, new RegExp(`external_url: ${urls.grafana}\n`))
    // Istio's sample has tracing off, so without this Kiali would not show the link.
    const { tracing } = parse(linked).external_services
    const { enabled, provider, internal_url, external_url } = tracing
    assert.deepEqual([enabled, provider, external_url], [true, 'jaeger', urls.tracing])
    const { hostname, port } = new URL(internal_url)
    assert.match(
      workplace.kubectl('-n', 'istio-system', 'get', 'service', hostname.replace('.istio-system', ''), '-o', 'json'),
      new RegExp(`"port": ${port},`),
    )
    assert.deepEqual(
      result.warnings.filter(({ code }) => code === 'LINK_HIDDEN'),
      [],
    )
    assert.deepEqual([...new Set(expose('all', '--link').objects.map(({ action }) => action))], ['unchanged'])
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
    assert.equal(workplace.kubectl(...KIALI, 'jsonpath={.data.config\\.yaml}'), config)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })

  it('writes the keys that a Kiali before 2.0 reads', () => {
    const kiali = (...words: string[]) => workplace.kubectl('-n', 'istio-system', ...words)
    // A paused Deployment keeps its pods: the lab has no old Kiali.
    kiali('rollout', 'pause', 'deployment/kiali')
    const image = kiali('get', 'deployment', 'kiali', '-o', 'jsonpath={.spec.template.spec.containers[0].image}')
    try {
      kiali('set', 'image', 'deployment/kiali', 'kiali=quay.io/kiali/kiali:v1.89')
      const words = ['grafana', 'tracing', '--link', '--allow-anonymous', '--dry-run=server', '--diff']
      const { stdout, exitCode } = workplace.telemetry('expose', ...words)
      assert.equal(exitCode, 0, stdout)
      const added = stdout.split('\n').filter((line) => /^\+ .*_?url: http/.test(line))
      assert.deepEqual(
        added.map((line) => line.replace(/^\+ +|: .*$/g, '')).sort(),
        ['in_cluster_url', 'url', 'url'],
        stdout,
      )
    } finally {
      kiali('set', 'image', 'deployment/kiali', `kiali=${image}`)
      kiali('rollout', 'resume', 'deployment/kiali')
    }
  })
})
