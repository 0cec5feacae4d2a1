/** Which contexts a run has, and what their clusters are called. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import { chooseContexts, nameMembers } from '../../src/multicluster/contexts.ts'
import { inCluster, requireNames } from '../../src/multicluster/members.ts'
import { findRecord, recordObject } from '../../src/multicluster/record.ts'
import { FakeCluster } from '../fakes/fake-cluster.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'

const KNOWN = async () => ['lab', 'lab-2', 'a=b', 'arn:aws:eks:eu-west-1:1:cluster/west']
const NO_TERMINAL = new FakeTerminal()

const kubeSystem = (uid: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'kube-system', uid },
})
const ISTIOD: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'istiod', namespace: 'istio-system', labels: { app: 'istiod' } },
  spec: { template: { metadata: {}, spec: { containers: [] } } },
}

function cluster(uid: string, ...more: KubeObject[]): FakeCluster {
  return new FakeCluster([kubeSystem(uid), ISTIOD, ...more])
}

const has = (code: string, exitCode?: number) => (error: unknown) =>
  error instanceof UserError && error.code === code && (exitCode === undefined || error.exitCode === exitCode)

describe('the contexts of a run', () => {
  it('have names where the user gives them', async () => {
    assert.deepEqual(await chooseContexts(['west=lab', 'lab-2'], KNOWN, NO_TERMINAL), [
      { name: 'west', context: 'lab' },
      { context: 'lab-2' },
    ])
  })

  it('may have an equals sign in their own names', async () => {
    assert.deepEqual(await chooseContexts(['a=b', 'east=arn:aws:eks:eu-west-1:1:cluster/west'], KNOWN, NO_TERMINAL), [
      { context: 'a=b' },
      { name: 'east', context: 'arn:aws:eks:eu-west-1:1:cluster/west' },
    ])
  })

  const wrong: [string, string[], string][] = [
    ['there is none', [], 'CONTEXTS_NEEDED'],
    ['there is only one', ['west=lab'], 'CONTEXTS_NEEDED'],
    ['one is given twice', ['lab', 'east=lab'], 'CLUSTER_TWICE'],
    ['two have one name', ['west=lab', 'west=lab-2'], 'CLUSTER_NAME_TWICE'],
    ['a name is no label', ['West_1=lab', 'lab-2'], 'CLUSTER_NAME_INVALID'],
    ['a name is too long', [`${'a'.repeat(41)}=lab`, 'lab-2'], 'CLUSTER_NAME_INVALID'],
  ]
  for (const [what, words, code] of wrong)
    it(`are refused before anything is read when ${what}`, () =>
      assert.rejects(chooseContexts(words, KNOWN, NO_TERMINAL), has(code, 2)))

  it('are chosen from a list on a terminal', async () => {
    const terminal = new FakeTerminal({ 'Which clusters?': ['lab', 'lab-2'] })
    assert.deepEqual(await chooseContexts([], KNOWN, terminal), [{ context: 'lab' }, { context: 'lab-2' }])
  })
})

describe('the names of clusters', () => {
  it('are those of the flags, else of the contexts', async () => {
    const choices = [{ name: 'west', context: 'lab' }, { context: 'arn:aws:eks:eu-west-1:1:cluster/East' }]
    const members = await nameMembers(choices, [cluster('one'), cluster('two')])
    assert.deepEqual(
      members.map(({ name }) => name),
      ['west', 'arn-aws-eks-eu-west-1-1-cluster-east'],
    )
  })

  it('are those of the records, on any machine', async () => {
    const recorded = cluster('one', recordObject({ name: 'west' }, 'istio-system'))
    const members = await nameMembers([{ context: 'lab' }, { context: 'lab-2' }], [recorded, cluster('two')])
    assert.equal(members[0]?.name, 'west')
    const other = nameMembers([{ name: 'east', context: 'lab' }, { context: 'lab-2' }], [recorded, cluster('two')])
    await assert.rejects(other, has('CLUSTER_NAME_DIFFERS'))
  })

  it('are not those of a record that somebody else wrote, or that is no record', async () => {
    const forged = { ...recordObject({ name: 'west' }, 'istio-system') }
    for (const object of [
      { ...forged, metadata: { ...forged.metadata, namespace: 'tenant' } },
      { ...forged, metadata: { ...forged.metadata, labels: {} } },
      { ...forged, data: { name: '../west\u001b[2J' } },
    ]) {
      assert.equal(await findRecord(cluster('one', object)), undefined)
    }
  })

  it('are refused when the same cluster is given by two contexts', () =>
    assert.rejects(
      nameMembers([{ context: 'lab' }, { context: 'again' }], [cluster('one'), cluster('one')]),
      has('CLUSTER_TWICE', 1),
    ))

  it('are refused when two clusters would have the same', () =>
    assert.rejects(
      nameMembers([{ context: 'Lab' }, { context: 'lab' }], [cluster('one'), cluster('two')]),
      has('CLUSTER_NAME_TWICE', 1),
    ))

  it('are in errors, once, and in the values of flags', async () => {
    const members = [{ name: 'west', cluster: cluster('one') }]
    const failing = inCluster(members[0] as { name: string }, async () => {
      throw new UserError('FORBIDDEN', 'secrets are forbidden')
    })
    await assert.rejects(failing, (error: UserError) => {
      assert.equal(error.message, 'cluster west: secrets are forbidden')
      return error.cluster === 'west'
    })
    assert.throws(() => requireNames(members, { '--gateway': new Map([['east', 1]]) }), has('CLUSTER_UNKNOWN', 2))
  })
})

describe('the record of a cluster', () => {
  it('keeps its gateway, and reads only what has its shape', async () => {
    const gateway = {
      namespace: 'istio-system',
      service: 'gw',
      port: 15443,
      address: { host: '203.0.113.7', port: 443 },
    }
    assert.deepEqual(await findRecord(cluster('one', recordObject({ name: 'west', gateway }, 'istio-system'))), {
      name: 'west',
      gateway,
    })
    for (const wrong of [
      { ...gateway, port: 0 },
      { ...gateway, service: 'a/b' },
      { ...gateway, namespace: 1 },
    ]) {
      const object = recordObject({ name: 'west', gateway: wrong as typeof gateway }, 'istio-system')
      assert.deepEqual(await findRecord(cluster('one', object)), { name: 'west' })
    }
  })
})
