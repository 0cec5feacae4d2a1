/** Something else than our protocol at the port that an exposure needs. Kinds of clusters: istio/istio#16458, #31597, #53903. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { expose } from '../../src/exposing/expose.ts'
import { succeeded } from '../../src/exposing/result.ts'
import { grafana, ingressGateway } from '../fakes/mesh.ts'
import { find, refusal, request, world } from './exposing.ts'

interface Theirs {
  number: number
  protocol: string
  tls?: object
  selector?: Record<string, string>
  metadata?: object
}

function theirs({ number, protocol, tls, selector = { istio: 'ingressgateway' }, metadata = {} }: Theirs): KubeObject {
  const port = { number, name: 'theirs', protocol }
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Gateway',
    metadata: { name: 'theirs', namespace: 'apps', ...metadata },
    spec: { selector, servers: [{ port, hosts: ['shop.example.com'], ...(tls === undefined ? {} : { tls }) }] },
  }
}

/** A gateway whose Service has these ports. */
function gatewayWith(
  ports: object[],
  annotations: Record<string, string> = {},
  containers: object[] = [],
): KubeObject[] {
  const [service, pod] = ingressGateway()
  assert.ok(service && pod)
  const own = (pod.spec as { containers: object[] }).containers.map((one) => ({ ...one, ports: containers }))
  return [
    { ...service, metadata: { ...service.metadata, annotations }, spec: { ...(service.spec as object), ports } },
    { ...pod, spec: { ...(pod.spec as object), containers: own } },
  ]
}

const HTTP = { name: 'http2', port: 80, targetPort: 8080 }
const HTTPS = { name: 'https', port: 443, targetPort: 8443 }
const AWS = 'service.beta.kubernetes.io/aws-load-balancer'

async function refused(objects: KubeObject[], insecure = false): Promise<[message: string, suggestions: string[]]> {
  const one = world([...grafana(), ...objects])
  const { code, message, suggestions } = await refusal(expose({ ...request, insecure }, one))
  assert.equal(code, 'GATEWAY_PORT_OTHER_PROTOCOL', message)
  assert.deepEqual(one.cluster.writes, [])
  return [message, suggestions]
}

describe('another protocol at the port of an exposure', () => {
  describe('is refused before the first write', () => {
    const gateways: [string, Theirs, insecure?: boolean][] = [
      ['HTTP on 443', { number: 443, protocol: 'HTTP' }],
      ['HTTP2 on 443', { number: 443, protocol: 'HTTP2' }],
      ['GRPC on 443, in lower case', { number: 443, protocol: 'grpc' }],
      ['TCP on 443', { number: 443, protocol: 'TCP' }],
      ['MONGO on 443', { number: 443, protocol: 'MONGO' }],
      ['HTTP on the port of the pods itself', { number: 8443, protocol: 'HTTP' }],
      ['a redirect on 443', { number: 443, protocol: 'HTTP', tls: { httpsRedirect: true } }],
      ['HTTP for all gateways', { number: 443, protocol: 'HTTP', selector: {} }],
      ['HTTPS on 80, with --insecure', { number: 80, protocol: 'HTTPS', tls: { mode: 'SIMPLE' } }, true],
      ['TLS on 80, with --insecure', { number: 80, protocol: 'TLS', tls: { mode: 'PASSTHROUGH' } }, true],
      ['TCP on 8080, with --insecure', { number: 8080, protocol: 'TCP' }, true],
    ]
    for (const [what, gateway, insecure] of gateways)
      it(what, async () => {
        const [message, suggestions] = await refused([...ingressGateway(), theirs(gateway)], insecure)
        assert.match(message, new RegExp(`^Gateway apps/theirs serves ${gateway.protocol} on port ${gateway.number}, `))
        assert.match(suggestions[0] ?? '', insecure ? /^leave out --insecure / : /^--insecure /)
        assert.equal(suggestions.at(-1), 'kubectl -n apps get gateways.networking.istio.io theirs -o yaml')
      })

    it('with names of ports, and another number that leads to the same port of the pods', async () => {
      const ports = [
        { ...HTTPS, targetPort: 'tls' },
        { name: 'plain', port: 8888, targetPort: 8443 },
      ]
      const gateway = gatewayWith(ports, {}, [{ name: 'tls', containerPort: 8443 }])
      const [message] = await refused([...gateway, theirs({ number: 8888, protocol: 'HTTP' })])
      assert.match(message, /on port 8888, which is port 8443 of the same pods as port 443;/)
    })

    it('and --insecure is no remedy where its port is in use, too', async () => {
      const both = [443, 80].map((number) => theirs({ number, protocol: 'TCP', metadata: { name: `tcp-${number}` } }))
      const [, suggestions] = await refused([...ingressGateway(), ...both])
      assert.deepEqual(suggestions, [
        '--gateway NAMESPACE/SERVICE   # another ingress gateway',
        'kubectl -n apps get gateways.networking.istio.io tcp-443 -o yaml',
      ])
    })

    const services: [string, object[], Record<string, string>, RegExp][] = [
      ['443 leads where 80 leads', [HTTP, { ...HTTPS, targetPort: 8080 }], {}, /^port 443 of .* leads to port 8080 of/],
      [
        'the same by name',
        [
          { ...HTTP, targetPort: 'http' },
          { ...HTTPS, targetPort: 'http' },
        ],
        {},
        /^port 443 of /,
      ],
      ['AWS, for all ports', [HTTP, HTTPS], { [`${AWS}-ssl-cert`]: 'arn' }, /^the load balancer of .* ends TLS at/],
      [
        'AWS, by the name of the port, with HTTP behind it',
        [HTTP, HTTPS],
        { [`${AWS}-ssl-cert`]: 'arn', [`${AWS}-ssl-ports`]: 'https', [`${AWS}-backend-protocol`]: 'http' },
        /^the load balancer of /,
      ],
      [
        'DigitalOcean',
        [HTTP, HTTPS],
        { 'service.beta.kubernetes.io/do-loadbalancer-certificate-id': 'x' },
        /^the load balancer of /,
      ],
      [
        'Alibaba',
        [HTTP, HTTPS],
        { 'service.beta.kubernetes.io/alibaba-cloud-loadbalancer-protocol-port': 'http:80,https:443' },
        /^the load balancer of /,
      ],
    ]
    for (const [what, ports, annotations, expected] of services)
      it(`TLS ends in front: ${what}`, async () => {
        const gateway = gatewayWith(ports, annotations, [{ name: 'http', containerPort: 8080 }])
        const [message, suggestions] = await refused(gateway)
        assert.match(message, expected)
        assert.match(suggestions[0] ?? '', /^--insecure {3}# the gateway serves HTTP; where a load balancer ends TLS, /)
      })
  })

  describe('is no reason to refuse', () => {
    const works: [string, KubeObject[], insecure?: boolean][] = [
      [
        'TLS that is passed through on 443',
        [...ingressGateway(), theirs({ number: 443, protocol: 'TLS', tls: { mode: 'PASSTHROUGH' } })],
      ],
      ['TCP with TLS on 443', [...ingressGateway(), theirs({ number: 443, protocol: 'TCP', tls: { mode: 'SIMPLE' } })]],
      ['HTTP on 80, with --insecure', [...ingressGateway(), theirs({ number: 80, protocol: 'HTTP' })], true],
      ['at other pods', [...ingressGateway(), theirs({ number: 443, protocol: 'HTTP', selector: { istio: 'other' } })]],
      [
        'of a Gateway that is being deleted',
        [
          ...ingressGateway(),
          theirs({ number: 443, protocol: 'HTTP', metadata: { deletionTimestamp: '2026-11-29T10:00:00Z' } }),
        ],
      ],
      [
        'that a Service leads elsewhere',
        [
          ...gatewayWith([HTTP, HTTPS, { name: 'other', port: 8443, targetPort: 9443 }]),
          theirs({ number: 8443, protocol: 'HTTP' }),
        ],
      ],
      [
        'AWS with TLS behind the load balancer',
        gatewayWith([HTTP, HTTPS], {
          [`${AWS}-ssl-cert`]: 'arn',
          [`${AWS}-backend-protocol`]: 'ssl',
        }),
      ],
      [
        'AWS with TLS at another port',
        gatewayWith([HTTP, HTTPS], {
          [`${AWS}-ssl-cert`]: 'arn',
          [`${AWS}-ssl-ports`]: '8443',
        }),
      ],
      ['a load balancer that ends TLS, with --insecure', gatewayWith([HTTP, { ...HTTPS, targetPort: 8080 }]), true],
    ]
    for (const [what, objects, insecure = false] of works)
      it(what, async () => {
        const { result } = await expose({ ...request, insecure }, world([...grafana(), ...objects]))
        assert.ok(succeeded(result))
      })

    for (const insecure of [false, true])
      it(`on a port that Istio does not translate, as KServe's in Open Data Hub, ${insecure ? 'with' : 'without'} --insecure`, async () => {
        const local: KubeObject = {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: {
            name: 'knative-local-gateway',
            namespace: 'istio-system',
            labels: { 'experimental.istio.io/disable-gateway-port-translation': 'true' },
          },
          spec: { type: 'ClusterIP', selector: { istio: 'ingressgateway' }, ports: [{ port: 80, targetPort: 8081 }] },
        }
        const gateway = theirs({ number: 8081, protocol: 'HTTPS', tls: { mode: 'ISTIO_MUTUAL' } })
        const one = world([...grafana(), ...ingressGateway(), local, gateway])
        const { result } = await expose({ ...request, insecure }, one)
        assert.ok(succeeded(result))
        assert.deepEqual(
          result.warnings.filter(({ code }) => code === 'REDIRECT_LEFT_OUT'),
          [],
        )
      })

    it('where ours was there before: Istio ignores the younger', async () => {
      const one = world()
      await expose(request, one)
      const at = (creationTimestamp: string) => ({ creationTimestamp })
      Object.assign(find(one.cluster, 'Gateway').metadata, at('2026-11-29T10:00:00Z'))
      one.cluster.objects.push(theirs({ number: 443, protocol: 'HTTP', metadata: at('2026-11-29T11:00:00Z') }))
      assert.ok(succeeded((await expose(request, one)).result))
      Object.assign(one.cluster.objects.at(-1)?.metadata ?? {}, at('2026-11-29T09:00:00Z'))
      assert.equal((await refusal(expose(request, one))).code, 'GATEWAY_PORT_OTHER_PROTOCOL')
    })

    it('at port 80, from which only the redirect is left out', async () => {
      const one = world([...grafana(), ...ingressGateway(), theirs({ number: 80, protocol: 'TCP' })])
      const { result } = await expose(request, one)
      assert.ok(succeeded(result))
      assert.deepEqual(
        result.warnings.map(({ code, message }) => [code, message]),
        [['REDIRECT_LEFT_OUT', 'Gateway apps/theirs serves TCP on port 80, so http:// is not redirected to https://']],
      )
    })
  })
})

describe('a gateway of Gateway API', () => {
  const labels = { 'gateway.networking.k8s.io/gateway-name': 'web' }
  const managed = ingressGateway('apps', 'web-istio').map((one) =>
    one.kind === 'Pod' ? { ...one, metadata: { ...one.metadata, labels: { ...one.metadata.labels, ...labels } } } : one,
  )
  for (const gateway of [undefined, { namespace: 'apps', name: 'web-istio' }])
    it(`is refused, ${gateway === undefined ? 'where it is the only one' : 'also by its name'}`, async () => {
      const one = world([...grafana(), ...managed])
      const { code, message, suggestions } = await refusal(expose({ ...request, gateway }, one))
      assert.equal(code, 'GATEWAY_API_GATEWAY')
      assert.match(message, /Service apps\/web-istio \(Gateway apps\/web\); kubectl telemetry does not yet support/)
      assert.equal(suggestions.at(-1), 'kubectl -n apps get gateways.gateway.networking.k8s.io web')
      assert.deepEqual(one.cluster.writes, [])
    })

  it('does not keep the other one from being used', async () => {
    const { result } = await expose(request, world([...grafana(), ...managed, ...ingressGateway()]))
    assert.equal(result.gateway.service, 'istio-ingressgateway')
  })

  it('HTTP needs no Secret, so nobody is asked whether the gateway may read one', async () => {
    const one = world()
    one.cluster.secretsReadable = false
    assert.ok(succeeded((await expose({ ...request, insecure: true }, one)).result))
    assert.ok(one.cluster.reads.every((read) => !read.startsWith('access of')))
  })
})
