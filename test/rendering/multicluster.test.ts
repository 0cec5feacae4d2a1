/** The pages of connect, rotate and status. */
import { describe, it } from 'mocha'
import { fails, warns } from '../../src/findings.ts'
import type { ConnectResult } from '../../src/multicluster/connect.ts'
import { renderConnect, renderMulticlusterStatus, renderTrust } from '../../src/rendering/multicluster/clusters.ts'
import { expectGolden } from '../golden-file.ts'

const certificate = {
  subject: 'O=kubectl telemetry, CN=mesh root 4a6b0c1d',
  fingerprint: 'ab12',
  notAfter: '2036-11-28T12:00:00.000Z',
  daysLeft: 3649,
}

const cluster = (name: string, context: string) => ({
  name,
  context,
  istio: { namespace: 'istio-system', revisions: ['default'] },
  trustDomain: 'cluster.local',
  roots: [certificate],
  signer: { kind: 'ours' as const, ...certificate, daysLeft: 729 },
  phase: 'new-signer' as const,
  proxies: { total: 4, trusting: 4, renewed: 1, unknown: [] },
  gateway: {
    namespace: 'istio-system',
    service: 'istio-ingressgateway',
    address: '203.0.113.7',
    port: 15443,
    via: 'load-balancer',
  },
})

const secret = { kind: 'Secret', group: '', namespace: 'istio-system', name: 'cacerts' }
const RESULT: ConnectResult = {
  outcome: 'applied',
  clusters: [cluster('west', 'lab'), cluster('east', 'lab-2')],
  objects: [
    { cluster: 'west', ...secret, action: 'created' },
    { cluster: 'east', ...secret, action: 'configured' },
  ],
  problems: [],
}

const REPORT = { result: RESULT, comparisons: [] }

describe('the pages of clusters', () => {
  it('of connect', () => {
    expectGolden('multicluster-connect.txt', renderConnect(REPORT, 'none', undefined, false))
    expectGolden(
      'multicluster-connect-dry-run.txt',
      renderConnect({ ...REPORT, result: { ...RESULT, outcome: 'planned' } }, 'client', undefined, false),
    )
    expectGolden('multicluster-connect.json', renderConnect(REPORT, 'none', 'json', false))
  })

  it('of rotate', () => {
    const clusters = RESULT.clusters.map(({ gateway: _, ...one }) => one)
    expectGolden(
      'multicluster-rotate.txt',
      renderTrust({ result: { ...RESULT, clusters }, comparisons: [] }, 'none', undefined, false),
    )
  })

  it('of status', () => {
    const hops = [
      { port: 8000, hop: 'name' as const, ok: true, milliseconds: 4, text: 'httpbin.bar.global resolves in foo/sleep' },
      { port: 8000, hop: 'sidecar' as const, ok: false, milliseconds: 9, text: 'it does not know the host' },
    ]
    const service = {
      host: 'httpbin.bar.global',
      service: 'httpbin',
      namespace: 'bar',
      in: ['east'],
      to: 'west',
      ports: [8000],
      address: '240.0.0.2',
      subsets: [],
      identities: ['spiffe://cluster.local/ns/bar/sa/httpbin'],
      dns: 'coredns',
    }
    const status = {
      clusters: RESULT.clusters.map((one) => ({ ...one, remoteSecrets: [] })),
      services: [
        { ...service, hops },
        { ...service, host: 'reviews.default.global' },
      ],
      problems: [
        fails(
          'SIGNER_EXPIRES',
          'the CA of cluster west expires in 12 days',
          'kubectl telemetry multicluster rotate   # the same contexts',
        ),
        warns('TRUST_UNREAD', 'which roots 1 of 4 proxies of cluster east trust is not known'),
      ],
    }
    expectGolden('multicluster-status.txt', renderMulticlusterStatus(status, undefined))
  })
})
