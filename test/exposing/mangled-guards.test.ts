import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { GuardChange, GuardHalf } from '../../src/access/guard.ts'
import { cleanup } from '../../src/cleaning/cleanup.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { expose } from '../../src/exposing/expose.ts'
import type { ExposeRequest } from '../../src/exposing/request.ts'
import type { Probe } from '../../src/probing/prober.ts'
import { status } from '../../src/status/status.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { STRINGS } from '../fuzz/hostile.ts'
import { createdObjects, find, fullMesh, refusal, requestFor, written } from './exposing.ts'

const USER = 'me:{SHA}q/eq1kOINtvlJqojGr3i0O73TUI='
const BASIC: GuardChange = { login: { kind: 'basic', users: [USER] } }
const KEYS = JSON.stringify({ keys: [{ kty: 'RSA' }] })
const JWT: GuardChange = {
  login: { kind: 'jwt', issuer: 'https://issuer.example.com', audiences: ['a'], keys: { inline: KEYS } },
}
const AUTHORIZER: GuardChange = { login: { kind: 'ext-authz', provider: 'gate' } }
const LIST: GuardChange = { cidrs: ['203.0.113.0/24'] }
const MESH = { mesh: 'extensionProviders:\n- name: gate\n  envoyExtAuthzHttp: {service: gate.default.svc, port: 80}\n' }

const ASKS: Probe = { ok: true, hop: 'access', status: 401, protocol: 'HTTP/2', milliseconds: 1 }
const PAGE: Probe = { ok: true, hop: 'upstream', status: 200, protocol: 'HTTP/2', milliseconds: 1 }

// biome-ignore lint/suspicious/noExplicitAny: these tests break objects
type Spec = any
interface Mangling {
  guard: GuardChange
  kind: 'EnvoyFilter' | 'AuthorizationPolicy'
  /** The end of the name of the object. */
  name?: string
  half: GuardHalf
  mangle: (spec: Spec, object: KubeObject) => void
}
const filter = (guard: GuardChange, mangle: Mangling['mangle']): Mangling => ({
  guard,
  kind: 'EnvoyFilter',
  half: 'login',
  mangle,
})
const list = (mangle: Mangling['mangle']): Mangling => ({
  guard: LIST,
  kind: 'AuthorizationPolicy',
  half: 'list',
  mangle,
})
const authorizer = (mangle: Mangling['mangle']): Mangling => ({
  guard: AUTHORIZER,
  kind: 'AuthorizationPolicy',
  name: 'ext-authz',
  half: 'login',
  mangle,
})
const noSpec: Mangling['mangle'] = (_, object) => {
  delete object.spec
}
const emptySpec: Mangling['mangle'] = (_, object) => {
  object.spec = {}
}
const config = (spec: Spec) => spec.configPatches[0].patch.value.typed_config
const token = (spec: Spec) => config(spec).providers.token
const source = (spec: Spec) => spec.rules[0].from[0].source

const CASES: Record<string, Mangling> = {
  'a password without a spec': filter(BASIC, noSpec),
  'a password with an empty spec': filter(BASIC, emptySpec),
  'a password without patches': filter(BASIC, (spec) => {
    spec.configPatches = []
  }),
  'a password with another patch': filter(BASIC, (spec) => {
    spec.configPatches[0].applyTo = 'CLUSTER'
  }),
  'a password with a value that is a text': filter(BASIC, (spec) => {
    spec.configPatches[0].patch.value = 'x'
  }),
  'a password without users': filter(BASIC, (spec) => {
    config(spec).users = { inline_string: '\n' }
  }),
  'a password whose users are a list': filter(BASIC, (spec) => {
    config(spec).users = [USER]
  }),
  'a password with a hash that Envoy does not support': filter(BASIC, (spec) => {
    config(spec).users.inline_string += 'you:$2y$05$abc\n'
  }),
  'a password without the labels': filter(BASIC, (_, object) => {
    object.metadata.labels = {}
  }),
  'a password with the label of another add-on': filter(BASIC, (_, { metadata }) => {
    metadata.labels = { ...metadata.labels, 'app.kubernetes.io/component': 'kiali' }
  }),
  'a token without an issuer': filter(JWT, (spec) => {
    delete token(spec).issuer
  }),
  'a token whose audiences are a text': filter(JWT, (spec) => {
    token(spec).audiences = 'a'
  }),
  'a token whose audiences are numbers': filter(JWT, (spec) => {
    token(spec).audiences = [1]
  }),
  'a token without keys': filter(JWT, (spec) => {
    delete token(spec).local_jwks
  }),
  'a token with keys of another form': filter(JWT, (spec) => {
    token(spec).local_jwks.inline_string = '[]'
  }),
  'a token with keys at a URL of a script': filter(JWT, (spec) => {
    token(spec).remote_jwks = { http_uri: { uri: 'javascript:alert(1)' } }
  }),
  'a list without a spec': list(noSpec),
  'a list with an empty spec': list(emptySpec),
  'a list without rules': list((spec) => {
    spec.rules = []
  }),
  'a list that allows': list((spec) => {
    spec.action = 'ALLOW'
  }),
  'a list that denies everybody': list((spec) => {
    delete spec.rules[0].from
  }),
  'a list for no source': list((spec) => {
    spec.rules[0].from = [{}]
  }),
  'a list without networks': list((spec) => {
    source(spec).notRemoteIpBlocks = []
  }),
  'a list with something else than a network': list((spec) => {
    source(spec).notRemoteIpBlocks.push('office')
  }),
  'a list whose first rule is gone': { ...list((spec) => spec.rules.shift()), half: 'login' },
  'an authorizer without a spec': authorizer(noSpec),
  'an authorizer with another action': authorizer((spec) => {
    spec.action = 'AUDIT'
  }),
  'an authorizer without a provider': authorizer((spec) => {
    delete spec.provider
  }),
  'an authorizer with a provider without a name': authorizer((spec) => {
    spec.provider = { name: '' }
  }),
}

const asked = (guard: GuardChange, ...names: string[]): ExposeRequest => ({ ...requestFor(...names), guard })

/** Grafana is exposed with a guard, which somebody then mangles. */
async function mangled({ guard, kind, name = 'grafana', mangle }: Mangling): Promise<FakeWorld> {
  const one = fullMesh()
  const metadata = { name: 'istio', namespace: 'istio-system' }
  one.cluster.objects.push({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: MESH })
  await expose(asked(guard, 'grafana'), one)
  const object = find(one.cluster, kind, name)
  mangle(object.spec, object)
  one.cluster.writes.length = 0
  return one
}

async function assertRefused(one: FakeWorld, request: ExposeRequest): Promise<string[]> {
  const before: KubeObject[] = structuredClone(one.cluster.objects)
  const { code, message, suggestions } = await refusal(expose(request, one))
  assert.equal(code, 'GUARDS_UNREADABLE', message)
  assert.match(message, /kubectl-telemetry-grafana(-ext-authz)? \(grafana\)/)
  assert.deepEqual([one.cluster.objects, one.cluster.writes], [before, []])
  return suggestions
}

const MOVES: Partial<ExposeRequest>[] = [{ domain: 'example.com' }, { layout: 'ports' }, { insecure: true }]

describe('the guard of an exposed add-on that cannot be read', () => {
  for (const [name, mangling] of Object.entries(CASES)) {
    const { half } = mangling

    it(`is neither replaced by none or by another half, nor left behind: ${name}`, async () => {
      const one = await mangled(mangling)
      await assertRefused(one, requestFor('grafana', 'kiali'))
      const remedies = await assertRefused(one, { ...requestFor('grafana'), dryRun: 'client' })
      assert.match(remedies[0] ?? '', half === 'login' ? /grafana --auth basic / : /--allow-cidr CIDR/)
      await assertRefused(one, asked(half === 'login' ? LIST : BASIC, 'grafana'))
      for (const move of MOVES) await assertRefused(one, { ...requestFor('kiali'), ...move })
    })

    it(`stays as it is beside another add-on, with a warning: ${name}`, async () => {
      const one = await mangled(mangling)
      const own = () => one.cluster.objects.filter(({ metadata }) => /grafana/.test(metadata.name))
      const before = structuredClone(own())
      const { result } = await expose(requestFor('kiali'), one)
      assert.deepEqual(own(), before)
      assert.ok(result.warnings.some(({ code }) => code === 'GUARD_DIFFERS'))
    })
  }

  const [first] = Object.values(CASES)
  assert.ok(first)
  const labelled = Object.entries(CASES).filter(([name]) => !/label/.test(name))

  for (const [name, mangling] of labelled) {
    const { half } = mangling

    it(`is reported by status, once, and replaced by an explicit new one: ${name}`, async () => {
      const one = await mangled(mangling)
      const { problems } = await status({ expiresIn: 0 }, one)
      const found = problems.filter(({ code }) => code === 'GUARD_DIFFERS')
      assert.equal(found.length, 1)
      assert.match(found[0]?.remedies[0] ?? '', /expose grafana --(auth|allow-cidr)/)
      if (half === 'login') one.prober.page = ({ authorization }) => (authorization === undefined ? ASKS : PAGE)
      await expose(asked(half === 'login' ? { ...BASIC, cidrs: 'any' } : LIST, 'grafana'), one)
      const after = await status({ expiresIn: 0 }, one)
      const others = after.problems.filter(({ code }) => code !== 'CLIENT_ADDRESS_HIDDEN')
      assert.deepEqual(others, [])
      const guard = after.addons.find((addon) => addon.name === 'grafana')?.access.guard
      assert.deepEqual(guard, half === 'login' ? { login: { kind: 'basic', users: ['me'] } } : LIST)
    })

    it(`is removed by cleanup, after its route: ${name}`, async () => {
      const one = await mangled(mangling)
      await cleanup({ addons: { names: ['grafana'], named: true }, yes: true, dryRun: 'none' }, one)
      assert.deepEqual(createdObjects(one.cluster), [])
      assert.match(written(one).find((line) => line.startsWith('-')) ?? '', /Gateway|VirtualService/)
    })
  }

  it('is removed by the explicit values that remove a guard', async () => {
    const one = await mangled(first)
    await expose(asked({ login: 'none' }, 'grafana'), one)
    assert.deepEqual(
      written(one).filter((line) => line.startsWith('-')),
      ['-EnvoyFilter/kubectl-telemetry-grafana'],
    )
  })

  it('may have any content', async () => {
    const one = await mangled(first)
    for (const { what, make } of STRINGS.filter((hostile) => !/MB|deep/.test(hostile.what))) {
      const patch = { applyTo: 'HTTP_FILTER', patch: { value: { typed_config: { users: { inline_string: make() } } } } }
      find(one.cluster, 'EnvoyFilter', 'grafana').spec = { configPatches: [patch] }
      assert.equal((await refusal(expose(requestFor('grafana'), one))).code, 'GUARDS_UNREADABLE', what)
    }
  })
})
