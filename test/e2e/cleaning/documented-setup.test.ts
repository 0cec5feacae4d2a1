import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import { loadBalancer } from '../../lab/lab.ts'
import { documentedSetup } from '../documented-setup.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'

const CLEANUP = ['cleanup', '--documented-setup']

describe('what was made by hand after Istio’s page, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    // Somebody's own rule, which happens to have a name of the page's.
    workplace.apply({
      apiVersion: 'networking.istio.io/v1',
      kind: 'DestinationRule',
      metadata: { name: 'tracing', namespace: 'istio-system' },
      spec: { host: 'tracing', trafficPolicy: { connectionPool: { tcp: { maxConnections: 10 } } } },
    })
    untouched = dump(workplace)
    const base64 = Buffer.from('not read by anybody').toString('base64')
    const objects = documentedSetup('example.com', { 'tls.crt': base64, 'tls.key': base64 })
    workplace.apply(
      ...objects.filter(
        (object) =>
          !(
            'kind' in object &&
            object.kind === 'DestinationRule' &&
            JSON.stringify(object).includes('"name":"tracing"')
          ),
      ),
    )
  })
  after(() => {
    workplace.kubectl('-n', 'istio-system', 'delete', 'destinationrules.networking.istio.io', 'tracing')
    workplace.end()
  })

  it('stays when it is not asked for', () => {
    const before = dump(workplace)
    assert.equal(workplace.telemetry('cleanup', '-y').stdout, 'nothing of ours is in the cluster\n')
    assert.deepEqual(difference(before, dump(workplace)), [])
  })

  it('is shown in a dry run', () => {
    const before = dump(workplace)
    const { stdout, exitCode } = workplace.telemetry(...CLEANUP, '--dry-run=server')
    assert.equal(exitCode, 0)
    assert.equal(stdout.trim().split('\n').length, 12)
    assert.deepEqual(difference(before, dump(workplace)), [])
  })

  it('goes with --documented-setup, with the DestinationRules and the Secret that the page’s own clean-up leaves', () => {
    const { stdout, exitCode } = workplace.telemetry(...CLEANUP, '-y')
    assert.equal(exitCode, 0)
    assert.match(stdout, /^destinationrule\.networking\.istio\.io "grafana" deleted from istio-system namespace$/m)
    assert.match(stdout, /^secret "telemetry-gw-cert" deleted from istio-system namespace$/m)
  })

  it('and somebody’s own DestinationRule of such a name stays as it was', () => {
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })
})
