import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { requireAddons } from '../../src/addons/catalog.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { findForwards } from '../../src/forwarding/forwards.ts'
import { FakeCluster } from '../fakes/fake-cluster.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'

const pod = (server: string): KubeObject => ({
  ...{ apiVersion: 'v1', kind: 'Pod' },
  metadata: {
    ...{ name: `${server}-0`, namespace: 'monitoring', labels: { app: 'prometheus' } },
    ownerReferences: [{ controller: true, kind: 'StatefulSet', name: server }],
  },
  spec: { containers: [{ name: 'prometheus' }] },
  status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
})
const SERVICE: KubeObject = {
  ...{ apiVersion: 'v1', kind: 'Service' },
  metadata: { name: 'prometheus-operated', namespace: 'monitoring', labels: { 'operated-prometheus': 'true' } },
  spec: { selector: { app: 'prometheus' }, ports: [{ name: 'web', port: 9090 }] },
}
const path = async (...pods: KubeObject[]) => {
  const needs = { cluster: new FakeCluster([SERVICE, ...pods]), terminal: new FakeTerminal() }
  const { forwards } = await findForwards({ addons: requireAddons(['prometheus']), addresses: ['127.0.0.1'] }, needs)
  return (await forwards[0]?.page)?.path
}

describe('forwards to Prometheus', () => {
  it('lead to one server, not to several in turn', async () => {
    assert.equal(await path(pod('prometheus-k8s')), '/')
    await assert.rejects(path(pod('prometheus-k8s'), pod('prometheus-tenant')), {
      code: 'SEVERAL_SERVERS',
      message: /prometheus-operated leads to 2 .*: statefulset\/prometheus-k8s, statefulset\/prometheus-tenant$/,
    })
  })
})

describe('a forward speaks HTTPS', () => {
  const cases: [string, object, boolean][] = [
    ['to a port called https', { name: 'https', port: 443 }, true],
    ['to a port called https-web', { name: 'https-web', port: 443 }, true],
    ['to a port with appProtocol https', { name: 'web', port: 443, appProtocol: 'https' }, true],
    ['not to another appProtocol, whatever the name', { name: 'https', port: 443, appProtocol: 'http' }, false],
    ['not to a port called httpsx', { name: 'httpsx', port: 443 }, false],
    ['not to a port without a name', { port: 443 }, false],
  ]
  for (const [what, port, expected] of cases)
    it(what, async () => {
      const service = { ...SERVICE, spec: { selector: { app: 'web' }, ports: [port] } }
      const needs = { cluster: new FakeCluster([service]), terminal: new FakeTerminal() }
      const choice = { addons: requireAddons([]), service: { name: 'prometheus-operated' }, namespace: 'monitoring' }
      const { forwards } = await findForwards({ ...choice, addresses: ['127.0.0.1'] }, needs)
      assert.equal((await forwards[0]?.page)?.secure, expected)
    })
})
