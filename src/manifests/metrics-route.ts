import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { ownedLabels, SCRAPING } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'
import type { MetricsGatewayRequest } from './metrics-gateway.ts'
import { adminHost, ROUTED_PORT } from './service-entry.ts'

/** Routes only the metrics path from our Gateway's port to the agent, which also serves probes and admin requests. */
export function metricsRoute(
  resource: Resource,
  request: Omit<MetricsGatewayRequest, 'selector'> & { path: string },
): KubeObject {
  const { name, namespace, port, path } = request
  return {
    ...typeOf(resource),
    metadata: { name, namespace, labels: ownedLabels(SCRAPING) },
    spec: {
      exportTo: ['.'],
      hosts: ['*'],
      gateways: [name],
      http: [
        {
          match: [{ port, uri: { exact: path } }],
          route: [{ destination: { host: adminHost(request), port: { number: ROUTED_PORT } } }],
        },
      ],
    },
  }
}
