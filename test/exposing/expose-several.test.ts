import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { requireAddons } from '../../src/addons/catalog.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { expose } from '../../src/exposing/expose.ts'
import { succeeded } from '../../src/exposing/result.ts'
import { serversIn } from '../../src/gateways/layout.ts'
import { grafana, ingressGateway, jaeger, kiali } from '../fakes/mesh.ts'
import {
  ACCESS_CHOICES,
  certificateHosts,
  createdObjects,
  DOMAIN,
  find,
  fullMesh,
  gatewayHosts,
  hosts,
  refusal,
  request,
  requestFor,
  world,
  written,
} from './exposing.ts'

const ALL = hosts('grafana', 'kiali', 'prometheus', 'tracing')

describe('expose of several add-ons', () => {
  it('writes a route each, then one Secret, and one Gateway last', async () => {
    const one = fullMesh()
    const { result } = await expose(requestFor('kiali', 'grafana'), one)
    assert.ok(succeeded(result))
    assert.deepEqual(written(one), [
      'VirtualService/kubectl-telemetry-kiali',
      'VirtualService/kubectl-telemetry-grafana',
      'Secret/kubectl-telemetry-tls',
      'Gateway/kubectl-telemetry',
    ])
  })

  it('reads each object once, and the routes again at the end', async () => {
    const one = fullMesh()
    await expose({ ...requestFor('grafana', 'kiali', 'prometheus', 'tracing') }, one)
    assert.deepEqual(one.cluster.reads.splice(-1), ['list virtualservices'])
    assert.deepEqual(one.cluster.reads.sort(), [
      'access of istio-ingressgateway-xyz',
      'access of kiali-abc',
      'get configmaps', // Kiali's
      'get configmaps', // Jaeger's
      'get namespaces', // kube-system, whose UID is that of the cluster
      'get secrets',
      'list authorizationpolicies',
      'list envoyfilters',
      'list gateways',
      'list pods', // of the namespace: the add-ons' and the gateway's
      'list pods', // of all namespaces: those with the gateway's labels
      'list services',
      'list virtualservices',
    ])
  })

  it('reads what it changed again, too', async () => {
    const one = fullMesh()
    await expose(requestFor('grafana'), one)
    await expose(requestFor('kiali'), one)
    assert.deepEqual(one.cluster.reads.splice(-3).sort(), ['get gateways', 'get secrets', 'list virtualservices'])
  })

  it('lists every host at the Gateway, sorted, and in the certificate, and no other', async () => {
    const one = fullMesh()
    await expose(requestFor('tracing', 'kiali', 'prometheus', 'grafana'), one)
    assert.deepEqual(gatewayHosts(one.cluster), ALL)
    assert.deepEqual(certificateHosts(one.cluster), ALL)
  })

  it('reads the path of each page from its configuration, and probes it there', async () => {
    const one = fullMesh()
    const { result } = await expose(requestFor('grafana', 'kiali', 'prometheus', 'tracing'), one)
    const urls = ['grafana.X/', 'kiali.X/kiali/', 'prometheus.X/', 'tracing.X/jaeger/']
    assert.deepEqual(
      result.exposures.map(({ url }) => url),
      urls.map((url) => `https://${url.replace('X', DOMAIN)}`),
    )
    assert.deepEqual(
      one.prober.probed.map(({ host, path }) => host + path).sort(),
      urls.map((url) => url.replace('X', DOMAIN)),
    )
  })

  it('redirects / to the path of the page, and protects Prometheus and tracing with their lists', async () => {
    const one = fullMesh()
    await expose(requestFor('grafana', 'kiali', 'prometheus', 'tracing'), one)
    const shape = (name: string) =>
      (find(one.cluster, 'VirtualService', name).spec as { http: object[] }).http.map((rule) =>
        Object.keys(rule).join(),
      )
    const atPort80 = 'match,directResponse'
    assert.deepEqual(shape('grafana'), ['match,route', atPort80])
    assert.deepEqual(shape('kiali'), ['match,redirect', 'match,route', atPort80])
    assert.deepEqual(shape('tracing'), ['match,redirect', 'match,route', 'match,directResponse', atPort80])
    assert.deepEqual(shape('prometheus'), ['match,route', 'match,directResponse', atPort80])
  })

  it("leads to Jaeger's pages, not to its collector", async () => {
    const one = fullMesh()
    await expose(requestFor('tracing'), one)
    const { http } = find(one.cluster, 'VirtualService').spec as { http: { route?: { destination: object }[] }[] }
    assert.deepEqual(http[1]?.route?.[0]?.destination, {
      host: 'tracing.istio-system.svc.cluster.local',
      port: { number: 80 },
    })
  })

  it('changes nothing the second time', async () => {
    const one = fullMesh()
    await expose(requestFor('grafana', 'kiali', 'tracing'), one)
    const before = structuredClone(one.cluster.objects)
    const { result } = await expose(requestFor('tracing', 'grafana', 'kiali'), one)
    assert.deepEqual(new Set(result.objects.map(({ action }) => action)), new Set(['unchanged']))
    assert.deepEqual(one.cluster.objects, before)
  })

  it('fails when one of the pages does not answer, and names it', async () => {
    const one = fullMesh()
    const probe = one.prober.probe.bind(one.prober)
    one.prober.probe = async (target) =>
      target.host.startsWith('kiali')
        ? {
            ok: false,
            hop: 'upstream',
            status: 503,
            milliseconds: 1,
            message: 'the gateway cannot reach the add-on: 503',
          }
        : probe(target)
    const { result } = await expose(requestFor('grafana', 'kiali'), one)
    assert.equal(succeeded(result), false)
    assert.deepEqual(
      result.exposures.map(({ probe }) => probe?.ok),
      [true, false],
    )
    assert.deepEqual(result.warnings, [
      {
        code: 'PROBE_FAILED',
        severity: 'fails',
        message: `https://kiali.${DOMAIN}/kiali/ does not answer: the gateway cannot reach the add-on: 503; pods of Service istio-system/kiali are Ready`,
        remedies: [
          "kubectl -n istio-system logs istio-ingressgateway-xyz --tail=20   # the gateway's access log has the reason",
          'kubectl -n istio-system get networkpolicies   # does one of them keep the gateway out?',
        ],
      },
    ])
  })

  it('asks once about all add-ons that let anyone in, and writes nothing after the answer nobody', async () => {
    const question = `Who may enter https://grafana.${DOMAIN}/, https://kiali.${DOMAIN}/kiali/?`
    const one = fullMesh({ [question]: ACCESS_CHOICES.nobody })
    const asked = { ...requestFor('grafana', 'kiali'), terms: { allowAnonymous: false } }
    assert.equal((await refusal(expose(asked, one))).code, 'DECLINED')
    assert.deepEqual(
      one.terminal.notes.map((note) => note.split(' ')[0]),
      ['Grafana', 'Kiali'],
    )
    assert.deepEqual(one.cluster.writes, [])
  })

  it('does not ask who may enter an add-on with a login', async () => {
    const objects = [...kiali('istio-system', 'auth: { strategy: openid }'), ...ingressGateway()]
    const { result } = await expose({ ...requestFor('kiali'), terms: { allowAnonymous: false } }, world(objects))
    assert.equal(result.access.kind, 'login')
    assert.ok(succeeded(result))
  })
})

describe('expose all', () => {
  const everything = { ...request, addons: requireAddons([]) }

  it('exposes the existing add-ons', async () => {
    const one = fullMesh()
    const { result } = await expose(everything, one)
    assert.deepEqual(gatewayHosts(one.cluster), ALL)
    assert.deepEqual(result.warnings, [])
  })

  it('warns about each missing add-on, and continues', async () => {
    const one = world([...grafana(), ...jaeger(), ...ingressGateway()])
    const { result } = await expose(everything, one)
    assert.ok(succeeded(result))
    assert.deepEqual(gatewayHosts(one.cluster), hosts('grafana', 'tracing'))
    assert.deepEqual(
      result.warnings.map(({ code, remedies }) => ({ code, remedies })),
      ['kiali', 'prometheus'].map((name) => ({
        code: 'ADDON_NOT_FOUND',
        remedies: [
          `kubectl get services -A | grep -iE ${name}   # is it installed?`,
          `kubectl telemetry addons install ${name}   # if it is not`,
          `kubectl -n NAMESPACE annotate service NAME kubectl-telemetry/addon=${name}   # if its Service has other labels; then name it with -n NAMESPACE`,
        ],
      })),
    )
    assert.match(
      result.warnings[0]?.message ?? '',
      /^Kiali was not found in any namespace: no Service has its usual labels and ports$/,
    )
  })

  it('fails when no add-on exists', async () => {
    const one = world(ingressGateway())
    assert.equal((await refusal(expose(everything, one))).code, 'ADDON_NOT_FOUND')
    assert.deepEqual(one.cluster.writes, [])
  })

  it('fails when one of several named add-ons is missing', async () => {
    const one = world([...grafana(), ...ingressGateway()])
    const { code, message, suggestions } = await refusal(expose(requestFor('grafana', 'tracing'), one))
    assert.equal(code, 'ADDON_NOT_FOUND')
    assert.match(
      message,
      /^Jaeger or Zipkin or SkyWalking was not found in any namespace: no Service has its usual labels/,
    )
    assert.equal(suggestions[0], "kubectl get services -A | grep -iE 'jaeger|zipkin|skywalking'   # is it installed?")
    assert.deepEqual(one.cluster.writes, [])
  })

  it('searches only the namespace of -n', async () => {
    const one = world([...grafana('monitoring'), ...kiali(), ...ingressGateway()])
    await expose({ ...everything, namespace: 'monitoring' }, one)
    assert.deepEqual(gatewayHosts(one.cluster), hosts('grafana'))
  })
})

describe('expose of one add-on after another', () => {
  it('extends the Gateway and the certificate, and does not change the first route', async () => {
    const one = fullMesh()
    await expose(requestFor('grafana'), one)
    const route = find(one.cluster, 'VirtualService', 'grafana')
    one.cluster.writes.length = 0
    const { result } = await expose(requestFor('kiali'), one)
    assert.deepEqual(written(one), [
      'Secret/kubectl-telemetry-tls',
      'VirtualService/kubectl-telemetry-kiali',
      'Gateway/kubectl-telemetry',
    ])
    assert.deepEqual(gatewayHosts(one.cluster), hosts('grafana', 'kiali'))
    assert.deepEqual(certificateHosts(one.cluster), hosts('grafana', 'kiali'))
    assert.equal(find(one.cluster, 'VirtualService', 'grafana'), route)
    assert.deepEqual(
      result.objects.map(({ name, action }) => [name, action]),
      [
        ['kubectl-telemetry-tls', 'configured'],
        ['kubectl-telemetry-kiali', 'created'],
        ['kubectl-telemetry', 'configured'],
      ],
    )
    assert.deepEqual(
      result.exposures.map(({ addon }) => addon),
      ['kiali'],
    )
  })

  it('keeps the CA, so that clients need not trust another', async () => {
    const one = fullMesh()
    const first = await expose(requestFor('grafana'), one)
    const before = one.authorities.kept.get(DOMAIN)
    const second = await expose(requestFor('kiali'), one)
    assert.equal(one.authorities.kept.get(DOMAIN), before)
    assert.deepEqual(second.result.authority, first.result.authority)
  })

  it('keeps Gateways in two namespaces apart', async () => {
    const one = world([
      ...grafana(),
      ...kiali(),
      ...ingressGateway(),
      ...ingressGateway('edge', 'istio-edge', [{ ip: '192.0.2.20' }]),
    ])
    const through = (namespace: string, name: string) => ({ gateway: { namespace, name } })
    await expose({ ...requestFor('grafana'), ...through('istio-system', 'istio-ingressgateway') }, one)
    one.prober.addresses = ['192.0.2.20']
    const { result } = await expose({ ...requestFor('kiali'), ...through('edge', 'istio-edge') }, one)
    assert.deepEqual(result.warnings, [])
    const listed = (namespace: string) =>
      createdObjects(one.cluster, namespace)
        .filter(({ kind }) => kind === 'Gateway')
        .map((gateway) => serversIn(gateway)[0]?.hosts)
    assert.deepEqual(listed('istio-system'), [[`grafana.${DOMAIN}`]])
    assert.deepEqual(listed('edge'), [['kiali.192.0.2.20.nip.io']])
  })

  it('ignores routes that kubectl telemetry did not create', async () => {
    const foreign: KubeObject = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: { name: 'foreign', namespace: 'istio-system', labels: { 'app.kubernetes.io/component': 'kiali' } },
      spec: { hosts: ['kiali.example.com'] },
    }
    const one = world([...grafana(), ...ingressGateway(), foreign])
    await expose(request, one)
    assert.deepEqual(gatewayHosts(one.cluster), hosts('grafana'))
    assert.deepEqual(one.cluster.objects.find(({ metadata }) => metadata.name === 'foreign')?.spec, foreign.spec)
  })
})
