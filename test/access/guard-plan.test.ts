import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { cleanup } from '../../src/cleaning/cleanup.ts'
import type { KubeObject, Resource } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import { type ExposeRequest, expose } from '../../src/exposing/expose.ts'
import { succeeded } from '../../src/exposing/result.ts'
import {
  DOMAIN,
  find,
  fullMesh,
  hosts,
  ours,
  refusal,
  request,
  requestFor,
  world,
  written,
} from '../exposing/exposing.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { grafana, ingressGateway } from '../fakes/mesh.ts'

const OFFICE = '203.0.113.0/24'
const ALL_HOSTS = hosts('grafana', 'kiali', 'prometheus', 'tracing')
const CLEANUP = { yes: true, dryRun: 'none' as const }

interface Rule {
  from: [{ source: { notRemoteIpBlocks: string[] } }]
  to: [{ operation: { hosts: string[]; ports?: string[] } }]
  when?: [{ key: string; values: string[] }]
}

/** Without a word about anonymous access: the list is the word. */
function from(cidrs: string[] | 'any' | undefined, ...names: string[]): ExposeRequest {
  return { ...requestFor(...names), terms: { allowAnonymous: false }, guard: { cidrs } }
}

function ruleOf({ cluster }: FakeWorld, addon: string): Rule {
  const { rules } = find(cluster, 'AuthorizationPolicy', addon).spec as { rules: [Rule] }
  return rules[0]
}

const policies = ({ cluster }: FakeWorld) =>
  ours(cluster)
    .filter(({ kind }) => kind === 'AuthorizationPolicy')
    .map(({ metadata }) => metadata.name)
    .sort()
const codes = (warnings: { code: string }[]) => warnings.map(({ code }) => code)

describe('expose --allow-cidr', () => {
  it('needs no further word about an add-on that lets anyone in, and writes the list before the route', async () => {
    const one = world()
    const { result } = await expose(from([OFFICE], 'grafana'), one)
    assert.deepEqual(written(one), [
      'Secret/kubectl-telemetry-tls',
      'AuthorizationPolicy/kubectl-telemetry-grafana',
      'VirtualService/kubectl-telemetry-grafana',
      'Gateway/kubectl-telemetry',
    ])
    assert.deepEqual(result.exposures[0]?.guard, { cidrs: [OFFICE] })
    assert.deepEqual(ruleOf(one, 'grafana'), {
      from: [{ source: { notRemoteIpBlocks: [OFFICE] } }],
      to: [{ operation: { hosts: [`grafana.${DOMAIN}`, `grafana.${DOMAIN}:*`] } }],
      when: [{ key: 'connection.sni', values: ALL_HOSTS }],
    })
  })

  it('stays as it is when nothing is said of it, and when another add-on is exposed', async () => {
    const one = fullMesh()
    await expose(from([OFFICE], 'grafana'), one)
    const before = find(one.cluster, 'AuthorizationPolicy', 'grafana')
    await expose(requestFor('kiali'), one)
    await expose(from(undefined, 'grafana'), one)
    await expose({ ...requestFor('grafana', 'kiali'), terms: { allowAnonymous: true } }, one)
    assert.deepEqual(policies(one), ['kubectl-telemetry-grafana'])
    assert.deepEqual(find(one.cluster, 'AuthorizationPolicy', 'grafana'), before)
  })

  it('is another list when another is given, for the named add-ons alone', async () => {
    const one = fullMesh()
    await expose(from([OFFICE], 'grafana', 'kiali'), one)
    await expose(from(['2001:db8::/32'], 'kiali'), one)
    assert.deepEqual(ruleOf(one, 'grafana').from[0].source.notRemoteIpBlocks, [OFFICE])
    assert.deepEqual(ruleOf(one, 'kiali').from[0].source.notRemoteIpBlocks, ['2001:db8::/32'])
  })

  it('any: lifts the list of the named add-on, which needs consent then', async () => {
    const one = fullMesh()
    await expose(from([OFFICE], 'grafana', 'kiali'), one)
    assert.equal((await refusal(expose(from('any', 'grafana'), one))).code, 'ANONYMOUS_ACCESS')
    assert.deepEqual(policies(one), ['kubectl-telemetry-grafana', 'kubectl-telemetry-kiali'])
    one.cluster.writes.length = 0
    const { result } = await expose({ ...from('any', 'grafana'), terms: { allowAnonymous: true } }, one)
    assert.deepEqual(written(one), [
      '-AuthorizationPolicy/kubectl-telemetry-grafana',
      'VirtualService/kubectl-telemetry-grafana',
    ])
    assert.deepEqual(policies(one), ['kubectl-telemetry-kiali'])
    assert.equal(result.exposures[0]?.guard, undefined)
    assert.deepEqual(
      result.objects.filter(({ kind }) => kind === 'AuthorizationPolicy').map(({ action }) => action),
      ['deleted'],
    )
  })

  it('moves with its add-on to another layout: by port there, and by port where there is no TLS', async () => {
    const one = fullMesh()
    await expose(from([OFFICE], 'grafana'), one)
    await expose({ ...requestFor('kiali'), layout: 'ports' }, one)
    const shared = `telemetry.${DOMAIN}`
    assert.deepEqual(ruleOf(one, 'grafana').to[0].operation, { hosts: [shared, `${shared}:*`], ports: ['15031'] })
    assert.deepEqual(ruleOf(one, 'grafana').when?.[0].values, [shared])
    await expose({ ...requestFor('kiali'), layout: 'hosts', insecure: true }, one)
    assert.deepEqual(ruleOf(one, 'grafana').to[0].operation.ports, ['80', '8080'])
    assert.equal(ruleOf(one, 'grafana').when, undefined)
  })

  it('counts a page that keeps this machine out as reached, and says so', async () => {
    const one = world()
    one.prober.answers = [{ ok: true, hop: 'access', status: 403, protocol: 'HTTP/2', milliseconds: 1 }]
    const { result } = await expose(from([OFFICE], 'grafana'), one)
    assert.ok(succeeded(result))
    assert.deepEqual(codes(result.warnings), ['CLIENT_ADDRESS_HIDDEN', 'KEPT_OUT'])
    assert.match(
      result.warnings[1]?.remedy ?? '',
      /expose grafana --allow-cidr 203\.0\.113\.0\/24 --allow-cidr ADDRESS/,
    )
  })

  it('tells a refusal by somebody else’s policy from its own', async () => {
    const one = world()
    one.prober.answers = [{ ok: true, hop: 'access', status: 403, protocol: 'HTTP/2', milliseconds: 1 }]
    assert.deepEqual(codes((await expose(request, one)).result.warnings), ['ACCESS_REFUSED'])
  })

  it('says nothing of hidden addresses where the mesh trusts a proxy', async () => {
    const mesh = 'defaultConfig:\n  gatewayTopology:\n    numTrustedProxies: 1\n'
    const metadata = { name: 'istio', namespace: 'istio-system' }
    const configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { mesh } }
    const one = world([...grafana(), ...ingressGateway(), configMap])
    assert.deepEqual(codes((await expose(from([OFFICE], 'grafana'), one)).result.warnings), [])
  })

  it('refuses an AuthorizationPolicy of its name that is not ours', async () => {
    const metadata = { name: 'kubectl-telemetry-grafana', namespace: 'istio-system' }
    const theirs = { apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy', metadata, spec: {} }
    const one = world([...grafana(), ...ingressGateway(), theirs])
    assert.equal((await refusal(expose(from([OFFICE], 'grafana'), one))).code, 'NOT_OURS')
    assert.deepEqual(one.cluster.writes, [])
  })

  it('goes on without the right to read policies, and says what that means', async () => {
    const one = world()
    one.cluster.fail('list', 'authorizationpolicies', new UserError('FORBIDDEN', 'cannot list'))
    assert.deepEqual(codes((await expose(request, one)).result.warnings), ['ACCESS_UNREAD'])
  })

  it('in a dry run prints the policy, and not the one that would go', async () => {
    const one = world()
    const kinds = ({ manifests }: { manifests: KubeObject[] }) => manifests.map(({ kind }) => kind)
    const dry = { dryRun: 'server' as const, yes: false }
    assert.deepEqual(kinds(await expose({ ...from([OFFICE], 'grafana'), ...dry }, one)), [
      'Secret',
      'AuthorizationPolicy',
      'VirtualService',
      'Gateway',
    ])
    await expose(from([OFFICE], 'grafana'), one)
    one.cluster.writes.length = 0
    const report = await expose({ ...from('any', 'grafana'), ...dry }, one)
    assert.deepEqual(kinds(report), ['Secret', 'VirtualService', 'Gateway'])
    assert.deepEqual(
      report.comparisons.filter(({ after }) => after === undefined).map(({ name }) => name),
      ['authorizationpolicy.security.istio.io/kubectl-telemetry-grafana in namespace istio-system'],
    )
    assert.deepEqual(written(one), [])
  })

  it('is put back when another run takes it away meanwhile, also when it was not asked for now', async () => {
    const one = fullMesh()
    await expose(from([OFFICE], 'grafana'), one)
    one.cluster.meanwhile = (objects) => {
      const at = objects.findIndex(({ kind }) => kind === 'AuthorizationPolicy')
      objects.splice(at, 1)
    }
    await expose(requestFor('grafana', 'kiali'), one)
    assert.deepEqual(policies(one), ['kubectl-telemetry-grafana'])
    assert.deepEqual(ruleOf(one, 'grafana').from[0].source.notRemoteIpBlocks, [OFFICE])
  })
})

describe('cleanup of what is behind an allow list', () => {
  const named = (...names: string[]) => ({ ...CLEANUP, addons: { names, named: names.length > 0 } })

  it('takes the list after the route that it guards', async () => {
    const one = fullMesh()
    await expose(from([OFFICE], 'grafana', 'kiali'), one)
    one.cluster.writes.length = 0
    await cleanup(named('grafana'), one)
    assert.deepEqual(
      written(one).filter((name) => name.startsWith('-')),
      ['-VirtualService/kubectl-telemetry-grafana', '-AuthorizationPolicy/kubectl-telemetry-grafana'],
    )
    assert.deepEqual(policies(one), ['kubectl-telemetry-kiali'])
    await cleanup(named(), one)
    assert.deepEqual(ours(one.cluster), [])
  })

  it('goes on without the right to list policies', async () => {
    const one = world()
    await expose(request, one)
    const list = one.cluster.list.bind(one.cluster)
    one.cluster.list = async <T extends KubeObject>(resource: Resource, options = {}) => {
      if (resource.group === 'security.istio.io') throw new UserError('FORBIDDEN', 'cannot list')
      return list<T>(resource, options)
    }
    await cleanup(named(), one)
    assert.deepEqual(ours(one.cluster), [])
  })
})
