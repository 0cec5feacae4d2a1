/** The objects that Istio's page has users create by hand: a Gateway, a VirtualService and a DestinationRule for each add-on, and one Secret. */

const SERVICES = {
  grafana: { host: 'grafana', port: 3000 },
  kiali: { host: 'kiali', port: 20001 },
  prometheus: { host: 'prometheus', port: 9090 },
  tracing: { host: 'tracing', port: 80 },
}

/** https://istio.io/latest/docs/tasks/observability/gateways/ (HTTPS). @param data of the TLS Secret */
export function documentedSetup(domain: string, data: object): object[] {
  const at = (name: string) => ({ name, namespace: 'istio-system' })
  const apiVersion = 'networking.istio.io/v1'
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: at('telemetry-gw-cert'),
    type: 'kubernetes.io/tls',
    data,
  }
  const perAddon = Object.entries(SERVICES).flatMap(([name, { host, port }]) => {
    const hosts = [`${name}.${domain}`]
    const server = {
      port: { number: 443, name: `https-${name}`, protocol: 'HTTPS' },
      tls: { mode: 'SIMPLE', credentialName: 'telemetry-gw-cert' },
      hosts,
    }
    const route = [{ destination: { host, port: { number: port } } }]
    return [
      {
        apiVersion,
        kind: 'Gateway',
        metadata: at(`${name}-gateway`),
        spec: { selector: { istio: 'ingressgateway' }, servers: [server] },
      },
      {
        apiVersion,
        kind: 'VirtualService',
        metadata: at(`${name}-vs`),
        spec: { hosts, gateways: [`${name}-gateway`], http: [{ route }] },
      },
      {
        apiVersion,
        kind: 'DestinationRule',
        metadata: at(name),
        spec: { host, trafficPolicy: { tls: { mode: 'DISABLE' } } },
      },
    ]
  })
  return [secret, ...perAddon]
}
