/** What Envoy's admin port says. A tenant's pod can answer anything there. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import {
  clusterDumpPath,
  clusterTls,
  endpointsOf,
  growth,
  hasChainFor,
  trustOf,
} from '../../../src/multicluster/verifying/proxy-view.ts'

const NAME = 'outbound|8000||httpbin.bar.global'
const nested = `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`
const STRANGE = [
  '',
  'not JSON',
  'null',
  '[]',
  '1',
  '{"configs":{}}',
  '{"configs":[null,1,"x",{"cluster":7}]}',
  '{"cluster_statuses":[{}]}',
  nested,
]

describe('answers of an admin port', () => {
  it('of another shape say nothing, and break nothing', () => {
    for (const answer of STRANGE) {
      assert.equal(clusterTls(answer, NAME), undefined)
      assert.equal(endpointsOf(answer, NAME), undefined)
      assert.equal(hasChainFor(answer, 'a'), false)
      assert.equal(trustOf(answer), undefined)
    }
  })

  it('have fields of another type', () => {
    const host = {
      address: 3,
      stats: [{ name: 'rq_total', value: {} }, 'x', { name: 'cx_connect_fail', value: 'NaN' }],
      health_status: 'well',
    }
    const answer = JSON.stringify({ cluster_statuses: [{ name: NAME, host_statuses: [host, null] }] })
    const nothing = { address: '', port: 0, healthy: false, counts: { failures: 0, requests: 0 } }
    assert.deepEqual(endpointsOf(answer, NAME), [nothing, nothing])
    const dump = {
      configs: [{ name: 'ROOTCA', secret: { validation_context: { trusted_ca: { inline_bytes: 'bm90aGluZw==' } } } }],
    }
    assert.equal(trustOf(JSON.stringify(dump)), undefined)
  })

  it('ask for one cluster by a pattern that no host can widen', () => {
    const path = clusterDumpPath('outbound|80||a.b')
    const { searchParams } = new URL(path, 'http://admin')
    assert.equal(searchParams.get('name_regex'), '^outbound\\|80\\|\\|a\\.b$')
    assert.equal(searchParams.get('resource'), 'dynamic_active_clusters')
    assert.equal(new URL(clusterDumpPath('a&resource=x'), 'http://admin').searchParams.getAll('resource').length, 1)
  })

  it('name another cluster than the one that was asked for', () => {
    assert.equal(clusterTls(JSON.stringify({ configs: [{ cluster: { name: 'other' } }] }), NAME), undefined)
  })

  it('say which identities are accepted, also in the form of older versions', () => {
    const dumped = (validation: object) =>
      clusterTls(
        JSON.stringify({ configs: [{ cluster: { name: NAME, transport_socket: { sni: 's', validation } } }] }),
        NAME,
      )
    assert.deepEqual(
      dumped({ match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: 'spiffe://a' } }] }),
      {
        snis: ['s'],
        identities: ['spiffe://a'],
      },
    )
    assert.deepEqual(
      dumped({ match_subject_alt_names: [{ exact: 'spiffe://a' }, { prefix: 'spiffe://' }] })?.identities,
      ['spiffe://a'],
    )
  })
})

describe('an endpoint', () => {
  const endpoint = (health: object) => {
    const host = { address: { socket_address: { address: '10.0.0.1', port_value: 1 } }, health_status: health }
    return endpointsOf(JSON.stringify({ cluster_statuses: [{ name: NAME, host_statuses: [host] }] }), NAME)?.[0]
  }

  it('is healthy if nothing speaks against it', () => {
    assert.equal(endpoint({ eds_health_status: 'HEALTHY' })?.healthy, true)
    assert.equal(endpoint({ eds_health_status: 'HEALTHY', failed_outlier_check: true })?.healthy, false)
    assert.equal(endpoint({ eds_health_status: 'HEALTHY', failed_outlier_check: false })?.healthy, true)
    assert.equal(endpoint({ eds_health_status: 'UNHEALTHY' })?.healthy, false)
  })
})

describe('growth of the counts', () => {
  const at = (address: string, failures: number, requests: number) => ({
    address,
    port: 1,
    healthy: true,
    counts: { failures, requests },
  })

  it('is that of all endpoints, where a new one counts from zero and one that counts anew not at all', () => {
    const before = [at('a', 5, 10), at('b', 1, 1)]
    assert.deepEqual(growth(before, [at('a', 6, 12), at('b', 0, 0), at('c', 1, 3)]), { failures: 2, requests: 5 })
    assert.deepEqual(growth(before, []), { failures: 0, requests: 0 })
  })
})
