import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { addons, loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'

const HOST = `tracing.${loadBalancerAddress}.nip.io`

/** Objects of SkyWalking's sample with other names than those of Jaeger's. */
const OWN = [
  ...['oap', 'ui'].map((part) => `deployment/skywalking-${part}`),
  ...['tracing-ui', 'skywalking-oap', 'skywalking-ui'].map((name) => `service/${name}`),
]

describe('SkyWalking, on the real mesh', function () {
  this.timeout('4m') // pods start

  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    untouched = dump(workplace)
    await addons(['extras/skywalking'])
    // Jaeger's Service zipkin stays and looks like Jaeger's page.
    istioSystem('annotate', 'service', 'skywalking-ui', 'kubectl-telemetry/addon=tracing')
  })
  after(async () => {
    istioSystem('delete', '--ignore-not-found', ...OWN)
    await addons(['jaeger'])
    workplace.end()
    // Service tracing was replaced by that of the other sample, and restored.
    assert.deepEqual(difference(untouched, dump(workplace)), [], 'the mesh has changed')
  })

  const istioSystem = (...words: string[]) => workplace.kubectl('-n', 'istio-system', ...words)

  it('is served by `expose tracing` at /', () => {
    const before = dump(workplace)
    const { stdout, stderr, exitCode } = workplace.telemetry(
      ...['expose', 'tracing', '--allow-anonymous', '-y', '-o', 'json'],
    )
    assert.equal(exitCode, 0, stdout + stderr)
    const { exposures, authority } = JSON.parse(stdout) as ExposeResult
    assert.ok(authority)
    assert.deepEqual(
      exposures.map(({ addon, url, probe }) => [addon, url, probe?.ok, probe?.status]),
      [['tracing', `https://${HOST}/`, true, 200]],
    )
    const to = [
      '--cacert',
      authority.certificate,
      '--resolve',
      `${HOST}:443:${loadBalancerAddress}`,
      `https://${HOST}/`,
    ]
    assert.match(workplace.run('curl', ['-sS', ...to]).stdout, /<title>SkyWalking<\/title>/)
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
    assert.deepEqual(difference(before, dump(workplace)), [])
  })
})
