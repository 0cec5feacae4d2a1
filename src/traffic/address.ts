/**
 * Requests go to ingress gateways of the context and nowhere else. Who may edit a Service may write any address into `externalIPs`, so such
 * an address counts only if a node has it, or if the user names it. The status of a load balancer and nodes are not the tenants' to write.
 */
import type { Cluster } from '../cluster/cluster.ts'
import type { Node } from '../cluster/objects.ts'
import { readable } from '../cluster/reading.ts'
import { NODES } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { addressesOf, type IngressAddress } from '../gateways/address.ts'
import { canonicalAddress } from '../gateways/address-domain.ts'
import { gatewayName, type IngressGateway } from '../gateways/find.ts'
import { sh } from '../shell.ts'

/** @throws UserError TRAFFIC_ADDRESS_UNPROVEN */
export async function requireProven(
  gateway: IngressGateway,
  { address, via, port }: Pick<IngressAddress, 'address' | 'via' | 'port'>,
  cluster: Cluster,
): Promise<void> {
  if (via !== 'external-ip' && via !== 'flag') return
  const isOne = (addresses: readonly string[]) => addresses.map(canonicalAddress).includes(canonicalAddress(address))
  const nodes = (await readable(cluster.list<Node>(NODES))) ?? []
  if (port === undefined && isOne(nodes.flatMap(({ status }) => (status?.addresses ?? []).map((one) => one.address))))
    return
  const own = addressesOf(gateway.service)
  if (port === undefined && via === 'flag' && isOne(own)) return
  const name = gatewayName(gateway)
  const named = port === undefined ? address : `${address}:${port}`
  const [message, suggestions] =
    via === 'flag'
      ? [
          `--ingress-ip ${named} is neither an address of gateway ${name} nor of a node (without a port), and requests are only sent to gateways of the context`,
          own.slice(0, 5).map((one) => sh`--ingress-ip ${one}`),
        ]
      : [
          `gateway ${name} has the address ${address} only in externalIPs of its Service, where its editors can write any address, and no node has it`,
          [sh`--ingress-ip ${address}   # if it is the gateway's`],
        ]
  throw new UserError('TRAFFIC_ADDRESS_UNPROVEN', message, {
    suggestions: [
      ...suggestions,
      sh`kubectl -n ${gateway.namespace} get service ${gateway.service.metadata.name} -o wide`,
    ],
  })
}
