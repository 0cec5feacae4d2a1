/** An assumed mesh, as Istio's installer and samples create it, for `--dry-run=client` without a cluster. Pure. */

import { chooseGuards } from '../access/guard-plan.ts'
import { type AddonChoice, rowsOf } from '../addons/catalog.ts'
import { foundService, type ServiceChoice } from '../addons/service-survey.ts'
import { type SurveyedAddon, withDefaults } from '../addons/survey.ts'
import type { Service } from '../cluster/objects.ts'
import { ISTIO_VERSIONS, SERVICES, typeOf } from '../cluster/resources.ts'
import { hasCode, type UserError } from '../errors.ts'
import { type Finding, warns } from '../findings.ts'
import type { IngressAddress } from '../gateways/address.ts'
import type { IngressGateway } from '../gateways/find.ts'
import { addressAndPort, domainRequired } from '../gateways/names.ts'
import { ISSUED_SECRET_NAME, TLS_SECRET_NAME } from '../manifests/names.ts'
import type { Survey } from './gather.ts'
import { chosenPaths } from './gathering/mesh.ts'
import { chooseOwnPorts, requireApart } from './gathering/own-ports.ts'
import { requireNodePorts } from './node-ports.ts'
import type { ExposeIntent } from './request.ts'
import { type ExposureSpec, entriesFor, namesOf, serviceHostsOf } from './spec.ts'
import { chooseTerms, dated } from './terms.ts'

const NAMESPACE = 'istio-system'
const GATEWAY = { namespace: NAMESPACE, name: 'istio-ingressgateway' }

/** Whether an error means that no cluster can be reached. */
export function isWithoutCluster(error: unknown): error is UserError {
  return hasCode(error, 'KUBECONFIG_MISSING', 'CLUSTER_UNREACHABLE')
}

/** @param now by the clock of this machine @throws UserError DOMAIN_REQUIRED: without a cluster there is no address from which to derive a domain */
export function assumeMesh(intent: ExposeIntent, why: UserError, now: Date): Survey {
  const { domain, insecure } = intent
  const gateway = assumeGateway(intent.gateway ?? GATEWAY)
  if (domain === undefined) throw domainNeeded(why)
  const addons = [
    ...assumeAddons(intent.addons, intent.namespace ?? NAMESPACE),
    ...assumeServices(intent.services, intent.namespace ?? 'default'),
  ]
  const own = chooseOwnPorts(intent, { names: namesOf(addons), exposed: [], inUse: undefined, gateway, present: [] })
  const layout = { name: intent.layout ?? 'hosts', secure: !insecure, domain }
  const address: IngressAddress = {
    ...addressAndPort(intent.ingressAddress ?? domain),
    kind: 'hostname',
    via: 'flag',
    onNode: false,
    others: [],
  }
  const guarding = chooseGuards({ named: namesOf(addons), others: [] }, intent.guard, [])
  const terms = dated(intent.terms, now)
  const found = entriesFor({ addons, exposed: [] }, layout, own)
  const place = { ...found, serviceHosts: serviceHostsOf(found.entries) }
  requireApart(place.entries, namesOf(addons))
  const spec = {
    istioVersion: ISTIO_VERSIONS[0],
    gateway,
    address,
    layout,
    served: [],
    layoutInUse: undefined,
    reselects: false,
    addons,
    exposed: [],
    moving: [],
    ...place,
    redirect: layout.name === 'hosts' && layout.secure,
    nodePorts: requireNodePorts(intent.nodePorts, addons, layout.name, own),
    paths: chosenPaths(addons, [], intent.paths),
    providedSecret: assumeSecret(intent),
    issuer: intent.tlsIssuer,
    guarding,
    busy: place.entries.map(({ name }) => name),
    closed: {},
    terms: chooseTerms({ addons, moving: [], exposed: [] }, terms, { guarding, layout, ...place }),
  }
  return {
    spec,
    terms,
    guardsRead: true,
    present: [gateway.service],
    warnings: [clusterAbsent(why, intent, gateway)],
    cluster: undefined,
    unresolved: [],
  }
}

function domainNeeded({ message, suggestions }: UserError): UserError {
  return domainRequired(`${message}; without a cluster, --domain is required`, ['--domain example.com', ...suggestions])
}

function clusterAbsent(why: UserError, intent: ExposeIntent, gateway: IngressGateway): Finding {
  return warns(
    'CLUSTER_ABSENT',
    `no cluster was used (${why.message}); the manifests assume Istio's sample add-ons in namespace ${intent.namespace ?? NAMESPACE} and the gateway ${gateway.namespace}/${gateway.service.metadata.name}`,
    '--dry-run=server   # uses the cluster',
  )
}

function assumeSecret({ tlsSecret, tlsIssuer }: ExposeIntent): ExposureSpec['providedSecret'] {
  const name = tlsIssuer === undefined ? tlsSecret?.name : ISSUED_SECRET_NAME
  return name === undefined || name === TLS_SECRET_NAME ? undefined : { name, chain: '' }
}

/** istioctl and the charts use the same labels: `istio` is the name without its prefix `istio-`. */
function assumeGateway({ namespace, name }: { namespace: string; name: string }): IngressGateway {
  const selector = { app: name, istio: name.replace(/^istio-/, '') }
  const service = serviceOf(namespace, name, { selector, ports: [{ port: 80 }, { port: 443 }] })
  return { namespace, service, services: [service], selector, pods: [], readyPods: 1, serviceAccount: name }
}

function assumeAddons({ names }: AddonChoice, namespace: string): SurveyedAddon[] {
  return names.flatMap((name) => {
    const [addon] = rowsOf(name)
    if (addon === undefined) return []
    const { service, port, path } = addon.sample
    const found = { addon, service: serviceOf(namespace, service, {}), namespace, port }
    return [withDefaults(found, path)]
  })
}

function assumeServices(services: readonly ServiceChoice[], namespace: string): SurveyedAddon[] {
  return services.map(({ name, port }) => {
    const number = typeof port === 'number' ? port : 80
    return withDefaults(foundService(serviceOf(namespace, name, { ports: [{ port: number }] }), number), '/')
  })
}

function serviceOf(namespace: string, name: string, spec: Service['spec']): Service {
  return { ...typeOf(SERVICES), metadata: { name, namespace }, spec }
}
