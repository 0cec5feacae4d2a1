/** A gateway's own ports, which Istio has from 1.31 on: one that istioctl installed, and one that is injected. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import { planNativeGateway } from '../../../src/scraping/methods/native-gateway.ts'
import type { Wishes } from '../../../src/scraping/methods/planner.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { addresses, ask, type Certificate, certificateOf, restarted, scraper, settled } from '../scraping.ts'
import { type Named, Plans } from '../scraping-plans.ts'

const NAMESPACE = 'edge'
const INSTALLED: Named = { kind: 'Deployment', namespace: 'istio-system', name: 'istio-ingressgateway' }
const INJECTED: Named = { kind: 'Deployment', namespace: NAMESPACE, name: 'edge' }
const GATEWAYS = [INSTALLED, INJECTED]
const PATH = '/stats/prometheus'

/** As the chart `gateway` makes it. */
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

  const at = ({ namespace, name }: Named, port: number, path = PATH) =>
    `${addresses(workplace, namespace, name)[0]}:${port}${path}`
  const carryOut = async (wishes?: Wishes) => {
    for (const gateway of GATEWAYS) await plans.carryOut(gateway, planNativeGateway, wishes)
    for (const { namespace } of GATEWAYS) restarted(workplace, namespace)
  }
  /** With a certificate, without one, in clear. */
  const answers = async (gateway: Named, port: number) => [
    await settled(200, () => ask(`https://${at(gateway, port)}`, certificate)),
    ask(`https://${at(gateway, port)}`).status,
    ask(`http://${at(gateway, port)}`).status,
  ]
  const inClear = (gateway: Named) => [15020, 15090].map((port) => ask(`http://${at(gateway, port)}`).status)

  before(async () => {
    workplace.apply(...injected(), ...scraper(NAMESPACE))
    restarted(workplace, NAMESPACE)
    certificate = await certificateOf(workplace, NAMESPACE)
    untouched = dump(workplace)
    await carryOut()
  })
  after(async () => {
    await plans.cluster.close()
    workplace.telemetry('cleanup', '--scraping', '-y')
    workplace.rolledOut('istio-ingressgateway')
    workplace.kubectl('delete', 'namespace', NAMESPACE, '--wait=true', '--timeout=90s')
    workplace.end()
  })

  for (const gateway of GATEWAYS)
    it(`${gateway.name} is scraped with a certificate of the mesh, and in no other way`, async () => {
      for (const port of [15091, 15092]) assert.deepEqual(await answers(gateway, port), [200, 0, 0])
      assert.equal(ask(`https://${at(gateway, 15092, '/quitquitquit')}`, certificate, '-X', 'POST').status, 404)
      assert.deepEqual(inClear(gateway), [200, 200])
    })

  it('Prometheus finds both at the merged port', () => {
    for (const { namespace, name } of GATEWAYS) {
      const path = 'jsonpath={.items[*].metadata.annotations.prometheus\\.istio\\.io/secure-port}'
      assert.equal(workplace.kubectl('-n', namespace, 'get', 'pods', '-l', `app=${name}`, '-o', path), '15092')
    }
  })

  it('hardened, the ports in clear answer nobody else; a policy for Prometheus alone is taken by the API server', async () => {
    const onlyPrometheus = { namespace: 'istio-system', serviceAccount: 'prometheus', labels: { app: 'prometheus' } }
    await carryOut({ harden: true, onlyPrometheus })
    for (const gateway of GATEWAYS) {
      assert.deepEqual(await answers(gateway, 15092), [200, 0, 0])
      assert.deepEqual(inClear(gateway), [403, 0])
    }
    const policies = workplace.kubectl(
      'get',
      'networkpolicies',
      '-A',
      '-l',
      'kubectl-telemetry/scraping=true',
      '-o',
      'name',
    )
    assert.equal(policies.trim().split('\n').length, 2)
  })

  it('cleanup --scraping gives both back as they were', () => {
    const { stdout, stderr, exitCode } = workplace.telemetry('cleanup', '--scraping', '-y')
    assert.equal(exitCode, 0, stdout + stderr)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })
})
