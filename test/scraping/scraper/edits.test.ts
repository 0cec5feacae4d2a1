/** What Prometheus' pods get, where the user has such annotations already. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { requireAddons } from '../../../src/addons/catalog.ts'
import { cleanup } from '../../../src/cleaning/cleanup.ts'
import { PROMETHEUS_FRAGMENTS } from '../../../src/scraping/scraper/edits.ts'
import type { WorkloadObject } from '../../../src/workloads/workload-object.ts'
import { FakeTerminal } from '../../fakes/fake-terminal.ts'
import { fakeWorld } from '../../fakes/fake-world.ts'
import { ScrapedCluster } from '../../fakes/scraped-cluster.ts'
import { workload } from '../../fakes/workloads.ts'

const MOUNTS = 'sidecar.istio.io/userVolumeMount'
const OURS = '/etc/istio-certs'
const annotationOf = (cluster: ScrapedCluster) => {
  const object = cluster.objects.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'prometheus')
  return (object as WorkloadObject).spec.template.metadata
}

describe('the mounts of Prometheus’ sidecar', () => {
  const forms: [string, string | undefined, unknown][] = [
    ['none', undefined, [{ name: 'istio-certs', mountPath: OURS }]],
    [
      'a list',
      '[{"name":"tls","mountPath":"/tls"}]',
      [
        { name: 'tls', mountPath: '/tls' },
        { name: 'istio-certs', mountPath: OURS },
      ],
    ],
    // Istio's page about TLS termination at a sidecar.
    [
      'an object',
      '{"tls-secret":{"mountPath":"/etc/istio/tls-certs/","readOnly":true}}',
      { 'tls-secret': { mountPath: '/etc/istio/tls-certs/', readOnly: true }, 'istio-certs': { mountPath: OURS } },
    ],
    ['an empty object', '{}', { 'istio-certs': { mountPath: OURS } }],
  ]
  for (const [title, users, expected] of forms)
    it(`keep the form and the mounts of the user: ${title}`, async () => {
      const cluster = new ScrapedCluster(workload('web'))
      if (users !== undefined) annotationOf(cluster).annotations = { [MOUNTS]: users, users: 'yes' }
      const before = structuredClone(annotationOf(cluster))
      await cluster.secure()
      const text = annotationOf(cluster).annotations?.[MOUNTS] ?? ''
      assert.deepEqual(JSON.parse(text), expected)
      await cluster.secure()
      assert.equal(annotationOf(cluster).annotations?.[MOUNTS], text, 'once')
      const request = { addons: requireAddons([]), scraping: { timeout: 1_000 }, yes: true, dryRun: 'none' as const }
      await cleanup(request, fakeWorld(cluster, new FakeTerminal()))
      assert.deepEqual(annotationOf(cluster), before)
    })

  it('are left to the user if the user has edited them since', () => {
    const without = PROMETHEUS_FRAGMENTS[MOUNTS] ?? assert.fail()
    const [own, list] = [{ mountPath: OURS }, [{ name: 'tls' }, { name: 'istio-certs' }]]
    assert.equal(without(JSON.stringify({ tls: {}, 'istio-certs': own }), '{}', undefined), '{"tls":{}}')
    assert.equal(without(JSON.stringify({ 'istio-certs': own }), undefined, undefined), undefined)
    assert.equal(without(JSON.stringify(list), '[]', undefined), '[{"name":"tls"}]')
  })
})
