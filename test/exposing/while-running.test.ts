import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { UndoResult } from '../../src/changes/undo.ts'
import type { KubeObject, Resource, WriteOptions } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import { expose } from '../../src/exposing/expose.ts'
import type { ExposeRequest } from '../../src/exposing/request.ts'
import type { ExposeReport } from '../../src/exposing/result.ts'
import { exposeWhile } from '../../src/exposing/while-running.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { createdObjects, fullMesh, gatewayHosts, hosts, refusal, requestFor, written } from './exposing.ts'

/** A run that can be ended, and what it showed. */
class Run {
  readonly world: FakeWorld
  readonly #ending = new AbortController()
  readonly #shown = Promise.withResolvers<ExposeReport>()
  readonly shown = this.#shown.promise
  ended: UndoResult | undefined

  constructor(world = fullMesh()) {
    this.world = world
    const { sleep } = world.clock
    // Only the wait for the end waits for the signal; every other sleep ends at once.
    world.clock.sleep = (time: number, signal?: AbortSignal) => {
      if (signal === undefined || time < 3_600_000) return sleep.call(world.clock, time)
      return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    }
  }

  end(): void {
    this.#ending.abort('SIGTERM')
  }

  start(request: ExposeRequest): Promise<void> {
    return exposeWhile({ ...request, whileRunning: true }, this.world, {
      ending: () => this.#ending.signal,
      show: (report) => this.#shown.resolve(report),
      showEnd: (result) => {
        this.ended = result
      },
    })
  }
}

const everything = ({ cluster }: FakeWorld): KubeObject[] =>
  structuredClone(cluster.objects).sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1))

describe('expose --while-running', () => {
  it('shows the pages, waits, and leaves nothing', async () => {
    const run = new Run()
    const before = everything(run.world)
    const running = run.start(requestFor('grafana', 'kiali'))
    assert.equal((await run.shown).result.outcome, 'applied')
    assert.deepEqual(gatewayHosts(run.world.cluster), hosts('grafana', 'kiali'))
    run.end()
    await running
    assert.deepEqual(everything(run.world), before)
    assert.equal(run.ended?.outcome, 'applied')
  })

  it('ends when its --ttl is over', async () => {
    const run = new Run()
    await run.start({ ...requestFor('grafana'), terms: { allowAnonymous: true, ttl: 60_000 } })
    assert.deepEqual(createdObjects(run.world.cluster), [])
  })

  for (const write of ['Service', 'Secret', 'AuthorizationPolicy', 'VirtualService', 'Gateway']) {
    it(`ended while the ${write} is written, removes what was created, and exits with 130`, async () => {
      const run = new Run()
      const before = everything(run.world)
      const apply = run.world.cluster.apply.bind(run.world.cluster)
      run.world.cluster.apply = async <T extends KubeObject>(
        resource: Resource,
        manifest: KubeObject,
        options: WriteOptions,
      ) => {
        if (resource.kind === write && !options.dryRun) run.end()
        return apply<T>(resource, manifest, options)
      }
      const guard = { cidrs: ['10.0.0.0/8'] }
      // An unhandled rejection would end the process, and nothing would be removed.
      const unhandled: unknown[] = []
      const note = (reason: unknown) => unhandled.push(reason)
      process.on('unhandledRejection', note)
      const error = await refusal(run.start({ ...requestFor('grafana'), guard, layout: 'ports' }))
      await new Promise((resolve) => setImmediate(resolve))
      process.off('unhandledRejection', note)
      assert.deepEqual(unhandled, [])
      assert.deepEqual([error.code, error.exitCode, error.suggestions], ['INTERRUPTED', 130, []])
      assert.deepEqual(
        createdObjects(run.world.cluster).map(({ kind }) => kind),
        [],
      )
      assert.deepEqual(
        everything(run.world).map(({ spec }) => spec),
        before.map(({ spec }) => spec),
      )
    })
  }

  it('does not wait for a page that does not come', async () => {
    const run = new Run()
    run.world.prober.probe = () => {
      run.end()
      return new Promise(() => {})
    }
    assert.equal((await refusal(run.start(requestFor('grafana')))).exitCode, 130)
    assert.deepEqual(createdObjects(run.world.cluster), [])
  })

  it('removes what was created before a failure', async () => {
    const run = new Run()
    run.world.cluster.fail('apply', 'gateways', new UserError('FORBIDDEN', 'cannot patch'), false)
    assert.equal((await refusal(run.start(requestFor('grafana')))).code, 'FORBIDDEN')
    assert.deepEqual(createdObjects(run.world.cluster), [])
  })

  it('keeps earlier exposures, and exposures of another run', async () => {
    const run = new Run()
    await expose(requestFor('grafana'), run.world)
    const running = run.start(requestFor('grafana', 'tracing'))
    await run.shown
    await expose(requestFor('kiali'), run.world)
    run.end()
    await running
    assert.deepEqual(gatewayHosts(run.world.cluster), hosts('grafana', 'kiali'))
  })

  it('keeps shared objects if only the exposure of another run remains', async () => {
    const run = new Run()
    const running = run.start(requestFor('grafana'))
    await run.shown
    await expose(requestFor('kiali'), run.world)
    run.end()
    await running
    assert.deepEqual(gatewayHosts(run.world.cluster), hosts('kiali'))
    assert.equal(createdObjects(run.world.cluster).length, 3)
  })

  it('creates nothing when it is declined, and removes nothing', async () => {
    const run = new Run(fullMesh({ 'Expose https://grafana.192.0.2.10.nip.io/?': false }))
    await run.start({ ...requestFor('grafana'), yes: false })
    assert.deepEqual(written(run.world), [])
  })
})
