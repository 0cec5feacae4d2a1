import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { hostConflicts } from '../../src/gateways/conflicts.ts'
import { gatewayOf } from '../../src/gateways/find.ts'
import { pod, service } from './gateway-objects.ts'

const HOST = 'grafana.example.com'
const OURS = { 'app.kubernetes.io/managed-by': 'kubectl-telemetry', 'kubectl-telemetry/part': 'exposing' }
const ENTRY = { host: HOST, port: 443 }

interface Claim {
  name?: string
  namespace?: string
  hosts?: string[]
  port?: number
  selector?: Record<string, string> | undefined
  labels?: Record<string, string>
}

function theirs({
  name = 'theirs',
  namespace = 'apps',
  hosts = [HOST],
  port = 443,
  selector = { istio: 'ingressgateway' },
  labels = {},
}: Claim): KubeObject {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Gateway',
    metadata: { name, namespace, labels },
    spec: { selector, servers: [{ port: { name: 'https', number: port, protocol: 'HTTPS' }, hosts }] },
  }
}

describe('hostConflicts', () => {
  const gateway = gatewayOf(service(), [pod()])
  assert.ok(gateway)
  const claims = (claim: Claim) => hostConflicts([ENTRY], gateway, [theirs(claim)]).map((conflict) => conflict.claim)

  const cases: [string, Claim, string[]][] = [
    ['the same host', {}, [HOST]],
    ['the same host among others', { hosts: ['a.example.com', HOST] }, [HOST]],
    ['the same host, for routes of one namespace', { hosts: [`apps/${HOST}`] }, [HOST]],
    ['a wildcard over the domain', { hosts: ['*.example.com'] }, ['*.example.com']],
    ['a wildcard over all', { hosts: ['*'] }, ['*']],
    ['a wildcard over all, for routes of any namespace', { hosts: ['*/*'] }, ['*']],
    ['the host rather than the wildcard beside it', { hosts: ['*', HOST] }, [HOST]],
    ['a Gateway for fewer labels than the pods have', { selector: {} }, [HOST]],
    ['the host in a Gateway of a tenant with our name and labels', { name: 'kubectl-telemetry', labels: OURS }, [HOST]],
    ['the host in a Gateway beside ours with our labels', { namespace: 'istio-system', labels: OURS }, [HOST]],
  ]
  for (const [name, claim, expected] of cases) {
    it(`sees ${name}`, () => assert.deepEqual(claims(claim), expected))
  }

  const others: [string, Claim][] = [
    ['another host', { hosts: ['kiali.example.com'] }],
    ['a wildcard over another domain', { hosts: ['*.example.org'] }],
    ['a wildcard over a domain that only ends alike', { hosts: ['*.ample.com'] }],
    ['a wildcard below the host', { hosts: ['*.grafana.example.com'] }],
    ['another port', { port: 80 }],
    ['other pods', { selector: { istio: 'egressgateway' } }],
    ['a label more than the pods have', { selector: { istio: 'ingressgateway', zone: 'a' } }],
    ['our own Gateway', { name: 'kubectl-telemetry', namespace: 'istio-system', labels: OURS }],
  ]
  for (const [name, claim] of others) {
    it(`passes over ${name}`, () => assert.deepEqual(claims(claim), []))
  }

  it('names our host, their Gateway and their claim, for each', () => {
    const entries = [ENTRY, { host: 'kiali.example.com', port: 443 }]
    const found = hostConflicts(entries, gateway, [theirs({ hosts: ['*.example.com', HOST] })])
    assert.deepEqual(found, [
      { ...ENTRY, gateway: 'apps/theirs', claim: HOST },
      { host: 'kiali.example.com', port: 443, gateway: 'apps/theirs', claim: '*.example.com' },
    ])
  })

  it('takes a Gateway without servers or selector for what it is', () => {
    const bare = { ...theirs({}), spec: {} }
    assert.deepEqual(hostConflicts([ENTRY], gateway, [bare]), [])
    const everywhere = { ...theirs({}), spec: { servers: [{ port: { number: 443 }, hosts: [HOST] }] } }
    assert.equal(hostConflicts([ENTRY], gateway, [everywhere]).length, 1)
  })
})
