/** What `tracing status` says, against what the gateway's Envoy has: istiod may ignore a setting without a word. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import type { TracingStatus } from '../../../src/tracing/status.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { MeshSettings } from '../mesh-settings.ts'

const GATEWAY = 'deploy/istio-ingressgateway'

const telemetry = (spec: object) => ({
  apiVersion: 'telemetry.istio.io/v1',
  kind: 'Telemetry',
  metadata: { name: 'mesh-default', namespace: 'istio-system' },
  spec,
})

describe('tracing status, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>
  let settings: MeshSettings

  before(() => {
    untouched = dump(workplace)
    settings = new MeshSettings(workplace)
    const { exitCode, stderr } = workplace.telemetry('expose', 'grafana', '--allow-anonymous', '-y')
    assert.equal(exitCode, 0, stderr)
  })
  after(() => {
    workplace.kubectl(
      'delete',
      'telemetries.telemetry.istio.io',
      '-n',
      'istio-system',
      'mesh-default',
      '--ignore-not-found',
    )
    settings.restore()
    workplace.telemetry('cleanup', '-y')
    workplace.end()
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })

  function status(): { exitCode: number; codes: string[]; all: TracingStatus['namespaces'][0] | undefined } {
    const { stdout, exitCode } = workplace.telemetry('tracing', 'status', '-o', 'json')
    const { problems, namespaces } = JSON.parse(stdout) as TracingStatus
    return { exitCode, codes: problems.map(({ code }) => code), all: namespaces[0] }
  }

  /** How the gateway's listeners trace, once they do as expected or 20 s are over. */
  async function untilTraced(expected: unknown): Promise<unknown> {
    for (let attempt = 0; ; attempt++) {
      const { stdout } = workplace.run('istioctl', [
        'proxy-config',
        'listeners',
        GATEWAY,
        '-n',
        'istio-system',
        '-o',
        'json',
      ])
      const [, percent] = /"randomSampling":\s*\{\s*"value":\s*(\d+)/.exec(stdout) ?? []
      const [, provider] = /"name":\s*"(envoy\.tracers\.\w+)"/.exec(stdout) ?? []
      const traced = provider === undefined ? undefined : { provider, percent: Number(percent) }
      if (JSON.stringify(traced) === JSON.stringify(expected) || attempt === 20) return traced
      await new Promise((resolve) => setTimeout(resolve, 1_000))
    }
  }

  it('says that a default installation traces nothing', async () => {
    const { exitCode, codes, all } = status()
    assert.deepEqual([exitCode, codes, all?.sent], [0, ['TRACING_OFF'], false])
    assert.equal(await untilTraced(undefined), undefined)
  })

  it('says that all is traced, where a provider and a Telemetry say so', async () => {
    settings.set({
      extensionProviders: [{ name: 'spans', zipkin: { service: 'zipkin.istio-system.svc.cluster.local', port: 9411 } }],
    })
    workplace.apply(telemetry({ tracing: [{ providers: [{ name: 'spans' }], randomSamplingPercentage: 37 }] }))
    const { exitCode, codes, all } = status()
    assert.deepEqual([exitCode, codes, all?.sent, all?.provider, all?.sampling], [0, [], true, 'spans', 37])
    const expected = { provider: 'envoy.tracers.zipkin', percent: 37 }
    assert.deepEqual(await untilTraced(expected), expected)
  })

  it('says what istiod does not: a provider that does not exist, and one whose Service has no such port', async () => {
    workplace.apply(telemetry({ tracing: [{ providers: [{ name: 'nosuch' }] }] }))
    assert.deepEqual([status().exitCode, status().codes], [1, ['TRACING_PROVIDER_UNKNOWN']])
    assert.equal(await untilTraced(undefined), undefined)
    settings.set({
      extensionProviders: [{ name: 'spans', zipkin: { service: 'zipkin.istio-system.svc.cluster.local', port: 9412 } }],
    })
    workplace.apply(telemetry({ tracing: [{ providers: [{ name: 'spans' }] }] }))
    assert.deepEqual([status().exitCode, status().codes], [1, ['TRACING_SERVICE_UNKNOWN']])
  })
})
