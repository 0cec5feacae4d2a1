/** Which hop of a call fails, from what was seen of it. Pure. */
import { type Finding, fails } from '../../findings.ts'
import { sh } from '../../shell.ts'
import { shown } from '../../text.ts'
import type { ExportedPort, ExportedService } from '../exported.ts'
import { connectionFaults } from './connection-faults.ts'
import { type Evidence, exportAgain, isConnected, isHttp, placeOf } from './evidence.ts'
import type { ClusterTls } from './proxy-view.ts'
import type { CallHop, HopResult, Verdict } from './result.ts'

/** The hops up to the first that fails. */
export function judge(evidence: Evidence): Verdict {
  const { port, took } = evidence
  const faults: Record<CallHop, Finding | undefined> = {
    name: nameFault(evidence),
    sidecar: sidecarFault(evidence),
    ...connectionFaults(evidence),
    call: callFault(evidence),
  }
  const times: Record<CallHop, number> = {
    name: took.call,
    sidecar: took.sidecar,
    gateway: took.serving || took.call,
    identity: took.serving || took.call,
    call: took.call,
  }
  const hops: HopResult[] = []
  for (const hop of ['name', 'sidecar', 'gateway', 'identity', 'call'] as const) {
    const problem = faults[hop]
    const text = problem?.message ?? wordsOf(hop, evidence)
    hops.push({ port: port.number, hop, ok: problem === undefined, milliseconds: times[hop], text })
    if (problem !== undefined) return { hops, problem }
  }
  return { hops }
}

/** What a hop that works has shown. */
function wordsOf(hop: CallHop, { exported, port, url, call, caller }: Evidence): string {
  const { host, address, identities, from } = exported
  const said: Record<CallHop, string> = {
    name: `${host} resolves in ${caller.name}`,
    sidecar: `${address}:${port.number} goes out with the SNI ${port.sni}`,
    gateway: from.map((one) => `${one.cluster} ${placeOf(one)}`).join(', '),
    identity: identities.join(', '),
    call:
      call.end === 'answered'
        ? `${call.status} from ${url}`
        : 'a connection reached the proxy of the pod; the application was sent nothing',
  }
  return said[hop]
}

function nameFault(evidence: Evidence): Finding | undefined {
  const { exported, call, caller, sidecar, url } = evidence
  const { host, dns, to } = exported
  if (call.end === 'unresolved') {
    const message = `${caller.name} cannot resolve ${host}: ${shown(call.said)}`
    const where = {
      coredns: sh`kubectl --context ${caller.context} -n kube-system get configmap coredns -o yaml   # does it have a block with ${host}?`,
      proxy: sh`kubectl --context ${caller.context} -n ${caller.namespace} get pod ${caller.pod} -o yaml   # ISTIO_META_DNS_CAPTURE has to be "true"`,
      none: `the DNS of cluster ${to} has to answer ${exported.address} for it`,
    }
    return fails('NAME_UNRESOLVED', message, where[dns], exportAgain(evidence, '--dns', 'auto'))
  }
  const isElsewhere = call.end === 'answered' && call.status < 500 && sidecar.tls !== undefined && !isConnected(sidecar)
  if (!isElsewhere) return undefined
  const message = `${url} answers ${caller.name} with ${call.status}, but no gateway got the request: in ${caller.name} the name leads to another address than ${exported.address}`
  return fails(
    'NAME_ELSEWHERE',
    message,
    sh`kubectl --context ${caller.context} -n ${caller.namespace} exec ${caller.pod} -- nslookup ${host}`,
  )
}

function sidecarFault({ exported, port, caller, sidecar: { tls } }: Evidence): Finding | undefined {
  const { host, entry, into } = exported
  const look = sh`istioctl --context ${caller.context} proxy-config clusters ${caller.pod}.${caller.namespace} --fqdn ${host} -o json`
  if (tls === undefined) {
    const why =
      into === undefined || into === caller.namespace
        ? 'a Sidecar or exportTo keeps it away, or istiod has not sent it yet'
        : `it is exported only into namespace ${into}`
    return fails(
      'SIDECAR_LACKS_HOST',
      `the sidecar of ${caller.name} has no cluster for ${host}:${port.number}: ${why}`,
      sh`kubectl --context ${caller.context} get sidecars.networking.istio.io -A`,
      sh`kubectl --context ${caller.context} -n ${entry.namespace} get serviceentries.networking.istio.io ${entry.name} -o yaml`,
      look,
    )
  }
  const wrong = tlsFault(tls, exported, port)
  if (wrong === undefined) return undefined
  const rules = sh`kubectl --context ${caller.context} get destinationrules.networking.istio.io -A   # another one for ${host} wins`
  return fails('SIDECAR_DIFFERS', `the sidecar of ${caller.name} ${wrong}`, rules, look)
}

function tlsFault(
  { snis, identities }: ClusterTls,
  exported: ExportedService,
  { sni, number }: ExportedPort,
): string | undefined {
  const place = `${exported.host}:${number}`
  if (snis.length === 0) return `sends plaintext to ${place}: no DestinationRule makes it speak mutual TLS`
  if (snis.some((one) => one !== sni))
    return `sends the SNI ${shown(snis.join(', '))} for ${place}, and the gateway knows ${sni}`
  if (identities.length === 0) return `accepts any identity for ${place}`
  const others = identities.filter((one) => !exported.identities.includes(one))
  return others.length === 0 ? undefined : `accepts ${shown(others.join(', '))} for ${place}, which was not exported`
}

/** With a connection. */
function callFault({ call, port, url, caller, exported, contexts }: Evidence): Finding | undefined {
  if (!isHttp(port)) return undefined
  const { namespace, name } = exported.service
  const [from] = exported.from
  const context = contexts.get(from?.cluster ?? '')
  if (call.end === 'answered' && call.status === 403) {
    const message = `${url} was reached from ${caller.name}, and answers 403: access is denied`
    return fails(
      'CALL_DENIED',
      message,
      sh`kubectl --context ${context} -n ${namespace} get authorizationpolicies.security.istio.io -o yaml`,
    )
  }
  if (call.end === 'answered' && call.status < 500) return undefined
  const why = call.end === 'answered' ? `answers ${call.status}` : `gives no answer over HTTP: ${shown(call.said)}`
  const message = `${url} was reached from ${caller.name}, and ${why}`
  return fails(
    'CALL_FAILED',
    message,
    sh`kubectl --context ${context} -n ${namespace} logs ${`service/${name}`} --tail=20`,
  )
}
