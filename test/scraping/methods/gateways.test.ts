import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { stringify } from 'yaml'
import { planMetricsGateway } from '../../../src/scraping/methods/metrics-gateway.ts'
import { planNativeGateway } from '../../../src/scraping/methods/native-gateway.ts'
import type { ScrapeOptions } from '../../../src/scraping/methods/planner.ts'
import { expectGolden } from '../../golden-file.ts'
import { meshObject, podOf, scene, skipOf, specOf, workload, writingsOf } from '../scenes.ts'

/** As `istioctl install` creates it: the template contains the whole container. */
const installed = () =>
  workload({ proxy: 'gateway', containers: [{ name: 'istio-proxy', image: 'docker.io/istio/proxyv2:1.31.0' }] })
/** As the chart `gateway` creates it. */
const injected = () => workload({ proxy: 'gateway', containers: [{ name: 'istio-proxy', image: 'auto' }] })
const HARDEN: Partial<{ options: ScrapeOptions }> = { options: { harden: true } }

interface Template {
  template: { metadata: { annotations: Record<string, string> }; spec?: { containers: { env: { name: string }[] }[] } }
}
/** Names of variables: in the annotation, and in the container's environment. */
function variables(planned: ReturnType<typeof planNativeGateway>): [string[], string[]] {
  const { template } = specOf(planned, 'Deployment') as unknown as Template
  const config = template.metadata.annotations['proxy.istio.io/config'] ?? ''
  const env = template.spec?.containers.flatMap(({ env }) => env.map(({ name }) => name)) ?? []
  return [[...config.matchAll(/^ {2}(\w+):/gm)].map(([, name]) => name ?? ''), env]
}
const PORTS = ['ENVOY_SECURE_METRICS_PORT', 'ENVOY_SECURE_MERGED_METRICS_PORT']
const CLOSED = 'METRICS_LOCALHOST_ACCESS_ONLY'

describe('planNativeGateway', () => {
  it('an installed gateway reads its ports from the environment of the container, and 15090’s rule from the annotation', () => {
    assert.deepEqual(variables(planNativeGateway(installed(), scene())), [[], PORTS])
    assert.deepEqual(variables(planNativeGateway(installed(), scene(HARDEN))), [[CLOSED], [...PORTS, CLOSED]])
  })

  it('an injected gateway reads all variables from the annotation', () => {
    assert.deepEqual(variables(planNativeGateway(injected(), scene(HARDEN))), [[...PORTS, CLOSED], []])
  })

  it('is found by Prometheus at the merged port', () => {
    const { template } = specOf(planNativeGateway(installed(), scene()), 'Deployment') as unknown as Template
    assert.equal(template.metadata.annotations['prometheus.istio.io/secure-port'], '15092')
  })
})

describe('planMetricsGateway', () => {
  it('writes a ServiceEntry for the agent, a route to it, the port, and the annotation for Prometheus', () => {
    const planned = planMetricsGateway(installed(), scene(HARDEN))
    expectGolden(
      'scrape-metrics-gateway.yaml',
      writingsOf(planned)
        .map(({ manifest }) => stringify(manifest))
        .join('---\n'),
    )
  })

  it('sets no variables for native ports', () => {
    assert.deepEqual(variables(planMetricsGateway(installed(), scene())), [[], []])
    assert.deepEqual(variables(planMetricsGateway(installed(), scene(HARDEN))), [[CLOSED], [CLOSED]])
    assert.deepEqual(variables(planMetricsGateway(injected(), scene(HARDEN))), [[CLOSED], []])
  })

  it('skips a gateway if another Gateway already has port 15091 of its pods', () => {
    const spec = { servers: [{ port: { number: 15091 } }] }
    const others = (selector: object) => ({ objects: [meshObject('Gateway', 'users', { ...spec, ...selector })] })
    assert.equal(skipOf(planMetricsGateway(installed(), scene(others({ selector: { app: 'web' } })))), 'POD_PORT_TAKEN')
    assert.equal(skipOf(planMetricsGateway(installed(), scene(others({})))), 'POD_PORT_TAKEN')
    assert.equal(skipOf(planMetricsGateway(installed(), scene(others({ selector: { app: 'egress' } })))), undefined)
  })

  it('skips two gateways with the same labels', () => {
    assert.equal(
      skipOf(planMetricsGateway(installed(), scene({ neighbours: [podOf({ app: 'web' })] }))),
      'SELECTOR_SHARED',
    )
  })
})
