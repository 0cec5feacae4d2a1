/** Native metrics ports of gateways, which Istio has since 1.31: a gateway that istioctl installed, and an injected one. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import { planNativeGateway } from '../../../src/scraping/methods/native-gateway.ts'
import type { ScrapeOptions } from '../../../src/scraping/methods/planner.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { addresses, ask, awaitStatus, type Certificate, certificateOf, scraper, waitForRestarts } from '../scraping.ts'
import { Plans, type WorkloadName } from '../scraping-plans.ts'

const NAMESPACE = 'edge'
const INSTALLED: WorkloadName = { kind: 'Deployment', namespace: 'istio-system', name: 'istio-ingressgateway' }
const INJECTED: WorkloadName = { kind: 'Deployment', namespace: NAMESPACE, name: 'edge' }
const GATEWAYS = [INSTALLED, INJECTED]
const PATH = '/stats/prometheus'

/** A gateway like that of the chart `gateway`. */
function injected(): object[] {
  const labels = { app: 'edge', istio: 'edge' }
  const metadata = {
    labels: { ...labels, 'sidecar.istio.io/inject': 'true' },
    annotations: { 'inject.istio.io/templates': 'gateway' },
  }
  const spec = {
    terminationGracePeriodSeconds: 1,
    containers: [{ name: 'istio-proxy', image: 'auto', imagePullPolicy: 'IfNotPresent' }],
  }
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels: { 'istio-injection': 'enabled' } } },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'edge', namespace: NAMESPACE },
      spec: { selector: { matchLabels: labels }, template: { metadata, spec } },
    },
  ]
}

describe('native ports of gateways, on the real mesh', () => {
  const workplace = new Workplace()
  const plans = new Plans()
  let certificate: Certificate
  let untouched: Map<string, string>

  const at = ({ namespace, name }: WorkloadName, port: number, path = PATH) =>
    `${addresses(workplace, namespace, name)[0]}:${port}${path}`
  const applyPlan = async (options?: ScrapeOptions) => {
    for (const gateway of GATEWAYS) await plans.applyPlan(gateway, planNativeGateway, options)
    for (const { namespace } of GATEWAYS) waitForRestarts(workplace, namespace)
  }
  /** Statuses with a certificate, without one, and in plaintext. */
  const answers = async (gateway: WorkloadName, port: number) => [
    await awaitStatus(200, () => ask(`https://${at(gateway, port)}`, certificate)),
    ask(`https://${at(gateway, port)}`).status,
    ask(`http://${at(gateway, port)}`).status,
  ]
  const plaintextStatuses = (gateway: WorkloadName) =>
    [15020, 15090].map((port) => ask(`http://${at(gateway, port)}`).status)

  before(async () => {
    workplace.apply(...injected(), ...scraper(NAMESPACE))
    waitForRestarts(workplace, NAMESPACE)
    certificate = await certificateOf(workplace, NAMESPACE)
    untouched = dump(workplace)
    await applyPlan()
  })
  after(async () => {
    await plans.cluster.close()
    workplace.telemetry('cleanup', '--scraping', '-y')
    workplace.waitForRollout('istio-ingressgateway')
    workplace.kubectl('delete', 'namespace', NAMESPACE, '--wait=true', '--timeout=90s')
    workplace.end()
  })

  for (const gateway of GATEWAYS)
    it(`${gateway.name} serves metrics only to clients with a certificate of the mesh`, async () => {
      for (const port of [15091, 15092]) assert.deepEqual(await answers(gateway, port), [200, 0, 0])
      assert.equal(ask(`https://${at(gateway, 15092, '/quitquitquit')}`, certificate, '-X', 'POST').status, 404)
      assert.deepEqual(plaintextStatuses(gateway), [200, 200])
    })

  it('both have the annotation that leads Prometheus to the merged port', () => {
    for (const { namespace, name } of GATEWAYS) {
      const path = 'jsonpath={.items[*].metadata.annotations.prometheus\\.istio\\.io/secure-port}'
      assert.equal(workplace.kubectl('-n', namespace, 'get', 'pods', '-l', `app=${name}`, '-o', path), '15092')
    }
  })

  it('--harden closes the plaintext ports to other clients, and the API server accepts policies for only Prometheus', async () => {
    const onlyPrometheus = { namespace: 'istio-system', serviceAccount: 'prometheus', labels: { app: 'prometheus' } }
    await applyPlan({ harden: true, onlyPrometheus })
    for (const gateway of GATEWAYS) {
      assert.deepEqual(await answers(gateway, 15092), [200, 0, 0])
      assert.deepEqual(plaintextStatuses(gateway), [403, 0])
    }
    const policies = workplace.kubectl(
      'get',
      'networkpolicies',
      '-A',
      '-l',
      'kubectl-telemetry/part=scraping',
      '-o',
      'name',
    )
    assert.equal(policies.trim().split('\n').length, 2)
  })

  it('cleanup --scraping restores both without a difference', () => {
    const { stdout, stderr, exitCode } = workplace.telemetry('cleanup', '--scraping', '-y')
    assert.equal(exitCode, 0, stdout + stderr)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })
})
