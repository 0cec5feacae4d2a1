/** Istio as its own installer and samples make it: what `--dry-run=client` goes by where no cluster can be asked. Pure. */
import { chooseGuards } from '../access/guard-plan.ts'
import { type AddonChoice, rowsOf } from '../addons/catalog.ts'
import type { SurveyedAddon } from '../addons/survey.ts'
import type { Service } from '../cluster/objects.ts'
import { ISTIO_VERSIONS, SERVICES, typeOf } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import type { IngressAddress } from '../gateways/address.ts'
import type { IngressGateway } from '../gateways/find.ts'
import { ISSUED_SECRET_NAME, TLS_SECRET_NAME } from '../manifests/names.ts'
import type { Gathered, Gathering } from './gather.ts'
import { requireNodePorts } from './node-ports.ts'
import type { ExposureRequest } from './plan.ts'
import { chooseTerms } from './terms.ts'

const NAMESPACE = 'istio-system'
const GATEWAY = { namespace: NAMESPACE, name: 'istio-ingressgateway' }

/** Whether an error says that there is no cluster to ask. */
export function isAbsence(error: unknown): error is UserError {
  return error instanceof UserError && ['KUBECONFIG_MISSING', 'CLUSTER_UNREACHABLE'].includes(error.code)
}

/** @throws UserError DOMAIN_REQUIRED: without a cluster there is no address to make a domain of */
export function assumeMesh(request: Gathering, why: UserError): Gathered {
  const { domain, insecure } = request
  const gateway = assumeGateway(request.gateway ?? GATEWAY)
  if (domain === undefined) {
    throw new UserError('DOMAIN_REQUIRED', `${why.message}; without a cluster the domain has to be named`, {
      suggestions: ['--domain example.com', ...why.suggestions],
    })
  }
  const addons = assumeAddons(request.addons, request.namespace ?? NAMESPACE)
  const layout = { name: request.layout ?? 'hosts', secure: !insecure, domain }
  const address: IngressAddress = {
    address: request.ingressAddress ?? domain,
    kind: 'hostname',
    via: 'flag',
    onNode: false,
    others: [],
  }
  const warning = {
    code: 'CLUSTER_ABSENT',
    message: `no cluster was asked (${why.message}): these manifests are for Istio's sample add-ons in ${request.namespace ?? NAMESPACE} and the gateway ${gateway.namespace}/${gateway.service.metadata.name}`,
    remedy: '--dry-run=server   # goes by what the cluster has',
  }
  const names = addons.map(({ found }) => found.addon.name)
  const guarding = chooseGuards(names, [], request.guard, [])
  const gathered = {
    istioVersion: ISTIO_VERSIONS[0],
    gateway,
    address,
    layout,
    layoutInUse: undefined,
    addons,
    exposed: [],
    redirect: layout.name === 'hosts' && layout.secure,
    nodePorts: requireNodePorts(request.nodePorts, addons, layout.name),
    brought: assumeSecret(request),
    issuer: request.tlsIssuer,
    guarding,
    terms: chooseTerms(addons, [], request.terms, guarding.guards),
  }
  return { gathered, present: [gateway.service], warnings: [warning], unresolved: [] }
}

function assumeSecret({ tlsSecret, tlsIssuer }: Gathering): ExposureRequest['brought'] {
  const name = tlsIssuer === undefined ? tlsSecret?.name : ISSUED_SECRET_NAME
  return name === undefined || name === TLS_SECRET_NAME ? undefined : { name, chain: '' }
}

/** istioctl and the charts label gateways alike: `istio` is the name less its first `istio-`. */
function assumeGateway({ namespace, name }: { namespace: string; name: string }): IngressGateway {
  const selector = { app: name, istio: name.replace(/^istio-/, '') }
  const service = serviceOf(namespace, name, { selector, ports: [{ port: 80 }, { port: 443 }] })
  return { namespace, service, selector, pods: [], readyPods: 1, serviceAccount: name }
}

function assumeAddons({ names }: AddonChoice, namespace: string): SurveyedAddon[] {
  return names.flatMap((name) => {
    const [addon] = rowsOf(name)
    if (addon === undefined) return []
    const { service, port, path } = addon.sample
    const found = { addon, service: serviceOf(namespace, service, {}), namespace, port }
    return [{ found, access: { kind: 'unknown' as const }, visitor: '', path }]
  })
}

function serviceOf(namespace: string, name: string, spec: Service['spec']): Service {
  return { ...typeOf(SERVICES), metadata: { name, namespace }, spec }
}
