import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { overriddenCluster, overriddenPod, overriddenUser } from '../../src/cluster/kubeconfig/kube-overrides.ts'

const CLUSTER = {
  server: 'https://a.test',
  'tls-server-name': 'b.test',
  'certificate-authority-data': Buffer.from('ca'),
  'proxy-url': 'http://proxy.test',
}

describe('flags in place of the kubeconfig', () => {
  it('change nothing when they are empty', () => {
    const none = { server: '', serverName: '', insecure: false, authority: '', token: '', certificate: '', key: '' }
    assert.deepEqual(overriddenCluster(CLUSTER, none), CLUSTER)
    assert.deepEqual(overriddenUser({ token: 'a' }, none), { token: 'a' })
  })

  it('take the name in TLS away with the server, and leave the proxy', () => {
    const { 'tls-server-name': _, ...rest } = CLUSTER
    assert.deepEqual(overriddenCluster(CLUSTER, { server: 'https://c.test' }), { ...rest, server: 'https://c.test' })
  })

  it('decide alone whom to trust', () => {
    const { 'certificate-authority-data': _, ...rest } = CLUSTER
    assert.deepEqual(overriddenCluster(CLUSTER, { insecure: true }), { ...rest, 'insecure-skip-tls-verify': true })
    const insecure = { ...rest, 'insecure-skip-tls-verify': true }
    assert.deepEqual(overriddenCluster(insecure, { authority: '/ca' }), { ...rest, 'certificate-authority': '/ca' })
  })

  it('replace single credentials', () => {
    const user = { token: 'a', as: 'ann', 'client-key': '/old' }
    assert.deepEqual(overriddenUser(user, { token: 'b', certificate: '/c', key: '/k' }), {
      token: 'b',
      as: 'ann',
      'client-certificate': '/c',
      'client-key': '/k',
    })
  })

  it('replace the token of a pod as a whole', () => {
    const pod = { context: 'pod', cluster: CLUSTER, user: { tokenFile: '/token' }, namespace: 'a' }
    assert.deepEqual(overriddenPod(pod, { token: 'b', server: 'https://ignored.test' }), {
      ...pod,
      user: { token: 'b' },
    })
  })
})
