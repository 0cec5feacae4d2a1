import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { cleanup } from '../../src/cleaning/cleanup.ts'
import type { KubeObject, Resource } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import { expose } from '../../src/exposing/expose.ts'
import type { ExposeRequest } from '../../src/exposing/request.ts'
import { succeeded } from '../../src/exposing/result.ts'
import {
  createdObjects,
  DOMAIN,
  find,
  fullMesh,
  hosts,
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

/** Without --allow-anonymous: the list is enough. */
function from(cidrs: string[] | 'any' | undefined, ...names: string[]): ExposeRequest {
  return { ...requestFor(...names), terms: { allowAnonymous: false }, guard: { cidrs } }
}

function ruleOf({ cluster }: FakeWorld, addon: string): Rule {
  const { rules } = find(cluster, 'AuthorizationPolicy', addon).spec as { rules: [Rule] }
  return rules[0]
}

const policies = ({ cluster }: FakeWorld) =>
  createdObjects(cluster)
    .filter(({ kind }) => kind === 'AuthorizationPolicy')
    .map(({ metadata }) => metadata.name)
    .sort()
const codes = (warnings: { code: string }[]) => warnings.map(({ code }) => code)

describe('expose --allow-cidr', () => {
  it('needs no consent for an add-on that lets anyone in, and writes the list before the route', async () => {
    const one = world()
    const { result } = await expose(from([OFFICE], 'grafana'), one)
    assert.deepEqual(written(one), [
      'AuthorizationPolicy/kubectl-telemetry-grafana',
      'VirtualService/kubectl-telemetry-grafana',
      'Secret/kubectl-telemetry-tls',
      'Gateway/kubectl-telemetry',
      'VirtualService/kubectl-telemetry-grafana', // opened
    ])
    assert.deepEqual(result.exposures[0]?.guard, { cidrs: [OFFICE] })
    assert.deepEqual(ruleOf(one, 'grafana'), {
      from: [{ source: { notRemoteIpBlocks: [OFFICE] } }],
      to: [
        {
          operation: {
            hosts: [`grafana.${DOMAIN}`, `grafana.${DOMAIN}:*`],
            notPaths: ['/.well-known/kubectl-telemetry/login'],
          },
        },
      ],
      when: [{ key: 'connection.sni', values: ALL_HOSTS }],
    })
  })

  it('keeps the list without the flag, and when another add-on is exposed', async () => {
    const one = fullMesh()
    await expose(from([OFFICE], 'grafana'), one)
    const before = find(one.cluster, 'AuthorizationPolicy', 'grafana')
    await expose(requestFor('kiali'), one)
    await expose(from(undefined, 'grafana'), one)
    await expose({ ...requestFor('grafana', 'kiali'), terms: { allowAnonymous: true } }, one)
    assert.deepEqual(policies(one), ['kubectl-telemetry-grafana'])
    assert.deepEqual(find(one.cluster, 'AuthorizationPolicy', 'grafana'), before)
  })

  it('replaces the list, only for the named add-ons', async () => {
    const one = fullMesh()
    await expose(from([OFFICE], 'grafana', 'kiali'), one)
    await expose(from(['2001:db8::/32'], 'kiali'), one)
    assert.deepEqual(ruleOf(one, 'grafana').from[0].source.notRemoteIpBlocks, [OFFICE])
    assert.deepEqual(ruleOf(one, 'kiali').from[0].source.notRemoteIpBlocks, ['2001:db8::/32'])
  })

  it('any: removes the list of the named add-on, which then needs consent', async () => {
    const one = fullMesh()
    await expose(from([OFFICE], 'grafana', 'kiali'), one)
    assert.equal((await refusal(expose(from('any', 'grafana'), one))).code, 'ANONYMOUS_ACCESS')
    assert.deepEqual(policies(one), ['kubectl-telemetry-grafana', 'kubectl-telemetry-kiali'])
    one.cluster.writes.length = 0
    const { result } = await expose({ ...from('any', 'grafana'), terms: { allowAnonymous: true } }, one)
    assert.deepEqual(written(one), [
      '-AuthorizationPolicy/kubectl-telemetry-grafana',
      'VirtualService/kubectl-telemetry-grafana',
      'Gateway/kubectl-telemetry',
    ])
    assert.deepEqual(policies(one), ['kubectl-telemetry-kiali'])
    assert.equal(result.exposures[0]?.guard, undefined)
    assert.deepEqual(
      result.objects.filter(({ kind }) => kind === 'AuthorizationPolicy').map(({ action }) => action),
      ['deleted'],
    )
  })

  it('moves with its add-on to another layout, and matches by port there and without TLS', async () => {
    const one = fullMesh()
    await expose(from([OFFICE], 'grafana'), one)
    await expose({ ...requestFor('kiali'), layout: 'ports' }, one)
    const shared = `telemetry.${DOMAIN}`
    assert.deepEqual(ruleOf(one, 'grafana').to[0].operation, {
      hosts: [shared, `${shared}:*`],
      ports: ['15031'],
      notPaths: ['/.well-known/kubectl-telemetry/login'],
    })
    assert.deepEqual(ruleOf(one, 'grafana').when?.[0].values, [shared])
    await expose({ ...requestFor('kiali'), layout: 'hosts', insecure: true }, one)
    assert.deepEqual(ruleOf(one, 'grafana').to[0].operation.ports, ['80', '8080'])
    assert.equal(ruleOf(one, 'grafana').when, undefined)
  })

  it('counts a page that denies access to this machine as reached, and reports it', async () => {
    const one = world()
    one.prober.answers = [{ ok: true, hop: 'access', status: 403, protocol: 'HTTP/2', milliseconds: 1 }]
    const { result } = await expose(from([OFFICE], 'grafana'), one)
    assert.ok(succeeded(result))
    assert.deepEqual(codes(result.warnings), ['CLIENT_ADDRESS_HIDDEN', 'CLIENT_NOT_ALLOWED'])
    assert.match(
      result.warnings[1]?.remedies[0] ?? '',
      /expose grafana --allow-cidr 203\.0\.113\.0\/24 --allow-cidr ADDRESS/,
    )
  })

  it("distinguishes a denial by the user's policy from its own", async () => {
    const one = world()
    one.prober.answers = [{ ok: true, hop: 'access', status: 403, protocol: 'HTTP/2', milliseconds: 1 }]
    assert.deepEqual(codes((await expose(request, one)).result.warnings), ['ACCESS_REFUSED'])
  })

  it('does not warn about hidden addresses when the mesh trusts a proxy', async () => {
    const mesh = 'defaultConfig:\n  gatewayTopology:\n    numTrustedProxies: 1\n'
    const metadata = { name: 'istio', namespace: 'istio-system' }
    const configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { mesh } }
    const one = world([...grafana(), ...ingressGateway(), configMap])
    assert.deepEqual(codes((await expose(from([OFFICE], 'grafana'), one)).result.warnings), [])
  })

  it('refuses an AuthorizationPolicy with its name that is not ours', async () => {
    const metadata = { name: 'kubectl-telemetry-grafana', namespace: 'istio-system' }
    const theirs = { apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy', metadata, spec: {} }
    const one = world([...grafana(), ...ingressGateway(), theirs])
    assert.equal((await refusal(expose(from([OFFICE], 'grafana'), one))).code, 'NOT_OURS')
    assert.deepEqual(one.cluster.writes, [])
  })

  it('works without the permission to read policies, and warns', async () => {
    const one = world()
    one.cluster.fail('list', 'authorizationpolicies', new UserError('FORBIDDEN', 'cannot list'))
    assert.deepEqual(codes((await expose(request, one)).result.warnings), ['ACCESS_UNREAD'])
  })

  it('prints the new policy in a dry run, but not the one to remove', async () => {
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

  it('is restored when another run removes it, also if the present run did not request it', async () => {
    const one = fullMesh()
    await expose(from([OFFICE], 'grafana'), one)
    one.cluster.afterNextWrite = (objects) => {
      const at = objects.findIndex(({ kind }) => kind === 'AuthorizationPolicy')
      objects.splice(at, 1)
    }
    await expose(requestFor('grafana', 'kiali'), one)
    assert.deepEqual(policies(one), ['kubectl-telemetry-grafana'])
    assert.deepEqual(ruleOf(one, 'grafana').from[0].source.notRemoteIpBlocks, [OFFICE])
  })
})

describe('cleanup of an exposure with an allow list', () => {
  const named = (...names: string[]) => ({ ...CLEANUP, addons: { names, named: names.length > 0 } })

  it('removes the list after the route that it guards', async () => {
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
    assert.deepEqual(createdObjects(one.cluster), [])
  })

  it('works without the permission to list policies', async () => {
    const one = world()
    await expose(request, one)
    const list = one.cluster.list.bind(one.cluster)
    one.cluster.list = async <T extends KubeObject>(resource: Resource, options = {}) => {
      if (resource.group === 'security.istio.io') throw new UserError('FORBIDDEN', 'cannot list')
      return list<T>(resource, options)
    }
    await cleanup(named(), one)
    assert.deepEqual(createdObjects(one.cluster), [])
  })
})
