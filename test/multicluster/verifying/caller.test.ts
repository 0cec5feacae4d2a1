/** The pod that calls. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../../src/cluster/cluster.ts'
import { type CallerChoice, callerName, requireCaller } from '../../../src/multicluster/verifying/caller.ts'
import { FakeCluster } from '../../fakes/fake-cluster.ts'
import { FakeTerminal } from '../../fakes/fake-terminal.ts'
import { workload } from '../../fakes/workloads.ts'

async function found(objects: KubeObject[], choice?: CallerChoice, terminal = new FakeTerminal(), into?: string) {
  const member = { name: 'east', cluster: new FakeCluster(objects) }
  return requireCaller(member, { choice, into }, terminal)
}

const SLEEP = workload('sleep', { namespace: 'foo', pods: 2 })
const GATEWAY = workload('istio-ingressgateway', { namespace: 'istio-system', proxy: 'gateway' })
const ZTUNNEL = workload('ztunnel', { namespace: 'istio-system', proxy: 'ztunnel' })
const PLAIN = workload('plain', { namespace: 'foo', proxy: 'none' })
const SHOP = workload('shop', { namespace: 'shop', kind: 'StatefulSet', proxy: 'container' })

describe('the workload that calls', () => {
  it('is the only one with a sidecar', async () => {
    const caller = await found([...GATEWAY, ...ZTUNNEL, ...PLAIN, ...SLEEP])
    assert.equal(callerName(caller), 'foo/sleep')
    assert.deepEqual([caller.pod.metadata.name, caller.container], ['sleep-5d9f8-0', 'app'])
  })

  it('is named, by its name or by that of a pod', async () => {
    const all = [...SLEEP, ...SHOP]
    assert.equal(callerName(await found(all, { namespace: 'shop', workload: 'shop' })), 'shop/shop')
    const second = await found(all, { namespace: 'foo', workload: 'sleep-5d9f8-1' })
    assert.equal(second.pod.metadata.name, 'sleep-5d9f8-1')
  })

  it('is asked for on a terminal if there are several', async () => {
    const question = 'From which workload of cluster east is it called?'
    const terminal = new FakeTerminal({ [question]: 'shop/shop' })
    assert.equal(callerName(await found([...SLEEP, ...SHOP], undefined, terminal)), 'shop/shop')
  })

  it('has to be named without a terminal', async () => {
    await assert.rejects(found([...SLEEP, ...SHOP]), {
      code: 'CALLER_UNCLEAR',
      suggestions: ['--from foo/sleep', '--from shop/shop'],
    })
  })

  it('is one of the only namespace that may call', async () => {
    assert.equal(callerName(await found([...SLEEP, ...SHOP], undefined, new FakeTerminal(), 'shop')), 'shop/shop')
  })

  it('does not exist', async () => {
    await assert.rejects(found([...SLEEP], { namespace: 'foo', workload: 'slep' }), {
      code: 'CALLER_NOT_FOUND',
      message: 'namespace foo of cluster east has no running pod of slep',
      suggestions: ['--from foo/sleep', 'kubectl --context fake -n foo get pods'],
    })
    await assert.rejects(found([...GATEWAY, ...PLAIN]), { code: 'CALLER_NOT_FOUND' })
  })

  it('has no sidecar, or is not Ready', async () => {
    await assert.rejects(found([...PLAIN], { namespace: 'foo', workload: 'plain' }), {
      code: 'CALLER_UNUSABLE',
      message: /has no sidecar/,
    })
    const ending = SLEEP.map((one) => (one.kind === 'Pod' ? { ...one, status: { phase: 'Running' } } : one))
    await assert.rejects(found(ending, { namespace: 'foo', workload: 'sleep' }), {
      code: 'CALLER_UNUSABLE',
      message: /is not Ready/,
    })
  })

  it('is none whose pods are being deleted or have ended', async () => {
    const gone = SLEEP.map((one) =>
      one.kind === 'Pod' ? { ...one, metadata: { ...one.metadata, deletionTimestamp: '2026-11-21T12:00:00Z' } } : one,
    )
    const ended = SLEEP.map((one) => (one.kind === 'Pod' ? { ...one, status: { phase: 'Succeeded' } } : one))
    for (const objects of [gone, ended]) await assert.rejects(found(objects), { code: 'CALLER_NOT_FOUND' })
  })
})

describe('the container that calls', () => {
  const withContainers = (annotation: string) =>
    workload('sleep', {
      namespace: 'foo',
      proxy: 'container',
      template: { annotations: { 'kubectl.kubernetes.io/default-container': annotation } },
      podSpec: { containers: [{ name: 'first' }, { name: 'second' }] },
    }).map((one) =>
      one.kind === 'Pod'
        ? {
            ...one,
            metadata: { ...one.metadata, annotations: { 'kubectl.kubernetes.io/default-container': annotation } },
          }
        : one,
    )

  it('is the one that kubectl takes', async () => {
    assert.equal((await found(withContainers('second'))).container, 'second')
  })

  it('is never the sidecar, and never one that the pod does not have', async () => {
    for (const annotation of ['istio-proxy', 'other', ''])
      assert.equal((await found(withContainers(annotation))).container, 'first')
  })
})
