/** Why a call got no connection: the way to the gateway, the gateway, or the identities. Pure. */
import { type Finding, fails } from '../../findings.ts'
import { sh } from '../../shell.ts'
import { shown } from '../../text.ts'
import type { ExportedService } from '../exported.ts'
import { contextFlags, type Evidence, exportAgain, isConnected, placeOf } from './evidence.ts'
import { type IdentityFault, identityFault } from './identity.ts'
import type { Serving } from './serving.ts'

export interface ConnectionFaults {
  gateway: Finding | undefined
  identity: Finding | undefined
}

const NONE: ConnectionFaults = { gateway: undefined, identity: undefined }

/** Why no connection was made. Silence comes only from the way: resets and refused certificates are immediate. */
export function connectionFaults(evidence: Evidence): ConnectionFaults {
  if (isConnected(evidence.sidecar)) return NONE
  if (evidence.sidecar.endpoints.length === 0) return { ...NONE, gateway: unreachable(evidence, noAddress(evidence)) }
  const faults = evidence.serving.map((serving) => faultsIn(serving, evidence))
  const gone = faults.find(({ gateway }) => gateway?.code === 'GATEWAY_UNREACHABLE')
  if (gone !== undefined) return gone
  if (evidence.call.end === 'silent') return { ...NONE, gateway: unreachable(evidence, silence(evidence)) }
  const known = faults.find(({ gateway, identity }) => gateway !== undefined || identity !== undefined)
  return known ?? saidFaults(evidence) ?? { ...NONE, gateway: unreachable(evidence, refusal(evidence)) }
}

function faultsIn(serving: Serving, evidence: Evidence): ConnectionFaults {
  const { exported, port, sidecar, now } = evidence
  const { gateway, cluster } = serving
  if (gateway === undefined) return NONE
  const place = `gateway ${gateway.name.namespace}/${gateway.name.name} of cluster ${cluster}`
  if (gateway.pod === undefined)
    return { ...NONE, gateway: unreachable(evidence, `${place} has no pod that is Ready`, serving) }
  if (gateway.passes === false) {
    const { namespace, name } = exported.service
    const message = `${place} resets connections for ${port.sni}: service ${namespace}/${name} is not exported there, or hidden from the gateway`
    return { ...NONE, gateway: fails('NOT_EXPORTED', message, exportAgain(evidence), ...hiddenBy(serving, evidence)) }
  }
  if (gateway.endpoints === 0 || serving.hasPods === false)
    return { ...NONE, gateway: noEndpoint(place, serving, evidence) }
  if (gateway.shown === undefined || 'failed' in gateway.shown) return NONE
  const { identities } = exported
  const fault = identityFault(gateway.shown.chain.join(''), {
    caller: sidecar.trust,
    pod: serving.trust,
    identities,
    now,
  })
  return { ...NONE, identity: fault && identityFinding(fault, cluster, evidence) }
}

function hiddenBy({ cluster }: Serving, { exported, contexts }: Evidence): string[] {
  const { namespace, name } = exported.service
  const look = sh`kubectl --context ${contexts.get(cluster)} -n ${namespace} get service ${name} -o yaml   # exportTo hides it, or the port is gone`
  return [look]
}

function noEndpoint(place: string, { cluster }: Serving, { exported, contexts }: Evidence): Finding {
  const { namespace, name } = exported.service
  return fails(
    'NO_HEALTHY_ENDPOINT',
    `${place} has no healthy endpoint of service ${namespace}/${name}: no pod with a sidecar is Ready`,
    sh`kubectl --context ${contexts.get(cluster)} -n ${namespace} get endpointslices -l ${`kubernetes.io/service-name=${name}`}`,
    sh`kubectl --context ${contexts.get(cluster)} -n ${namespace} get pods`,
  )
}

function identityFinding(fault: IdentityFault, cluster: string, evidence: Evidence): Finding {
  const { exported, caller, contexts } = evidence
  const flags = contextFlags([exported.to, cluster], contexts)
  if (fault.fault === 'root') {
    const issuer = shown(fault.issuer)
    const message =
      fault.of === 'pod'
        ? `${caller.name} does not trust the root of the pods of ${exported.service.namespace}/${exported.service.name} in cluster ${cluster} (their certificate was issued by ${issuer})`
        : `the pods of ${exported.service.namespace}/${exported.service.name} in cluster ${cluster} do not trust the root of ${caller.name} (its certificate was issued by ${issuer})`
    return fails(
      'OTHER_ROOT',
      message,
      sh`kubectl telemetry multicluster connect ${flags}`,
      sh`kubectl telemetry multicluster status ${flags}`,
    )
  }
  const has = shown(fault.has.join(', ') || 'no SPIFFE id')
  const message = `the pods of ${exported.service.namespace}/${exported.service.name} in cluster ${cluster} are ${has}, and callers accept ${exported.identities.join(', ')}`
  return fails('OTHER_IDENTITY', message, exportAgain(evidence))
}

/** What the caller's sidecar itself says, where its client shows the body of a 503. Only where the serving side is not known. */
function saidFaults(evidence: Evidence): ConnectionFaults | undefined {
  const { call, exported, caller } = evidence
  if (!/CERTIFICATE_VERIFY_FAILED/.test(call.said)) return undefined
  const isIdentity = /verify SAN|SAN matcher/i.test(call.said)
  const message = `the sidecar of ${caller.name} refuses the certificate of the pods of ${exported.service.namespace}/${exported.service.name}: ${shown(call.said)}`
  return { ...NONE, identity: fails(isIdentity ? 'OTHER_IDENTITY' : 'OTHER_ROOT', message, exportAgain(evidence)) }
}

function unreachable(evidence: Evidence, message: string, serving = evidence.serving[0]): Finding {
  const { contexts } = evidence
  const { gateway, cluster } = serving ?? {}
  const look =
    gateway === undefined || cluster === undefined
      ? []
      : [
          sh`kubectl --context ${contexts.get(cluster)} -n ${gateway.name.namespace} get service ${gateway.name.name} -o wide   # is this still its address?`,
          sh`kubectl --context ${contexts.get(cluster)} -n ${gateway.name.namespace} get pods`,
        ]
  return fails('GATEWAY_UNREACHABLE', message, ...look, exportAgain(evidence))
}

function noAddress({ exported, caller }: Evidence): string {
  return `the sidecar of ${caller.name} has no address for ${placesOf(exported)}: the name does not resolve`
}

function silence({ exported, caller }: Evidence): string {
  return `connections of ${caller.name} to ${placesOf(exported)} get no answer: something on the way drops them`
}

function refusal({ exported, caller, serving }: Evidence): string {
  const works = serving.some(({ gateway }) => gateway?.shown !== undefined && 'chain' in gateway.shown)
  const rest = works ? '; the gateway itself, asked in its own cluster, works' : ''
  return `connections of ${caller.name} to ${placesOf(exported)} are refused or reset${rest}`
}

function placesOf({ from, via }: ExportedService): string {
  const places = from.map((one) => `${placeOf(one)} (cluster ${one.cluster})`).join(', ')
  return via === undefined ? places : `${places} through the egress gateway ${via.namespace}/${via.name}`
}
