/** Reads the egress gateway of a calling cluster. */
import { isIP } from 'node:net'
import type { ObjectName } from '../../cluster/cluster.ts'
import type { Pod, Service } from '../../cluster/objects.ts'
import { PODS, SERVICES } from '../../cluster/resources.ts'
import { UserError } from '../../errors.ts'
import { gatewayOf, portFor, portNumbered } from '../../gateways/find.ts'
import { sh } from '../../shell.ts'
import type { EgressGateway } from './calling.ts'
import { servingHost } from './names.ts'
import type { Site } from './site.ts'

/** Ports for TLS of an egress gateway, as Istio's charts have them. */
const USUAL = [443, 15443]

/** @throws UserError EGRESS_UNUSABLE */
export async function readEgress({ name, namespace }: Required<ObjectName>, site: Site): Promise<EgressGateway> {
  const { cluster, mesh } = site
  const [service, pods] = await Promise.all([
    cluster.get<Service>(SERVICES, { name, namespace }),
    cluster.list<Pod>(PODS, { namespace }),
  ])
  const unusable = (why: string) =>
    new UserError('EGRESS_UNUSABLE', `--via-egress ${namespace}/${name}: ${why} in cluster ${site.name}`, {
      suggestions: [sh`kubectl --context ${cluster.context} -n ${namespace} get services,pods`],
    })
  if (service === undefined) throw unusable('there is no such Service')
  const gateway = gatewayOf(service, pods)
  if (gateway === undefined) throw unusable('no gateway of Istio is behind it')
  const port = USUAL.find((one) => portNumbered(service, one) !== undefined) ?? portFor(gateway, true)
  if (port === undefined) throw unusable('it has no port for TLS (443 or 15443)')
  const { clusterIP = '' } = service.spec
  const address = isIP(clusterIP) === 0 ? servingHost({ name, namespace }, mesh.domain) : clusterIP
  return { name, namespace, selector: gateway.selector, port, address }
}
