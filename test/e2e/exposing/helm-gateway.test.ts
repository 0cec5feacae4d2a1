import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { loadBalancer, nodeAddress } from '../../lab/lab.ts'
import { endChartGateway, RELEASE, startChartGateway } from '../chart-gateway.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { assertOneError } from '../one-error.ts'

const EXPOSE = ['expose', 'all', '--allow-anonymous', '-y']

describe('the gateway of helm’s chart, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    await startChartGateway(workplace)
    untouched = dump(workplace)
  })
  after(() => {
    workplace.telemetry('cleanup', '-y')
    endChartGateway(workplace)
    workplace.end()
  })

  function assertServes(...words: string[]): void {
    const { stdout, stderr, exitCode } = workplace.telemetry(...EXPOSE, ...words, '-o', 'json')
    assert.equal(exitCode, 0, stdout + stderr)
    const { gateway, objects, exposures } = JSON.parse(stdout) as ExposeResult
    assert.deepEqual(
      [gateway.namespace, gateway.service, gateway.address, gateway.via],
      [RELEASE, RELEASE, nodeAddress, 'node-port'],
    )
    assert.deepEqual([...new Set(objects.map(({ namespace }) => namespace))], [RELEASE])
    assert.deepEqual(
      exposures.map(({ namespace, probe }) => [namespace, probe?.ok]),
      Array(4).fill(['istio-system', true]),
    )
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  }

  it('has to be named when the installed one runs too', () => {
    assertOneError(workplace.telemetry(...EXPOSE), 'GATEWAY_AMBIGUOUS', /--gateway istio-ingress\/istio-ingress$/m)
  })

  it('serves every add-on when it is named, with all objects in its own namespace, and cleanup leaves nothing', () => {
    assertServes('--gateway', `${RELEASE}/${RELEASE}`)
  })

  it('is found when no other gateway runs', () => {
    const scale = (replicas: number) =>
      workplace.kubectl('-n', 'istio-system', 'scale', 'deployment/istio-ingressgateway', `--replicas=${replicas}`)
    scale(0)
    try {
      const pods = ['-l', 'istio=ingressgateway', '--timeout=60s']
      workplace.kubectl('-n', 'istio-system', 'wait', '--for=delete', 'pod', ...pods)
      untouched = dump(workplace)
      assertServes()
    } finally {
      scale(1)
      const words = ['rollout', 'status', 'deployment/istio-ingressgateway', '--timeout=60s']
      workplace.kubectl('-n', 'istio-system', ...words)
    }
  })
})
