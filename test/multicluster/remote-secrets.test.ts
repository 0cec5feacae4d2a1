import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import type { Mesh } from '../../src/multicluster/mesh.ts'
import { findRemoteSecrets } from '../../src/multicluster/remote-secrets.ts'
import { FakeCluster } from '../fakes/fake-cluster.ts'

const MESH = { namespace: 'istio-system' } as Mesh

function secret(name: string, namespace = 'istio-system', labels: Record<string, string> = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace, labels } }
}

describe('remote secrets', () => {
  const remote = { 'istio/multiCluster': 'true' }

  it('are those of the namespace of istiod that have its label', async () => {
    const cluster = new FakeCluster([
      secret('istio-remote-secret-west', 'istio-system', remote),
      secret('istio-remote-secret-north', 'istio-system', remote),
      secret('of-a-tenant', 'shop', remote),
      secret('cacerts'),
    ])
    assert.deepEqual(await findRemoteSecrets(MESH, cluster), ['istio-remote-secret-north', 'istio-remote-secret-west'])
  })

  it('are none where Secrets may not be listed', async () => {
    const cluster = new FakeCluster([secret('istio-remote-secret-west', 'istio-system', remote)])
    cluster.fail('list', 'secrets', new UserError('FORBIDDEN', 'cannot list secrets'))
    assert.deepEqual(await findRemoteSecrets(MESH, cluster), [])
  })
})
