import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { requireAddons } from '../../src/addons/catalog.ts'
import { ADDON_ANNOTATION } from '../../src/addons/find.ts'
import { chooseAddons } from '../../src/addons/survey.ts'
import type { Service } from '../../src/cluster/objects.ts'
import { refusal } from '../exposing/exposing.ts'
import { FakeCluster } from '../fakes/fake-cluster.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { service } from './addon-objects.ts'
import { GRAFANA, KIALI, PROMETHEUS } from './istio-samples.ts'

/** Of a tenant, who may write in one namespace. */
const MARKED: Service = {
  ...service('tenant', {}, [{ port: 3000 }]),
  metadata: { name: 'mine', namespace: 'tenant', annotations: { [ADDON_ANNOTATION]: 'grafana' } },
}
const LABELLED = service('tenant', { 'app.kubernetes.io/name': 'grafana' }, [{ port: 3000 }])
const ONLY_MARKED = 'tenant/mine (Grafana, only by its annotation)'

async function chosen(words: string[], services: Service[], namespace?: string, terminal = new FakeTerminal()) {
  const world = { cluster: new FakeCluster([]), terminal }
  const { chosen: found, warnings } = await chooseAddons(requireAddons(words), services, namespace, world)
  return {
    places: found.map((one) => `${one.namespace}/${one.service.metadata.name}`),
    warnings: warnings.map(({ code }) => code),
  }
}

describe('a Service that only an annotation calls an add-on', () => {
  it('does not hide the add-on in another namespace from -n', async () => {
    const { places } = await chosen(['grafana'], [MARKED, ...GRAFANA], 'istio-system')
    assert.deepEqual(places, ['istio-system/grafana'])
  })

  it('is a choice beside one with labels: an error without a terminal', async () => {
    for (const services of [
      [MARKED, ...GRAFANA],
      [...GRAFANA, MARKED],
    ]) {
      const { code, message, suggestions } = await refusal(chosen(['grafana'], services))
      assert.equal(code, 'ADDON_AMBIGUOUS')
      assert.ok(message.includes(ONLY_MARKED) && message.includes('istio-system/grafana (Grafana)'), message)
      assert.deepEqual([...suggestions].sort(), ['-n istio-system', '-n tenant'])
    }
  })

  it('is a choice beside one with labels: a question on a terminal, which shows how each was found', async () => {
    const terminal = new FakeTerminal({ 'Which grafana?': 'istio-system/grafana (Grafana)' })
    assert.deepEqual((await chosen(['grafana'], [MARKED, ...GRAFANA], undefined, terminal)).places, [
      'istio-system/grafana',
    ])
    const other = new FakeTerminal({ 'Which grafana?': ONLY_MARKED })
    assert.deepEqual((await chosen(['grafana'], [MARKED, ...GRAFANA], undefined, other)).places, ['tenant/mine'])
  })

  it('is not taken when it is the only one and -n does not name its namespace', async () => {
    const { code, message, suggestions } = await refusal(chosen(['grafana'], [MARKED, ...KIALI]))
    assert.equal(code, 'ADDON_ONLY_MARKED')
    assert.ok(message.includes(ONLY_MARKED), message)
    assert.equal(suggestions[0], '-n tenant   # if that is right')
    assert.deepEqual((await chosen(['grafana'], [MARKED], 'tenant')).places, ['tenant/mine'])
  })

  it('is asked about on a terminal when it is the only one', async () => {
    const yes = new FakeTerminal({ 'Which grafana?': ONLY_MARKED })
    assert.deepEqual((await chosen(['grafana'], [MARKED], undefined, yes)).places, ['tenant/mine'])
    const no = new FakeTerminal({ 'Which grafana?': 'none of them' })
    assert.equal((await refusal(chosen(['grafana'], [MARKED], undefined, no))).code, 'ADDON_ONLY_MARKED')
  })

  it('is left out of "all" with one warning', async () => {
    const { places, warnings } = await chosen([], [MARKED, ...KIALI, ...PROMETHEUS])
    assert.deepEqual(places, ['istio-system/kiali', 'istio-system/prometheus'])
    assert.deepEqual(warnings, ['ADDON_ONLY_MARKED', 'ADDON_NOT_FOUND'])
  })

  it('counts as found by labels where it only chooses among the labelled ones of its namespace', async () => {
    assert.deepEqual((await chosen(['grafana'], [MARKED, LABELLED])).places, ['tenant/mine'])
  })

  it('with labels of its own is a choice, too', async () => {
    assert.equal((await refusal(chosen(['grafana'], [LABELLED, ...GRAFANA]))).code, 'ADDON_AMBIGUOUS')
    assert.deepEqual((await chosen(['grafana'], [LABELLED, ...GRAFANA], 'istio-system')).places, [
      'istio-system/grafana',
    ])
  })
})
