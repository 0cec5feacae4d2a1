import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { ConfigMap, Pod } from '../../src/cluster/objects.ts'
import { clusterDomain, drainTime } from '../../src/gateways/mesh.ts'

const EARLIER = '2026-11-29T10:00:00Z'
const LATER = '2026-11-29T11:00:00Z'

function pod(creationTimestamp: string, config?: string): Pod {
  const annotations = config === undefined ? {} : { 'proxy.istio.io/config': config }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'istio-ingressgateway', creationTimestamp, annotations },
    spec: { containers: [] },
  }
}

function mesh(text: string, ...times: unknown[]): ConfigMap {
  const managedFields = times.map((time) => ({ manager: 'helm', time }))
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'istio', managedFields },
    data: { mesh: text },
  }
}

const FIVE = 'defaultConfig: {drainDuration: 5s}'

describe('the time for which a gateway keeps older connections', () => {
  const cases: [string, Pod[], ConfigMap | undefined, number][] = [
    ['45 s by default', [pod(LATER)], mesh('{}', EARLIER), 45_000],
    ['45 s where the mesh configuration cannot be read', [pod(LATER)], undefined, 45_000],
    ['what the mesh says', [pod(LATER)], mesh(FIVE, EARLIER), 5_000],
    [
      'of a mesh that was changed since the pod started, no less than the default',
      [pod(EARLIER)],
      mesh(FIVE, LATER),
      45_000,
    ],
    ['and more, if it says so', [pod(EARLIER)], mesh('defaultConfig: {drainDuration: 2m}', LATER), 120_000],
    ['the last change counts', [pod('2026-11-29T10:30:00Z')], mesh(FIVE, EARLIER, LATER), 45_000],
    ['a change without a time counts as one of now', [pod(LATER)], mesh(FIVE, EARLIER, undefined), 45_000],
    ['the pod’s own annotation comes first', [pod(EARLIER, 'drainDuration: 3s')], mesh(FIVE, LATER), 3_000],
    ['the longest of several pods', [pod(LATER, 'drainDuration: 3s'), pod(LATER)], mesh(FIVE, EARLIER), 5_000],
    [
      'the default for what is no duration',
      [pod(LATER)],
      mesh('defaultConfig: {drainDuration: [5s]}', EARLIER),
      45_000,
    ],
  ]
  for (const [what, pods, configMap, expected] of cases)
    it(what, () => assert.equal(drainTime({ pods }, configMap), expected))
})

describe('the domain of Services', () => {
  const proxy = (...args: string[]): Pod => {
    const one = pod(LATER)
    return { ...one, spec: { containers: [{ name: 'istio-proxy', args: ['proxy', 'router', ...args] }] } }
  }
  const cases: [string, Pod[], string][] = [
    ['is what the proxy was started with', [proxy('--domain', '$(POD_NAMESPACE).svc.corp.example')], 'corp.example'],
    ['also of an injected proxy', [proxy('--domain', 'istio-ingress.svc.corp.example')], 'corp.example'],
    ['is cluster.local where no pod says it', [pod(LATER), proxy()], 'cluster.local'],
    ['is cluster.local instead of what is no domain', [proxy('--domain', 'x.svc.a/../b c')], 'cluster.local'],
    ['is cluster.local where it is cut off', [proxy('--domain')], 'cluster.local'],
  ]
  for (const [what, pods, expected] of cases) it(what, () => assert.equal(clusterDomain({ pods }), expected))
})
