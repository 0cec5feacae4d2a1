import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import type { Pod } from '../../src/cluster/objects.ts'
import { WORKLOADS } from '../../src/cluster/resources.ts'
import { type Candidate, findCandidates, istiodVersions } from '../../src/scraping/find.ts'
import type { WorkloadObject } from '../../src/workloads/workload-object.ts'
import { istiod, workload } from '../fakes/workloads.ts'

function candidates(objects: KubeObject[], istiods = [istiod()]): Candidate[] {
  const workloads = WORKLOADS.flatMap((resource) =>
    objects
      .filter(({ kind }) => kind === resource.kind)
      .map((object) => ({ resource, object: object as WorkloadObject })),
  )
  const pods = objects.filter(({ kind }) => kind === 'Pod') as Pod[]
  return findCandidates(workloads, pods, istiodVersions(istiods))
}

const found = (objects: KubeObject[], istiods = [istiod()]) =>
  candidates(objects, istiods).map(({ object, proxy, istio, pods }) => [
    object.metadata.name,
    proxy,
    istio,
    pods.length,
  ])

describe('findCandidates', () => {
  it('finds the sidecar among the containers and among the init containers', () => {
    const objects = [
      ...workload('web', { pods: 2 }),
      ...workload('old', { proxy: 'container' }),
      ...workload('queue', { kind: 'StatefulSet', pods: 3 }),
      ...workload('agent', { kind: 'DaemonSet' }),
      ...workload('plain', { proxy: 'none' }),
    ]
    assert.deepEqual(found(objects), [
      ['web', 'sidecar', '1.31.0', 2],
      ['old', 'sidecar', '1.31.0', 1],
      ['plain', undefined, undefined, 1],
      ['queue', 'sidecar', '1.31.0', 3],
      ['agent', 'sidecar', '1.31.0', 1],
    ])
  })

  it('uses the version of the istiod that injects: present proxies may be older', () => {
    const istiods = [istiod('1.31.2'), istiod('1.30.4', 'stable')]
    const objects = [
      ...workload('web', { istio: '1.29.0' }),
      ...workload('api', { istio: '1.30.0', revision: 'stable' }),
      ...workload('far', { istio: '1.28.1-distroless', revision: 'elsewhere' }),
    ]
    assert.deepEqual(
      found(objects, istiods).map(([name, , istio]) => [name, istio]),
      [
        ['web', '1.31.2'],
        ['api', '1.30.4'],
        ['far', '1.28.1'],
      ],
    )
  })

  it('reads the version of an image with a digest, if it also has a tag', () => {
    const pinned = istiod('1.31.0', 'default', 'registry.example/istio/pilot@sha256:0123')
    assert.deepEqual([...istiodVersions([pinned])], [['default', '1.31.0']])
    const other = istiod('1.31.0', 'default', 'registry.example:5000/istio/pilot:1.30.1@sha256:0123')
    assert.deepEqual([...istiodVersions([other])], [['default', '1.30.1']])
  })

  it('distinguishes gateways from sidecars', () => {
    assert.deepEqual(found(workload('edge', { proxy: 'gateway', istio: '1.30.0' })), [['edge', 'gateway', '1.30.0', 1]])
  })

  it('recognizes ztunnel by its program and not by its name, and never as a sidecar', () => {
    const [object, pod] = workload('node-proxy', { kind: 'DaemonSet', proxy: 'none' }) as [KubeObject, Pod]
    const running = (container: object) =>
      found([object, { ...pod, spec: { ...pod.spec, containers: [{ name: 'istio-proxy', ...container }] } }] as Pod[])
    const [none, sidecar] = [undefined, 'sidecar'].map((proxy) => [['node-proxy', proxy]])
    const proxies: [object, unknown][] = [
      [{ image: 'docker.io/istio/ztunnel:1.31.0-distroless', args: ['proxy', 'ztunnel'] }, none],
      [{ image: 'registry.example:5000/istio/ztunnel@sha256:0123' }, none],
      [{ image: 'registry.example/mirror/node-agent:1', args: ['proxy', 'ztunnel'] }, none],
      [{ image: 'docker.io/istio/proxyv2:1.31.0', args: ['proxy', 'sidecar', '--domain', 'ztunnel.svc'] }, sidecar],
      [{ image: 'registry.example/ztunnel/proxyv2:1.31.0', args: ['proxy', 'sidecar'] }, sidecar],
    ]
    for (const [container, proxy] of proxies)
      assert.deepEqual(
        running(container).map(([name, one]) => [name, one]),
        proxy,
        JSON.stringify(container),
      )
  })

  it('skips a workload that is being deleted', () => {
    const [web, ...pods] = workload('web') as [KubeObject, ...KubeObject[]]
    web.metadata.deletionTimestamp = '2026-11-21T12:00:00Z'
    assert.deepEqual(found([web, ...pods]), [])
  })

  it('counts no pods that are being deleted, have ended, or belong to another workload', () => {
    const [web, first, second, third] = workload('web', { pods: 3 }) as [KubeObject, KubeObject, KubeObject, KubeObject]
    first.metadata.deletionTimestamp = '2026-11-21T12:00:00Z'
    second.status = { phase: 'Failed' }
    const elsewhere = { ...third, metadata: { ...third.metadata, namespace: 'other' } }
    assert.deepEqual(found([web, first, second, third, elsewhere]), [['web', 'sidecar', '1.31.0', 1]])
    assert.deepEqual(found([web, elsewhere]), [['web', undefined, undefined, 0]])
  })

  it('does not count a ReplicaSet of another Deployment', () => {
    const [web] = workload('web') as [KubeObject]
    const pods = workload('web-api').slice(1)
    assert.deepEqual(found([web, ...pods]), [['web', undefined, undefined, 0]])
  })
})
