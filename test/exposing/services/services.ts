/** Shared by tests of exposed Services: an application beside the add-ons, and requests for its Services. */
import type { KubeObject } from '../../../src/cluster/cluster.ts'
import type { ServicePort } from '../../../src/cluster/objects.ts'
import type { ExposeRequest } from '../../../src/exposing/request.ts'
import { serversIn } from '../../../src/gateways/layout.ts'
import { type FakeWorld, guardAnswers } from '../../fakes/fake-world.ts'
import { grafana, ingressGateway, kiali, node, pod, prometheus, service } from '../../fakes/mesh.ts'
import { DOMAIN, find, request, world } from '../exposing.ts'

export const SHOP = `productpage.bookinfo.${DOMAIN}`

/** A Service and its Ready pod. */
export function application(name: string, namespace = 'bookinfo', ports: object[] = [{ name: 'http', port: 9080 }]) {
  const labels = { app: name }
  const spec = { type: 'ClusterIP', clusterIP: '10.90.0.7', selector: labels, ports }
  return [service(namespace, name, labels, spec), pod(namespace, `${name}-abc`, labels, { name })]
}

export const bookinfo = () => [...application('productpage'), ...application('reviews')]

/** Add-ons, their gateway, and the application. */
export function shopMesh(more: KubeObject[] = [], answers?: Record<string, unknown>): FakeWorld {
  return world([...grafana(), ...ingressGateway(), ...kiali(), ...prometheus(), ...bookinfo(), ...more], answers)
}

/** The same without a load balancer: the gateway is reached by node ports. */
export function shopAtNode(more: KubeObject[] = []): FakeWorld {
  const atNode = ingressGateway('istio-system', 'istio-ingressgateway', [])
  const address = node('node-1', [{ type: 'InternalIP', address: '192.0.2.10' }])
  return world([...grafana(), ...atNode, ...kiali(), ...prometheus(), ...bookinfo(), address, ...more])
}

/** The request for Services of bookinfo: `productpage`, or `reviews:9080`. */
export function requestForServices(words: string, changes: Partial<ExposeRequest> = {}): ExposeRequest {
  const services = words.split(' ').map((word) => {
    const [name = '', port] = word.split(':')
    if (port === undefined) return { name }
    return { name, port: Number.isNaN(Number(port)) ? port : Number(port) }
  })
  return { ...request, addons: { names: [], named: true }, services, namespace: 'bookinfo', ...changes }
}

/** `HTTPS 443 grafana.example.com`, one for each server of our Gateway. */
export function serversOf({ cluster }: FakeWorld): string[] {
  return serversIn(find(cluster, 'Gateway')).map(
    ({ port, hosts, tls }) =>
      `${port.protocol} ${port.number} ${hosts.join(' ')}${tls?.httpsRedirect ? ' redirect' : ''}`,
  )
}

export function gatewayService({ cluster }: FakeWorld): KubeObject {
  return cluster.objects.find(
    ({ kind, metadata }) => kind === 'Service' && metadata.name === 'istio-ingressgateway',
  ) as KubeObject
}

/** The ports of the gateway's Service that it did not have before: `666 > 10666`. */
export function addedPorts(one: FakeWorld): string[] {
  const { ports } = gatewayService(one).spec as { ports: ServicePort[] }
  return ports
    .slice(3)
    .map(({ port, targetPort, nodePort }) => `${port} > ${targetPort}${nodePort ? ` @${nodePort}` : ''}`)
}

/** Pages behind a login: a stranger is asked for it. */
export function asksForLogin({ prober }: FakeWorld): void {
  const [page] = prober.answers
  prober.page = ({ authorization }) => (page === undefined || authorization === undefined ? guardAnswers(401) : page)
}

export function codesOf({ warnings }: { warnings: readonly { code: string }[] }): string[] {
  return warnings.map(({ code }) => code)
}
