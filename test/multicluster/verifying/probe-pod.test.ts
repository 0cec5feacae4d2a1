/** The pod of --probe-image: it has the caller's identity, and nothing of it is left. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { ApplyOptions, KubeObject, Resource } from '../../../src/cluster/cluster.ts'
import type { Pod } from '../../../src/cluster/objects.ts'
import { MULTICLUSTER, ownedLabels } from '../../../src/cluster/ownership.ts'
import { UserError } from '../../../src/errors.ts'
import { type Caller, requireCaller } from '../../../src/multicluster/verifying/caller.ts'
import { findProbePods, withProbePod } from '../../../src/multicluster/verifying/probe-pod.ts'
import { FakeCluster } from '../../fakes/fake-cluster.ts'
import { FakeTerminal } from '../../fakes/fake-terminal.ts'
import { FakeClock } from '../../fakes/fake-world.ts'
import { workload } from '../../fakes/workloads.ts'

const IMAGE = 'curlimages/curl:8.17.0'
const FOO = 'foo'

/** How a pod of ours starts. */
type Start = 'ready' | 'no sidecar' | 'no image' | 'never'

/** A cluster whose webhook gives pods a sidecar, and whose kubelet starts them. */
class StartingCluster extends FakeCluster {
  start: Start = 'ready'

  override async apply<T extends KubeObject>(
    resource: Resource,
    wanted: KubeObject,
    options: ApplyOptions,
  ): Promise<T> {
    const applied = await super.apply<T>(resource, wanted, options)
    const index = this.objects.findIndex(({ metadata }) => metadata.name === wanted.metadata.name)
    this.objects[index] = started(this.objects[index] as Pod, this.start)
    return applied
  }
}

function started(pod: Pod, start: Start): Pod {
  const sidecar = { name: 'istio-proxy', image: 'proxyv2:1.31.0', args: ['proxy', 'sidecar'] }
  const waiting = { name: 'probe', state: { waiting: { reason: 'ImagePullBackOff', message: 'no such image' } } }
  const isReady = start === 'ready' || start === 'no sidecar'
  return {
    ...pod,
    metadata: { ...pod.metadata, creationTimestamp: '2026-11-21T12:00:00Z' },
    spec: { ...pod.spec, ...(start === 'no sidecar' ? {} : { initContainers: [sidecar] }) },
    status: {
      phase: isReady ? 'Running' : 'Pending',
      conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }],
      containerStatuses: start === 'no image' ? [waiting] : [],
    },
  }
}

async function setting(extra: KubeObject[] = [], start: Start = 'ready') {
  const sleep = workload('sleep', {
    namespace: FOO,
    podSpec: { serviceAccountName: 'sleeper' },
    template: { labels: { 'istio.io/rev': 'canary' } },
  })
  const cluster = new StartingCluster([...sleep, ...extra])
  cluster.start = start
  const choice = { namespace: FOO, workload: 'sleep' }
  const caller = await requireCaller({ name: 'east', cluster }, { choice, into: undefined }, new FakeTerminal())
  const ending = new AbortController()
  let drawn = 0
  const needs = {
    clock: new FakeClock(),
    random: (bytes: number) => Buffer.alloc(bytes, ++drawn),
    signal: ending.signal,
  }
  return {
    cluster,
    caller,
    needs,
    ending,
    work: (one: (probe: Caller) => Promise<unknown>) => withProbePod(caller, IMAGE, needs, one),
  }
}

function podsOf(cluster: FakeCluster): string[] {
  return cluster.objects.filter(({ kind }) => kind === 'Pod').map(({ metadata }) => metadata.name)
}

const NAME = 'kubectl-telemetry-verify-0101010101'
const SLEEP = 'sleep-5d9f8-0'

describe('a pod that calls', () => {
  it("has the caller's namespace, service account and revision, and is removed afterwards", async () => {
    const { cluster, work } = await setting()
    const result = await work(async ({ pod, container, namespace, workload: name }) => {
      assert.deepEqual([namespace, name, container], [FOO, NAME, 'probe'])
      assert.equal(pod.spec.serviceAccountName, 'sleeper')
      assert.deepEqual(pod.metadata.labels, {
        ...ownedLabels(MULTICLUSTER, 'verify'),
        'sidecar.istio.io/inject': 'true',
        'istio.io/rev': 'canary',
      })
      assert.deepEqual(podsOf(cluster), [SLEEP, NAME])
      return 'done'
    })
    assert.equal(result, 'done')
    assert.deepEqual(podsOf(cluster), [SLEEP])
  })

  it('is no endpoint of a Service: it has no label of the workload', async () => {
    const { work } = await setting()
    await work(async ({ pod }) => assert.equal(pod.metadata.labels?.app, undefined))
  })

  it('fits the restricted Pod Security Standard, has no token, and is ended by Kubernetes if nobody removes it', async () => {
    const { work } = await setting()
    await work(async ({ pod: { spec } }) => {
      const { automountServiceAccountToken, activeDeadlineSeconds, restartPolicy } = spec as Record<string, unknown>
      assert.deepEqual([automountServiceAccountToken, activeDeadlineSeconds, restartPolicy], [false, 120, 'Never'])
      assert.deepEqual((spec.containers[0] as { securityContext?: unknown }).securityContext, {
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
        runAsNonRoot: true,
        runAsUser: 65_534,
        seccompProfile: { type: 'RuntimeDefault' },
      })
    })
  })

  it('is removed when the call fails', async () => {
    const { cluster, work } = await setting()
    await assert.rejects(
      work(async () => {
        throw new UserError('CLIENT_MISSING', 'no curl')
      }),
      { code: 'CLIENT_MISSING' },
    )
    assert.deepEqual(podsOf(cluster), [SLEEP])
  })

  it('is removed on Ctrl-C, also while the call goes on', async () => {
    const { cluster, work, ending } = await setting()
    await assert.rejects(
      work(() => {
        ending.abort()
        return new Promise(() => {})
      }),
      { code: 'INTERRUPTED', exitCode: 130 },
    )
    assert.deepEqual(podsOf(cluster), [SLEEP])
  })

  it('is removed if the answer to its creation is lost', async () => {
    const { cluster, work } = await setting()
    const apply = cluster.apply.bind(cluster)
    cluster.apply = async (...request) => {
      await apply(...request)
      throw new UserError('CLUSTER_UNREACHABLE', 'the answer was lost')
    }
    await assert.rejects(
      work(async () => assert.fail('it was called')),
      { code: 'CLUSTER_UNREACHABLE' },
    )
    assert.deepEqual(podsOf(cluster), [SLEEP])
  })

  it('is removed if it does not start, and the error says why', async () => {
    for (const [start, code, message] of [
      [
        'no image',
        'PROBE_POD_FAILED',
        /cluster east: pod foo\/kubectl-telemetry-verify-.* does not run: .*ImagePullBackOff: no such image/,
      ],
      ['never', 'PROBE_POD_FAILED', /does not run/],
      ['no sidecar', 'CALLER_UNUSABLE', /has no sidecar/],
    ] as const) {
      const { cluster, work } = await setting([], start)
      await assert.rejects(
        work(async () => assert.fail('it was called')),
        { code, message },
      )
      assert.deepEqual(podsOf(cluster), [SLEEP], start)
    }
  })

  it('cannot be made without the right, and the error names the cluster', async () => {
    const { cluster, work } = await setting()
    cluster.fail('apply', 'pods', new UserError('FORBIDDEN', 'not allowed to create pods'))
    await assert.rejects(
      work(async () => assert.fail('it was called')),
      {
        code: 'FORBIDDEN',
        message: 'cluster east: not allowed to create pods',
      },
    )
  })
})

describe('a pod that a killed run has left', () => {
  const left = (
    name: string,
    created: string,
    changes: { labels?: object; spec?: object; metadata?: object; phase?: string } = {},
  ): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: FOO,
      creationTimestamp: created,
      labels: { ...ownedLabels(MULTICLUSTER, 'verify'), ...changes.labels },
      ...changes.metadata,
    },
    spec: { containers: [{ name: 'probe', image: IMAGE, command: ['sleep', '120'] }], ...changes.spec },
    status: { phase: changes.phase ?? 'Running' },
  })
  const OLD = '2026-11-21T11:57:59Z'

  it('is removed by the next run', async () => {
    const { cluster, work } = await setting([left('kubectl-telemetry-verify-aa', OLD)])
    await work(async () => {})
    assert.deepEqual(podsOf(cluster), [SLEEP])
  })

  it('is removed at once if Kubernetes has ended it', async () => {
    const ended = left('kubectl-telemetry-verify-aa', '2026-11-21T11:59:59Z', { phase: 'Failed' })
    const { cluster, work } = await setting([ended])
    await work(async () => {})
    assert.deepEqual(podsOf(cluster), [SLEEP])
  })

  it('may still be in use while it is young', async () => {
    const young = left('kubectl-telemetry-verify-aa', '2026-11-21T11:58:01Z')
    const { cluster, work } = await setting([young])
    await work(async () => {})
    assert.deepEqual(podsOf(cluster), [SLEEP, young.metadata.name])
  })

  it("is none of others' pods, whatever their labels and names say", async () => {
    const others = [
      left('database-0', OLD),
      left('kubectl-telemetry-verify-bb', OLD, { spec: { containers: [{ name: 'probe', command: ['postgres'] }] } }),
      left('kubectl-telemetry-verify-cc', OLD, { metadata: { ownerReferences: [{ kind: 'ReplicaSet', name: 'x' }] } }),
      left('kubectl-telemetry-verify-dd', OLD, { labels: { 'kubectl-telemetry/part': 'exposing' } }),
      left('kubectl-telemetry-verify-ee', OLD, {
        spec: { containers: [{ name: 'probe', command: ['sleep', '120'] }, { name: 'database' }] },
      }),
    ]
    const { cluster, work } = await setting(others)
    await work(async () => {})
    assert.deepEqual(podsOf(cluster).toSorted(), [SLEEP, ...others.map(({ metadata }) => metadata.name)].toSorted())
  })

  it('is found in all namespaces, and nothing is found without the right', async () => {
    const { cluster } = await setting([left('kubectl-telemetry-verify-aa', OLD)])
    const names = async () => (await findProbePods({ name: 'east', cluster })).map(({ metadata }) => metadata.name)
    assert.deepEqual(await names(), ['kubectl-telemetry-verify-aa'])
    cluster.fail('list', 'pods', new UserError('FORBIDDEN', 'no'))
    assert.deepEqual(await names(), [])
  })
})
