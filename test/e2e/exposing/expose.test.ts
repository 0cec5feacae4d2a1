import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { loadBalancer, loadBalancerAddress, nodeAddress } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'

const HOST = `grafana.${loadBalancerAddress}.nip.io`
const EXPOSE = ['expose', 'grafana', '--allow-anonymous', '-y']

describe('expose grafana, on the real mesh', () => {
  const workplace = new Workplace()
  before(() => loadBalancer('on'))
  afterEach(() => workplace.telemetry('cleanup', '-y'))
  after(() => workplace.end())

  it('serves Grafana at the load balancer address over HTTP/2, as curl sees it too', () => {
    const { stdout, stderr, exitCode } = workplace.telemetry(...EXPOSE)
    assert.equal(exitCode, 0, stderr)
    assert.match(
      stdout,
      new RegExp(`^grafana +istio-system/grafana +https://${HOST}/ +200 over HTTP/2 in \\d+ ms$`, 'm'),
    )
    const [, line = ''] = /^try +(curl .*)$/m.exec(stdout) ?? []
    const curl = workplace.run('sh', ['-c', `${line} -sS -o /dev/null -w '%{http_code} HTTP/%{http_version}'`])
    assert.equal(curl.stdout, '200 HTTP/2', curl.stderr)
  })

  it('serves it at a node and its node port while EXTERNAL-IP is pending', async () => {
    await loadBalancer('off')
    try {
      const result = JSON.parse(workplace.telemetry(...EXPOSE, '-o', 'json').stdout) as ExposeResult
      assert.equal(result.gateway.via, 'node-port')
      assert.equal(result.gateway.address, nodeAddress)
      assert.equal(result.exposures[0]?.url, `https://grafana.${nodeAddress}.nip.io:${result.exposures[0]?.port}/`)
      assert.deepEqual([result.exposures[0]?.probe?.ok, result.exposures[0]?.probe?.status], [true, 200])
    } finally {
      await loadBalancer('on')
    }
  })

  it('changes nothing the second time, and reports all objects as unchanged', () => {
    assert.equal(workplace.telemetry(...EXPOSE).exitCode, 0)
    const versions = () =>
      workplace.kubectl(
        '-n',
        'istio-system',
        'get',
        'secrets,gateways.networking.istio.io,virtualservices.networking.istio.io',
        '-o',
        'jsonpath={.items[*].metadata.resourceVersion}',
      )
    const first = versions()
    const { stdout, exitCode } = workplace.telemetry(...EXPOSE)
    assert.equal(exitCode, 0)
    assert.deepEqual(stdout.split('\n').slice(0, 3), [
      'secret/kubectl-telemetry-tls unchanged',
      'virtualservice.networking.istio.io/kubectl-telemetry-grafana unchanged',
      'gateway.networking.istio.io/kubectl-telemetry unchanged',
    ])
    assert.equal(versions(), first)
  })

  it('uses the domain of --domain', () => {
    const { stdout, exitCode } = workplace.telemetry(...EXPOSE, '--domain', 'mesh.example.com')
    assert.equal(exitCode, 0)
    assert.match(stdout, /^grafana +istio-system\/grafana +https:\/\/grafana\.mesh\.example\.com\/ +200 over HTTP\/2/m)
  })

  it('uses the gateway of --gateway and the address of --ingress-ip', () => {
    const { stdout, stderr, exitCode } = workplace.telemetry(
      ...EXPOSE,
      '--gateway',
      'istio-system/istio-ingressgateway',
      '--ingress-ip',
      nodeAddress,
    )
    assert.equal(exitCode, 0, stderr)
    assert.match(stdout, new RegExp(`https://grafana\\.${nodeAddress}\\.nip\\.io:\\d+/ +200`))
  })

  it('prints manifests that the API server and istiod’s webhook accept', () => {
    const { stdout, exitCode } = workplace.telemetry('expose', 'grafana', '--dry-run=server', '-o', 'yaml')
    assert.equal(exitCode, 0)
    const applied = workplace.run('kubectl', ['apply', '--dry-run=server', '-f', '-'], { input: stdout })
    assert.equal(applied.exitCode, 0, applied.stderr)
    assert.deepEqual(applied.stdout.trim().split('\n'), [
      'secret/kubectl-telemetry-tls created (server dry run)',
      'virtualservice.networking.istio.io/kubectl-telemetry-grafana created (server dry run)',
      'gateway.networking.istio.io/kubectl-telemetry created (server dry run)',
    ])
  })

  it('causes no new message of istioctl analyze', () => {
    const messages = () => workplace.run('istioctl', ['analyze', '-A', '-o', 'json']).stdout
    const before = messages()
    assert.equal(workplace.telemetry(...EXPOSE).exitCode, 0)
    assert.equal(messages(), before)
  })

  it('and cleanup leave every object of every API group unchanged', () => {
    const before = dump(workplace)
    assert.ok(before.size > 100, `only ${before.size} objects were seen`)
    assert.equal(workplace.telemetry(...EXPOSE).exitCode, 0)
    const ours = [
      'Gateway networking.istio.io/v1 istio-system/kubectl-telemetry',
      'Secret v1 istio-system/kubectl-telemetry-tls',
      'VirtualService networking.istio.io/v1 istio-system/kubectl-telemetry-grafana',
    ]
    assert.deepEqual(difference(before, dump(workplace)), ours)
    for (const dryRun of ['client', 'server']) {
      assert.equal(workplace.telemetry('cleanup', `--dry-run=${dryRun}`).exitCode, 0)
      assert.deepEqual(difference(before, dump(workplace)), ours, `a dry run (${dryRun}) changed something`)
    }
    const { stdout, exitCode } = workplace.telemetry('cleanup', '-y')
    assert.equal(exitCode, 0)
    assert.deepEqual(stdout.trim().split('\n'), [
      'gateway.networking.istio.io "kubectl-telemetry" deleted from istio-system namespace',
      'virtualservice.networking.istio.io "kubectl-telemetry-grafana" deleted from istio-system namespace',
      'secret "kubectl-telemetry-tls" deleted from istio-system namespace',
    ])
    assert.deepEqual(difference(before, dump(workplace)), [])
    assert.equal(
      workplace.telemetry('cleanup', '-y').stdout,
      'nothing to remove: the cluster has no exposure of kubectl telemetry\n',
    )
  })

  it('names the hop that fails when Grafana is down', () => {
    workplace.kubectl('-n', 'istio-system', 'scale', 'deployment/grafana', '--replicas=0')
    try {
      const { stdout, exitCode } = workplace.telemetry(...EXPOSE, '--timeout', '4s')
      assert.equal(exitCode, 1)
      assert.match(stdout, /FAILED at upstream: the gateway cannot reach the add-on: 503/)
    } finally {
      workplace.kubectl('-n', 'istio-system', 'scale', 'deployment/grafana', '--replicas=1')
      workplace.kubectl('-n', 'istio-system', 'rollout', 'status', 'deployment/grafana', '--timeout=60s')
    }
  })

  it('stores the CA’s key so that only its owner can read it, and not in the cluster', () => {
    workplace.telemetry(...EXPOSE)
    const directory = join(
      workplace.environment.XDG_DATA_HOME ?? '',
      'kubectl-telemetry',
      'authorities',
      `${loadBalancerAddress}.nip.io`,
    )
    const modes = workplace.run('stat', ['-c', '%a %n', directory, join(directory, 'ca.key')]).stdout
    assert.deepEqual(
      modes
        .trim()
        .split('\n')
        .map((line) => line.split(' ')[0]),
      ['700', '600'],
    )
    assert.doesNotMatch(workplace.kubectl('get', 'secrets', '-A', '-o', 'json'), /ca\.key/)
  })
})
