import assert from 'node:assert/strict'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { moduleSources } from '../../lab/build.ts'
import { labEnvironment, loadBalancer, nodeAddress } from '../../lab/lab.ts'
import { defaultIstioVersion } from '../../lab/layout.ts'
import { command } from '../../lab/subprocess.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { assertOneError } from '../one-error.ts'

const RELEASE = 'istio-ingress'
const EXPOSE = ['expose', 'all', '--allow-anonymous', '-y']

/**
 * The output of `helm template istio-ingress istio/gateway -n istio-ingress` without helm: istioctl contains helm's library, and renders
 * any chart at the path of its own gateway's chart. The chart is the one in Istio's module, unchanged.
 */
async function chart(directory: string): Promise<string> {
  const manifests = join(await moduleSources(`istio-${defaultIstioVersion}`, 'istio.io/istio'), 'manifests')
  const place = join(directory, 'charts', 'gateways', 'istio-ingress')
  await cp(join(manifests, 'profiles'), join(directory, 'profiles'), { recursive: true })
  // Without the schema and with --force, because istioctl adds its own values and does not know those of this chart.
  const filter = (path: string) => !path.endsWith('values.schema.json')
  await cp(join(manifests, 'charts', 'gateway'), place, { recursive: true, filter })
  const resources = { requests: { cpu: '10m', memory: '64Mi' } } // a small machine
  // Set before istiod replaces the image `auto`, for which the API server's default is to pull always.
  const values = { name: RELEASE, imagePullPolicy: 'IfNotPresent', resources, terminationGracePeriodSeconds: 1 }
  const ingressGateways = [{ name: RELEASE, namespace: RELEASE, enabled: true }]
  const spec = { profile: 'empty', components: { ingressGateways }, values }
  const input = JSON.stringify({ apiVersion: 'install.istio.io/v1alpha1', kind: 'IstioOperator', spec })
  return command(['istioctl', 'manifest', 'generate', '--force', '--manifests', directory, '-f', '-'], {
    env: labEnvironment(),
    input,
  })
}

describe('the gateway of helm’s chart, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    const labels = { 'istio-injection': 'enabled' }
    workplace.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: RELEASE, labels } })
    const input = await chart(join(workplace.directory, 'manifests'))
    const { stderr, exitCode } = workplace.run('kubectl', ['-n', RELEASE, 'apply', '-f', '-'], { input })
    assert.equal(exitCode, 0, stderr)
    workplace.kubectl('-n', RELEASE, 'rollout', 'status', `deployment/${RELEASE}`, '--timeout=90s')
    untouched = dump(workplace)
  })
  after(() => {
    workplace.telemetry('cleanup', '-y')
    workplace.kubectl('delete', 'namespace', RELEASE, '--wait=true', '--timeout=90s')
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
