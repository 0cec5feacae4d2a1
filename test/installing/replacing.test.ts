import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { DEPLOYMENTS } from '../../src/cluster/resources.ts'
import { UserError } from '../../src/errors.ts'
import { requireSamples } from '../../src/installing/catalog.ts'
import { install } from '../../src/installing/install.ts'
import type { RollingCluster } from '../fakes/workloads.ts'
import { installing, mesh, needsOf } from './installing.ts'

interface Selecting {
  selector: { matchLabels: Record<string, string> }
}

/** Jaeger and Loki of an earlier version, with a selector and a claim that the samples no longer have. */
async function earlier(): Promise<RollingCluster> {
  const cluster = mesh()
  await installing(cluster, ['jaeger', 'loki'])
  const of = (kind: string) => cluster.objects.findLast((one) => one.kind === kind) as KubeObject
  const { selector } = of('Deployment').spec as Selecting
  selector.matchLabels = { former: 'jaeger' }
  Object.assign(of('StatefulSet').spec as object, { serviceName: 'former' })
  cluster.writes.length = 0
  return cluster
}

const writesOf = ({ writes }: RollingCluster) => writes.map(({ verb, object }) => `${verb} ${object}`)

describe('addons install, where Kubernetes does not change a field', () => {
  it('says before the first write which objects are meant, and how to replace them', async () => {
    const cluster = await earlier()
    await assert.rejects(installing(cluster, ['jaeger', 'loki']), ({ code, message, suggestions }) => {
      assert.match(message, /Deployment jaeger, StatefulSet loki/)
      assert.match(suggestions.join(), /^--replace .*data/)
      return code === 'FIELD_IMMUTABLE'
    })
    assert.deepEqual(cluster.writes, [])
  })

  it('deletes and creates these objects with --replace, and nothing the second time', async () => {
    const cluster = await earlier()
    const { result } = await installing(cluster, ['jaeger', 'loki'], { replace: true })
    const replaced = [
      'delete Deployment/jaeger',
      'apply Deployment/jaeger',
      'delete StatefulSet/loki',
      'apply StatefulSet/loki',
    ]
    assert.deepEqual(
      writesOf(cluster).filter((write) => /Deployment|StatefulSet/.test(write)),
      replaced,
    )
    assert.deepEqual(
      result.addons.map(({ action, ready }) => [action, ready?.ready]),
      [
        ['updated', 1],
        ['updated', 1],
      ],
    )
    const count = cluster.writes.length
    await installing(cluster, ['jaeger', 'loki'], { replace: true })
    assert.equal(cluster.writes.length, count)
  })

  it('asks before, and says what is lost', async () => {
    const cluster = await earlier()
    const needs = needsOf(cluster, { 'Install jaeger into namespace istio-system?': false })
    const request = {
      samples: requireSamples(['jaeger']),
      timeout: 30_000,
      replace: true,
      yes: false,
      dryRun: 'none',
    } as const
    const { result } = await install(request, needs)
    assert.deepEqual([result.outcome, cluster.writes], ['declined', []])
    assert.deepEqual(needs.terminal.notes, [
      '  Deployment istio-system/jaeger: delete, to be created again: its pods stop, and what they keep outside of volume claims is lost',
      '  Deployment istio-system/jaeger: create',
    ])
  })

  it('creates what a killed run had only deleted', async () => {
    const cluster = await earlier()
    cluster.objects.splice(
      cluster.objects.findIndex(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'jaeger'),
      1,
    )
    await installing(cluster, ['jaeger'])
    assert.deepEqual(writesOf(cluster), ['apply Deployment/jaeger'])
  })

  it('does not take another refusal for it', async () => {
    const cluster = mesh()
    await installing(cluster, ['jaeger'])
    cluster.writes.length = 0
    cluster.fail('apply', DEPLOYMENTS.plural, new UserError('REJECTED', 'spec.replicas: Invalid value: -1'), true)
    await assert.rejects(installing(cluster, ['jaeger'], { replace: true }), { code: 'REJECTED' })
    assert.deepEqual(cluster.writes, [])
  })
})
