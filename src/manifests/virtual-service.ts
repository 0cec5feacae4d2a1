import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { ownedLabels } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'
import { GATEWAY_NAME, virtualServiceName } from './names.ts'

export interface VirtualServiceRequest {
  /** The Gateway's namespace. */
  namespace: string
  addonName: string
  host: string
  /** The add-on's Service. */
  destination: { service: string; namespace: string; port: number }
}

/**
 * The route from one host to one add-on. The destination is a full DNS name, because a short one would be looked up in the
 * VirtualService's namespace; the port is spelled out, because Services with several ports need it (IST0112).
 * https://istio.io/latest/docs/reference/config/networking/virtual-service/
 */
export function virtualService(
  resource: Resource,
  { namespace, addonName, host, destination }: VirtualServiceRequest,
): KubeObject {
  return {
    ...typeOf(resource),
    metadata: { name: virtualServiceName(addonName), namespace, labels: ownedLabels(addonName) },
    spec: {
      hosts: [host],
      gateways: [GATEWAY_NAME],
      http: [
        {
          route: [
            {
              destination: {
                host: `${destination.service}.${destination.namespace}.svc.cluster.local`,
                port: { number: destination.port },
              },
            },
          ],
        },
      ],
    },
  }
}
