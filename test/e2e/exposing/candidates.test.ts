/** The choice of an add-on and a gateway between those of Istio's samples, the user's own, and those that are being deleted. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import type { KubeObject } from '../../../src/cluster/cluster.ts'
import { loadBalancer } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { assertOneError } from '../one-error.ts'

const NAMESPACE = 'candidates'
const EXPOSE = ['expose', 'grafana', '--allow-anonymous', '-y', '--dry-run=server']
const GATEWAY = ['--gateway', 'istio-system/istio-ingressgateway']

/** A Service, and a pod behind it that never runs and stays until its finalizer is removed. */
function pair(name: string, labels: Record<string, string>, spec: object, args: string[]): object[] {
  const metadata = { name, namespace: NAMESPACE, labels }
  return [
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { ...spec, selector: labels } },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...metadata, finalizers: ['example.com/held'] },
      spec: { nodeSelector: { 'example.com/no': 'node' }, containers: [{ name: 'main', image: 'none', args }] },
    },
  ]
}

describe('choosing an add-on and a gateway, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    untouched = dump(workplace)
    workplace.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } })
    // The labels of an old chart: Istio's sample has newer ones.
    const grafana = { app: 'grafana', release: 'own' }
    const pages = [{ name: 'service', port: 80, targetPort: 3000 }]
    const https = [{ name: 'https', port: 443, targetPort: 8443 }]
    workplace.apply(
      ...pair('grafana', grafana, { ports: pages }, []),
      ...pair('edge', { istio: 'edge' }, { type: 'NodePort', ports: https }, ['proxy', 'router']),
    )
  })
  after(() => {
    workplace.run('kubectl', ['delete', 'namespace', NAMESPACE, '--wait=false'])
    for (const pod of ['grafana', 'edge'])
      workplace.run('kubectl', ['-n', NAMESPACE, 'patch', 'pod', pod, '-p', '{"metadata":{"finalizers":null}}'])
    workplace.run('kubectl', ['wait', '--for=delete', `namespace/${NAMESPACE}`, '--timeout=60s'])
    workplace.end()
  })

  /** The namespace of the add-on, and that of the gateway. */
  function chosen(...words: string[]): unknown[] {
    const { stdout, stderr, exitCode } = workplace.telemetry(...EXPOSE, ...words, '-o', 'json')
    assert.equal(exitCode, 0, stderr)
    const { items } = JSON.parse(stdout) as { items: KubeObject[] }
    const route = items.find(({ kind }) => kind === 'VirtualService')
    const [, namespace] = /"host":"grafana\.([^.]+)\.svc/.exec(JSON.stringify(route)) ?? []
    return [namespace, route?.metadata.namespace]
  }

  it('takes the Grafana of -n, also when its labels differ from those of Istio’s sample', () => {
    assert.deepEqual(chosen('-n', NAMESPACE, ...GATEWAY), [NAMESPACE, 'istio-system'])
    assert.deepEqual(chosen('-n', 'istio-system', ...GATEWAY), ['istio-system', 'istio-system'])
  })

  it('lists both add-ons, and both gateways, when no flag chooses one', () => {
    const names = new RegExp(`${NAMESPACE}/grafana .*istio-system/grafana [^]*-n ${NAMESPACE}\n.*-n istio-system$`, 'm')
    assertOneError(workplace.telemetry(...EXPOSE, ...GATEWAY), 'ADDON_AMBIGUOUS', names)
    const gateways = new RegExp(`--gateway ${NAMESPACE}/edge$`, 'm')
    assertOneError(workplace.telemetry(...EXPOSE, '-n', 'istio-system'), 'GATEWAY_AMBIGUOUS', gateways)
  })

  it('ignores an add-on and a gateway whose namespace is being deleted', () => {
    workplace.kubectl('delete', 'namespace', NAMESPACE, '--wait=false')
    workplace.kubectl('wait', '--for=jsonpath={.status.phase}=Terminating', `namespace/${NAMESPACE}`)
    const services = workplace.kubectl('-n', NAMESPACE, 'get', 'services', '-o', 'name').split('\n')
    assert.deepEqual(services, ['service/edge', 'service/grafana', ''], 'Services stay until the pods have gone')
    assert.deepEqual(chosen(), ['istio-system', 'istio-system'])
  })

  it('leaves no difference in the cluster', () => {
    for (const pod of ['grafana', 'edge'])
      workplace.kubectl('-n', NAMESPACE, 'patch', 'pod', pod, '-p', '{"metadata":{"finalizers":null}}')
    workplace.kubectl('wait', '--for=delete', `namespace/${NAMESPACE}`, '--timeout=60s')
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })
})
