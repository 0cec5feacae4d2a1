import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { tlsSecret } from '../../src/manifests/tls-secret.ts'

describe('tlsSecret', () => {
  it('contains the leaf, its key and the CA certificate under the names of Kubernetes and Istio', () => {
    const manifest = tlsSecret({
      namespace: 'istio-ingress',
      certificate: 'the leaf\n',
      key: 'its key\n',
      authorityCertificate: 'the authority\n',
    })
    assert.deepEqual(manifest, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: 'kubectl-telemetry-tls',
        namespace: 'istio-ingress',
        labels: { 'app.kubernetes.io/managed-by': 'kubectl-telemetry', 'kubectl-telemetry/part': 'exposing' },
      },
      type: 'kubernetes.io/tls',
      data: { 'tls.crt': 'dGhlIGxlYWYK', 'tls.key': 'aXRzIGtleQo=', 'ca.crt': 'dGhlIGF1dGhvcml0eQo=' },
    })
  })
})
