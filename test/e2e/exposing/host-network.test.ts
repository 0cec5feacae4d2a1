/** Gateways without a load balancer (decision 30): in the network of their node, and at ports of their node. */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'mocha'
import type { KubeObject } from '../../../src/cluster/cluster.ts'
import type { Container, Pod } from '../../../src/cluster/objects.ts'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { nodeAddress } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { waitUntilReady } from '../mesh-workloads.ts'

const LABELS = { app: 'edge', istio: 'edge' }
const metadata = { name: 'edge', namespace: 'istio-system', labels: LABELS }

describe('gateways at their node, on the real mesh', () => {
  const workplace = new Workplace()
  let installed: KubeObject & { spec: { template: { metadata: KubeObject['metadata']; spec: Pod['spec'] } } }
  let untouched: Map<string, string>

  before(() => {
    installed = JSON.parse(
      workplace.kubectl('-n', 'istio-system', 'get', 'deploy/istio-ingressgateway', '-o', 'json'),
    ) as typeof installed
    const ports = [
      { name: 'http2', port: 80, targetPort: 8080 },
      { name: 'https', port: 443, targetPort: 8443 },
    ]
    const service = { type: 'ClusterIP', selector: LABELS, ports }
    workplace.apply({ apiVersion: 'v1', kind: 'Service', metadata, spec: service })
  })
  afterEach(() => {
    workplace.telemetry('cleanup', '-y')
    assert.deepEqual(difference(untouched, dump(workplace)), [])
    workplace.kubectl('-n', 'istio-system', 'delete', 'daemonset', 'edge', '--cascade=foreground', '--wait=true')
  })
  after(() => {
    workplace.kubectl('-n', 'istio-system', 'delete', 'service', 'edge')
    workplace.end()
  })

  /** The installed gateway as a DaemonSet, changed like this. */
  function run(pod: object, changed: (container: Container) => Container): void {
    const { template } = installed.spec
    const containers = template.spec.containers.map(changed)
    const spec = { ...template.spec, containers, terminationGracePeriodSeconds: 1, ...pod }
    const annotations = template.metadata.annotations ?? {}
    const labels = { ...LABELS, 'sidecar.istio.io/inject': 'false' }
    workplace.apply({
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata,
      spec: { selector: { matchLabels: LABELS }, template: { metadata: { labels, annotations }, spec } },
    })
    waitUntilReady(workplace, 'istio-system', 'daemonset/edge')
    untouched = dump(workplace)
  }

  function expose(): [url: string | undefined, status: number | undefined, via: string] {
    const words = ['expose', 'grafana', '--gateway', 'istio-system/edge', '--allow-anonymous', '-y', '-o', 'json']
    const { stdout, stderr, exitCode } = workplace.telemetry(...words)
    assert.equal(exitCode, 0, stdout + stderr)
    const { exposures, gateway } = JSON.parse(stdout) as ExposeResult
    const [exposure] = exposures
    assert.match(workplace.telemetry('status').stdout, new RegExp(`${exposure?.url} +200 `))
    return [exposure?.url, exposure?.probe?.status, gateway.via]
  }

  it('in the network of the node: at the port on which its pods listen', () => {
    run({ hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }, (container) => container)
    assert.deepEqual(expose(), [`https://grafana.${nodeAddress}.nip.io:8443/`, 200, 'host-network'])
  })

  it('at a port of the node (hostPort): at that port', () => {
    run({}, (container) => ({
      ...container,
      ports: (container.ports ?? []).map((port) => (port.containerPort === 8443 ? { ...port, hostPort: 443 } : port)),
    }))
    assert.deepEqual(expose(), [`https://grafana.${nodeAddress}.nip.io/`, 200, 'host-network'])
  })
})
