import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import { expose } from '../../src/exposing/expose.ts'
import type { ExposeRequest } from '../../src/exposing/request.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { ACCESS_CHOICES, ANONYMOUS, fullMesh, refusal, request, requestFor, world, written } from './exposing.ts'
import { requestForServices, shopMesh } from './services/services.ts'

const GUARDED: ExposeRequest = { ...requestFor('prometheus'), guard: { cidrs: ['203.0.113.0/24'] } }
const FORBIDDEN = new UserError('FORBIDDEN', 'not allowed')

/** From now on the user may not list this kind. */
function without(one: FakeWorld, plural: string): FakeWorld {
  one.cluster.fail('list', plural, FORBIDDEN)
  one.cluster.writes.length = 0
  return one
}

async function assertRefused(one: FakeWorld, asked: ExposeRequest, why: RegExp): Promise<void> {
  const before: KubeObject[] = structuredClone(one.cluster.objects)
  const { code, message } = await refusal(expose(asked, one))
  assert.equal(code, 'GUARDS_UNREADABLE')
  assert.match(message, why)
  assert.deepEqual([one.cluster.objects, one.cluster.writes], [before, []])
}

for (const plural of ['authorizationpolicies', 'envoyfilters']) {
  describe(`expose by a user who may not list ${plural}`, () => {
    const moves: [string, Partial<ExposeRequest>][] = [
      ['domain', { domain: 'example.com' }],
      ['layout', { layout: 'ports' }],
      ['scheme', { insecure: true }],
    ]
    for (const [what, change] of moves) {
      it(`does not move a guarded add-on to another ${what}, which would let strangers in there`, async () => {
        const one = fullMesh()
        await expose(GUARDED, one)
        await assertRefused(without(one, plural), { ...requestFor('kiali'), ...change }, /prometheus would move/)
      })
    }

    it('does not expose an add-on again', async () => {
      const one = fullMesh()
      await expose(GUARDED, one)
      await assertRefused(without(one, plural), requestFor('prometheus'), /prometheus is exposed already/)
    })

    const guards: [string, ExposeRequest['guard']][] = [
      ['a list', { cidrs: ['10.0.0.0/8'] }],
      ['no list', { cidrs: 'any' }],
      ['a password', { login: { kind: 'basic', users: undefined } }],
      ['no login', { login: 'none' }],
    ]
    for (const [what, guard] of guards) {
      it(`sets no guard (${what}), and writes nothing`, async () => {
        await assertRefused(without(world(), plural), { ...request, guard }, /a guard is to be set/)
      })
    }

    it('sets no guard that is the answer to a question either', async () => {
      const one = without(world(undefined, { [ANONYMOUS]: ACCESS_CHOICES.password }), plural)
      await assertRefused(one, { ...request, terms: { allowAnonymous: false } }, /a guard is to be set/)
    })

    it('exposes an add-on for the first time, beside a guarded one that stays where it is, and warns', async () => {
      const one = fullMesh()
      await expose(GUARDED, one)
      const before = structuredClone(one.cluster.objects.filter(({ kind }) => kind === 'AuthorizationPolicy'))
      const { result } = await expose(requestFor('kiali'), without(one, plural))
      assert.ok(result.warnings.some(({ code }) => code === 'ACCESS_UNREAD'))
      assert.deepEqual(written(one), [
        'Secret/kubectl-telemetry-tls',
        'VirtualService/kubectl-telemetry-kiali',
        'Gateway/kubectl-telemetry',
      ])
      assert.deepEqual(
        one.cluster.objects.filter(({ kind }) => kind === 'AuthorizationPolicy'),
        before,
      )
    })

    it('does not expose a Service beside another exposure: its guard would not be for connections to the new host', async () => {
      const one = shopMesh()
      await expose(GUARDED, one)
      await assertRefused(without(one, plural), requestForServices('productpage'), /the guard of prometheus would need/)
    })

    for (const [what, change] of [
      ['on a port of its own', { ports: [{ port: 666 }] }],
      ['by HTTP, where no connection is for several hosts', { insecure: true }],
    ] as [string, Partial<ExposeRequest>][])
      it(`exposes a Service beside a guarded add-on ${what}`, async () => {
        const one = shopMesh()
        await expose({ ...GUARDED, insecure: change.insecure === true }, one)
        const { result } = await expose(requestForServices('productpage', change), without(one, plural))
        assert.ok(result.warnings.some(({ code }) => code === 'ACCESS_UNREAD'))
        assert.ok(written(one).includes('VirtualService/kubectl-telemetry-productpage.bookinfo'))
      })

    it('repairs its own first exposure when another run interfered', async () => {
      const one = without(fullMesh(), plural)
      one.cluster.afterNextWrite = (objects) => {
        // Another run writes the Gateway at the end of ours.
        one.cluster.afterNextWrite = () => {
          const at = objects.findIndex(({ kind }) => kind === 'VirtualService')
          one.cluster.afterNextWrite = () => objects.splice(at, 1)
        }
      }
      const { result } = await expose(requestFor('kiali'), one)
      assert.equal(result.outcome, 'applied')
      assert.equal(one.cluster.objects.filter(({ kind }) => kind === 'VirtualService').length, 1)
      assert.ok(written(one).length > 3, 'the other run did not interfere')
    })
  })
}
