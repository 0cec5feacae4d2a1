import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { stringify } from 'yaml'
import type { KubeObject } from '../../../src/cluster/cluster.ts'
import { planOnlyPrometheus } from '../../../src/scraping/methods/only-prometheus.ts'
import { expectGolden } from '../../golden-file.ts'
import { meshObject, scene, skipOf, specOf, workload, writingsOf } from '../scenes.ts'

const scraper = { namespace: 'istio-system', serviceAccount: 'prometheus', labels: { app: 'prometheus' } }
const plan = (...objects: KubeObject[]) =>
  planOnlyPrometheus(
    workload(),
    scene({ options: { harden: false, onlyPrometheus: scraper }, objects }),
    [15091, 15092],
  )
const policy = (spec: object) => meshObject('NetworkPolicy', 'users', spec)
const rulesOf = (planned: ReturnType<typeof plan>) => (specOf(planned, 'NetworkPolicy').ingress as object[]).length

describe('planOnlyPrometheus', () => {
  it('closes these ports to others, and leaves all other ports open', () => {
    expectGolden(
      'scrape-only-prometheus.yaml',
      writingsOf(plan())
        .map(({ manifest }) => stringify(manifest))
        .join('---\n'),
    )
  })

  it('plans nothing without --only-prometheus', () => {
    assert.deepEqual(planOnlyPrometheus(workload(), scene(), [15091]), { writings: [] })
  })

  for (const [what, spec] of [
    ['for all pods', { podSelector: {} }],
    ['for these', { podSelector: { matchLabels: { app: 'web' } }, ingress: [{ ports: [{ port: 8080 }] }] }],
    [
      'for these by expression',
      { podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['web'] }] } },
    ],
    [
      'by name and by UDP',
      { podSelector: {}, ingress: [{ ports: [{ port: 'http' }, { port: 15091, protocol: 'UDP' }] }] },
    ],
  ] as const)
    it(`if the user has a policy ${what}, it opens only the ports for Prometheus`, () => {
      assert.equal(rulesOf(plan(policy(spec))), 1)
    })

  for (const [what, spec] of [
    ['for other pods', { podSelector: { matchLabels: { app: 'till' } } }],
    ['for pods without a label', { podSelector: { matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] } }],
    ['of what leaves pods', { podSelector: {}, policyTypes: ['Egress'] }],
  ] as const)
    it(`ignores a policy ${what}`, () => {
      assert.equal(rulesOf(plan(policy(spec))), 2)
    })

  for (const [what, rule] of [
    ['for every port', {}],
    ['for a range that has one', { ports: [{ port: 15000, endPort: 16000 }] }],
    ['for all of TCP', { ports: [{ protocol: 'TCP' }] }],
  ] as const)
    it(`skips the workload if a rule ${what} admits others`, () => {
      assert.equal(skipOf(plan(policy({ podSelector: {}, ingress: [rule] }))), 'NETWORK_POLICY_WIDE')
    })
})
