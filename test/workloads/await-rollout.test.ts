import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { WORKLOADS } from '../../src/cluster/resources.ts'
import { UserError } from '../../src/errors.ts'
import { awaitRollout } from '../../src/workloads/await-rollout.ts'
import type { WorkloadObject } from '../../src/workloads/workload-object.ts'
import { FakeCluster } from '../fakes/fake-cluster.ts'
import { workload } from '../fakes/workloads.ts'

const START = Date.parse('2026-11-21T12:00:00Z')
const REFUSED = 'pods "web-7f9c-" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation'
const POD = { containerStatuses: [{ name: 'app', state: {} }] }

interface Case {
  kind?: 'Deployment' | 'StatefulSet' | 'DaemonSet'
  conditions?: object[]
  /** Changes the objects at a time, in seconds after the start. */
  at?: Record<number, (cluster: FakeCluster) => void>
  pod?: object
  events?: KubeObject[]
}

/** A rollout that makes no progress. @returns its error, and after how many seconds it came */
async function waiting({ kind = 'Deployment', conditions = [], at = {}, pod, events = [] }: Case) {
  const [object, first] = workload('web', { kind }) as [WorkloadObject, KubeObject]
  object.status = {
    observedGeneration: 1,
    replicas: 1,
    updatedReplicas: 0,
    availableReplicas: 1,
    desiredNumberScheduled: 1,
    numberAvailable: 1,
    updatedNumberScheduled: 0,
    conditions: conditions as never,
  }
  const fresh =
    pod === undefined
      ? []
      : [
          {
            ...first,
            metadata: { ...first.metadata, name: 'web-new', creationTimestamp: '2026-11-21T12:00:01Z' },
            status: { phase: 'Pending', ...pod },
          },
        ]
  const cluster = new FakeCluster([object, first, ...fresh, ...events])
  let now = START
  const clock = {
    now: () => new Date(now),
    sleep: async (milliseconds: number) => {
      now += milliseconds
      for (const [second, act] of Object.entries(at)) if (now - START === Number(second) * 1000) act(cluster)
    },
  }
  const resource = WORKLOADS.find((one) => one.kind === kind) ?? assert.fail()
  const wait = awaitRollout(resource, object, { timeout: 120_000 }, { cluster, clock })
  const error = await wait.then(
    () => undefined,
    (thrown: UserError) => thrown,
  )
  return { error, message: error?.message ?? '', seconds: (now - START) / 1000, cluster }
}

const failure = (message = REFUSED) => ({ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message })
const event = (seconds: number, wanted: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: `event-${seconds}`, namespace: 'default' },
  involvedObject: { kind: 'StatefulSet', name: 'web' },
  reason: 'FailedCreate',
  message: 'create Pod web-0 in StatefulSet web failed error: pods "web-0" is forbidden: exceeded quota: small',
  lastTimestamp: new Date(START + seconds * 1000).toISOString(),
  ...wanted,
})
const state = (reason: string) => ({
  containerStatuses: [{ name: 'app', state: { waiting: { reason, message: 'no such image' } } }],
})

describe('waiting for pods that are refused', () => {
  const within: [string, Case, RegExp][] = [
    [
      'PodSecurity, in the condition of a Deployment',
      { conditions: [failure()] },
      /refused: FailedCreate: pods "web-7f9c-" is forbidden: violates PodSecurity/,
    ],
    ['a quota', { conditions: [failure('exceeded quota: small')] }, /exceeded quota: small/],
    [
      'a webhook',
      { conditions: [failure('admission webhook "policy" denied the request: no')] },
      /webhook "policy" denied/,
    ],
    ['an event of a StatefulSet', { kind: 'StatefulSet', events: [event(1)] }, /exceeded quota: small/],
    [
      'an event of a DaemonSet',
      {
        kind: 'DaemonSet',
        events: [
          event(1, {
            involvedObject: { kind: 'DaemonSet', name: 'web' },
            lastTimestamp: null,
            eventTime: '2026-11-21T12:00:01Z',
          }),
        ],
      },
      /exceeded quota/,
    ],
    [
      'an image that cannot be had',
      { pod: state('ImagePullBackOff') },
      /pod web-new: container app ImagePullBackOff: no such image/,
    ],
    [
      'a configuration that is missing',
      { kind: 'StatefulSet', pod: state('CreateContainerConfigError') },
      /CreateContainerConfigError/,
    ],
  ]
  for (const [title, situation, message] of within)
    it(`ends within seconds, in the words of ${title}`, async () => {
      const { error, seconds } = await waiting(situation)
      assert.equal(error?.code, 'ROLLOUT_FAILED')
      assert.match(error?.message ?? '', message)
      assert.ok(seconds <= 20, `${seconds} s`)
    })

  const later: [string, Case][] = [
    [
      'a refusal that ends',
      {
        conditions: [failure()],
        at: {
          6: ({ objects }) =>
            Object.assign(objects.find(({ kind }) => kind === 'Deployment')?.status as object, { conditions: [] }),
        },
      },
    ],
    ['an event of an earlier rollout', { kind: 'StatefulSet', events: [event(-60)] }],
    [
      'an event of another object',
      { kind: 'StatefulSet', events: [event(1, { involvedObject: { kind: 'StatefulSet', name: 'db' } })] },
    ],
    [
      'a pod that is created',
      { pod: { containerStatuses: [{ name: 'app', state: { waiting: { reason: 'ContainerCreating' } } }] } },
    ],
    [
      'a node that is missing',
      { pod: { ...POD, conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' }] } },
    ],
  ]
  for (const [title, situation] of later)
    it(`continues until the timeout after ${title}`, async () => assert.equal((await waiting(situation)).seconds, 120))

  it('continues while old pods end, because they may hold the quota', async () => {
    const { seconds } = await waiting({
      conditions: [failure('exceeded quota: small')],
      at: {
        1: ({ objects }) =>
          Object.assign(objects.find(({ kind }) => kind === 'Pod')?.metadata ?? {}, { deletionTimestamp: 'now' }),
        40: ({ objects }) =>
          objects.splice(
            objects.findIndex(({ kind }) => kind === 'Pod'),
            1,
          ),
      },
    })
    assert.ok(seconds >= 48 && seconds < 60, `${seconds} s`)
  })

  it('needs no right to read events', async () => {
    const { seconds } = await waiting({
      ...{ kind: 'StatefulSet', events: [event(1)] },
      at: { 1: (cluster) => cluster.fail('list', 'events', new UserError('FORBIDDEN', 'not allowed to list events')) },
    })
    assert.equal(seconds, 120)
  })

  it('quotes the last line of a container that crashes', async () => {
    const crashing = {
      containerStatuses: [
        { name: 'app', state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: { exitCode: 1 } } },
      ],
    }
    const lock =
      'level=error err="opening storage failed: lock DB directory: resource temporarily unavailable"\u001b[31m\n'
    const { message } = await waiting({ pod: crashing, at: { 1: ({ logs }) => logs.set('web-new app', lock) } })
    assert.match(
      message,
      /CrashLoopBackOff; the last line of its log: level=error err="opening storage failed: lock DB directory: .*"\\u\{1b\}\[31m$/,
    )
    assert.doesNotMatch((await waiting({ pod: crashing })).message, /last line/)
  })
})
