/** Gateways of a revision of Istio, beside a control plane of another one (istioctl install --set revision=canary). */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { expose } from '../../src/exposing/expose.ts'
import { succeeded } from '../../src/exposing/result.ts'
import type { Probe } from '../../src/probing/prober.ts'
import { grafana, ingressGateway } from '../fakes/mesh.ts'
import { refusal, request, requestFor, world } from './exposing.ts'

/** The gateway with a proxy of revision canary. */
function canaryGateway(): KubeObject[] {
  return ingressGateway().map((one) => {
    if (one.kind !== 'Pod') return one
    const { containers } = one.spec as { containers: object[] }
    const env = [{ name: 'CA_ADDR', value: 'istiod-canary.istio-system.svc:15012' }]
    return { ...one, spec: { containers: containers.map((container) => ({ ...container, env })) } }
  })
}

const MESH = [...grafana(), ...canaryGateway()]

function configMap(name: string, mesh: string): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'istio-system' }, data: { mesh } }
}

const provider = (name: string) => `extensionProviders: [{name: ${name}, envoyExtAuthzHttp: {service: a.b, port: 80}}]`
const CONFIGS = [configMap('istio', provider('old')), configMap('istio-canary', provider('new'))]

function istio(kind: string, revision: string, spec: object): KubeObject {
  const metadata = { name: 'theirs', namespace: 'istio-system', labels: { 'istio.io/rev': revision } }
  return { apiVersion: 'networking.istio.io/v1', kind, metadata, spec }
}

const port = { number: 443, name: 'theirs', protocol: 'HTTP' }
const PLAIN = { selector: { istio: 'ingressgateway' }, servers: [{ port, hosts: ['shop.example.com'] }] }
const RULE = { host: '*.local', trafficPolicy: { tls: { mode: 'ISTIO_MUTUAL' } } }
const UNREACHED: Probe = { ok: false, hop: 'upstream', status: 503, protocol: 'HTTP/2', milliseconds: 3 }

describe('expose at a gateway of another revision', () => {
  it('reads the mesh configuration of that revision', async () => {
    const asking = (name: string) => ({
      ...requestFor('grafana'),
      guard: { login: { kind: 'ext-authz' as const, provider: name } },
    })
    const { result } = await expose(asking('new'), world([...MESH, ...CONFIGS]))
    assert.ok(succeeded(result), JSON.stringify(result.warnings))
    const { code, message, suggestions } = await refusal(expose(asking('old'), world([...MESH, ...CONFIGS])))
    assert.equal(code, 'PROVIDER_UNKNOWN')
    assert.match(message, /known: new$/)
    assert.match(suggestions.at(-1) ?? '', /^kubectl -n istio-system edit configmap istio-canary /)
  })

  for (const [revision, counts] of [
    ['canary', true],
    ['default', false],
    ['prod', false],
  ] as const) {
    it(`Gateways of revision ${revision} ${counts ? 'are in its way' : 'do not exist for it'}`, async () => {
      const exposing = expose(request, world([...MESH, istio('Gateway', revision, PLAIN)]))
      if (counts) assert.equal((await refusal(exposing)).code, 'GATEWAY_PORT_OTHER_PROTOCOL')
      else assert.ok(succeeded((await exposing).result))
    })

    it(`DestinationRules of revision ${revision} ${counts ? 'are a cause' : 'are none'}`, async () => {
      const one = world([...MESH, istio('DestinationRule', revision, RULE)])
      one.prober.answers = [UNREACHED]
      const { result } = await expose({ ...request, timeout: 3_000 }, one)
      const failure = result.warnings.find(({ code }) => code === 'PROBE_FAILED')
      assert.equal(failure?.message.includes('; DestinationRule istio-system/theirs'), counts)
    })

    it(`policies for another authorizer of revision ${revision} ${counts ? 'exclude ours' : 'do not matter'}`, async () => {
      const policy = {
        ...istio('AuthorizationPolicy', revision, { action: 'CUSTOM', provider: { name: 'other' } }),
        apiVersion: 'security.istio.io/v1',
      }
      const asking = { ...requestFor('grafana'), guard: { login: { kind: 'ext-authz' as const, provider: 'new' } } }
      const exposing = expose(asking, world([...MESH, ...CONFIGS, policy]))
      if (counts) assert.equal((await refusal(exposing)).code, 'PROVIDER_CONFLICT')
      else assert.ok(succeeded((await exposing).result))
    })
  }
})
