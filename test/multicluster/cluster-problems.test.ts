/** What status says is wrong with a cluster: each finding, and that it is not there without its cause. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { ClusterStatus } from '../../src/multicluster/cluster-problems.ts'
import { clusterProblems } from '../../src/multicluster/cluster-problems.ts'

const HEALTHY: ClusterStatus = {
  name: 'west',
  context: 'lab',
  istio: { namespace: 'istio-system', revisions: ['default'] },
  trustDomain: 'cluster.local',
  roots: [],
  signer: { kind: 'ours', daysLeft: 30 },
  phase: 'finished',
  proxies: { total: 3, trusting: 3, renewed: 3, unknown: [] },
  gateway: { namespace: 'istio-system', service: 'gw', address: '203.0.113.7', port: 15443 },
  remoteSecrets: [],
}

const codes = (change: Partial<ClusterStatus>, connected = true) =>
  clusterProblems({ ...HEALTHY, ...change }, { connected }).map(({ code, severity }) => `${severity} ${code}`)

describe('the problems of a cluster', () => {
  it('are none where it is healthy', () => assert.deepEqual(codes({}), []))

  const cases: [string, Partial<ClusterStatus>, string[]][] = [
    ['a CA that expires in 29 days', { signer: { kind: 'ours', daysLeft: 29 } }, ['fails SIGNER_EXPIRES']],
    ['a root of its own', { phase: 'own-root' }, ['fails TRUST_NOT_SHARED']],
    ['a change that has begun', { phase: 'both-roots' }, ['fails TRUST_UNFINISHED']],
    ['a former root that is trusted', { phase: 'new-signer' }, ['warns FORMER_ROOT_TRUSTED']],
    [
      'a proxy that lacks the root',
      { proxies: { total: 3, trusting: 2, renewed: 2, unknown: [] } },
      ['fails TRUST_LACKING'],
    ],
    [
      'a proxy that cannot be asked',
      { proxies: { total: 3, trusting: 2, renewed: 2, unknown: [{ pod: 'foo/a', why: 'no answer' }] } },
      ['warns TRUST_UNREAD'],
    ],
    ['credentials of other clusters', { remoteSecrets: ['istio-remote-secret-north'] }, ['notes REMOTE_SECRETS']],
    ['a gateway without an address', { gateway: { namespace: 'a', service: 'b' } }, ['fails ENTRY_UNREACHABLE']],
  ]
  for (const [what, change, expected] of cases)
    it(`are named: ${what}`, () => assert.deepEqual(codes(change), expected))

  it('are that clusters share no root, where none is known', () => {
    const { phase: _, ...unconnected } = HEALTHY
    assert.deepEqual(
      clusterProblems(unconnected, { connected: false }).map(({ code }) => code),
      ['TRUST_NOT_SHARED'],
    )
  })
})
