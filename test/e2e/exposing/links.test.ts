import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
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
    assert.match(linked, new RegExp(`external_url: ${urls.tracing}\n`))
    assert.deepEqual([...new Set(expose('all', '--link').objects.map(({ action }) => action))], ['unchanged'])
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
    assert.equal(workplace.kubectl(...KIALI, 'jsonpath={.data.config\\.yaml}'), config)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })
})
