/** Add-ons that speak HTTPS themselves, before a gateway that sends plain HTTP unless a DestinationRule says otherwise. Changes nothing. */
import { podPort } from '../../addons/https.ts'
import type { SurveyedAddon } from '../../addons/survey.ts'
import type { Cluster, PodAnswer } from '../../cluster/cluster.ts'
import { isReady, type Pod, type Service } from '../../cluster/objects.ts'
import { unlessRefused } from '../../cluster/reading.ts'
import { destinationRules, typeOf } from '../../cluster/resources.ts'
import { UserError } from '../../errors.ts'
import { asFinding, type Finding } from '../../findings.ts'
import { wantsTls } from '../../probing/wrong-protocol.ts'
import { sh } from '../../shell.ts'
import { answersMutualTls } from '../../workloads/proxy.ts'
import type { IngressGateway } from '../find.ts'
import { clusterDomain } from '../mesh.ts'
import { readMeshConfig } from '../mesh-config.ts'
import { type Destination, type EffectiveRule, findRule, PLAIN_TLS, ruleHost } from './destination-rules.ts'

/** Milliseconds in which a pod has to answer. */
const TIMEOUT = 3_000

const TURN_OFF = 'turn TLS off in the add-on   # the gateway then reaches it over plain HTTP, as it does other add-ons'

/** Where add-ons are to be exposed. */
interface Place {
  gateway: IngressGateway
  istioVersion: string
  cluster: Cluster
}

/**
 * Leaves out add-ons to which the gateway would send plain HTTP although they speak HTTPS. Asks the cluster nothing where none does.
 * @param named whether the user named them: then one is an error
 * @throws UserError ADDON_SPEAKS_HTTPS, also if it is the only add-on
 */
export async function requireSpokenTo(
  addons: SurveyedAddon[],
  named: boolean,
  place: Place,
): Promise<{ addons: SurveyedAddon[]; warnings: Finding[] }> {
  const errors = await Promise.all(addons.map((one) => unspokenTo(one, place)))
  const spoken = addons.filter((_, index) => errors[index] === undefined)
  const refused = errors.filter((error) => error !== undefined)
  const [first] = refused
  if (first !== undefined && (named || spoken.length === 0)) throw first
  return { addons: spoken, warnings: refused.map((error) => asFinding(error, 'warns')) }
}

async function unspokenTo(
  { found: { addon, service, namespace, port }, https, pods = [], path }: SurveyedAddon,
  { gateway, istioVersion: version, cluster }: Place,
): Promise<UserError | undefined> {
  if (https === undefined) return undefined
  const { name } = service.metadata
  const to = { service: name, namespace, port, host: `${name}.${namespace}.svc.${clusterDomain(gateway)}` }
  const found = await findRule(to, gateway, { mesh: await readMeshConfig(gateway, cluster), cluster })
  // Without the right to read rules, the check of the page decides.
  if (found === 'unread' || makesTls(found)) return undefined
  if (!https.proven && (await answersPlaintext({ service, pods, port, path }, cluster))) return undefined
  const message = `${addon.title} in namespace ${namespace} speaks HTTPS itself (${https.why}), and the gateway would send it plain HTTP, which it refuses`
  return new UserError('ADDON_SPEAKS_HTTPS', message, {
    suggestions: tlsRemedies(to, gateway, { service, pods, found, version }),
  })
}

/** Whether a rule makes the gateway open TLS to a server that is not Istio's. */
export function makesTls(found: EffectiveRule | 'unread' | undefined): boolean {
  return typeof found === 'object' && PLAIN_TLS.includes(found.mode ?? '')
}

/** What a destination leads to. `service` is left out where it is gone, or may not be read. */
export interface Served {
  service: Service | undefined
  pods: readonly Pod[]
}

interface Serving extends Served {
  found: EffectiveRule | 'unread' | undefined
  version: string | undefined
}

/** What makes the gateway speak TLS to a destination, or makes that unnecessary. */
export function tlsRemedies(to: Destination, gateway: IngressGateway, serving: Serving): string[] {
  return [...ruleRemedies(to, gateway, serving), ...portRemedies(serving, to.port), TURN_OFF]
}

/** The certificate is not verified: it may be signed by nobody whom the gateway knows, and until then the connection was plaintext. */
function ruleRemedies(to: Destination, { namespace }: IngressGateway, { found, version }: Serving): string[] {
  const rule = typeof found === 'object' ? found.rule : undefined
  if (rule?.metadata.namespace === namespace && ruleHost(rule) === to.host)
    return [
      sh`kubectl -n ${namespace} edit destinationrules.networking.istio.io ${rule.metadata.name}   # trafficPolicy: tls mode SIMPLE for port ${to.port}; docs/https-add-ons.md`,
    ]
  if (version === undefined) return []
  const tls = { mode: 'SIMPLE', insecureSkipVerify: true }
  const manifest = {
    ...typeOf(destinationRules(version)),
    metadata: { name: `${to.namespace}-${to.service}-tls`, namespace },
    spec: {
      host: to.host,
      exportTo: ['.'],
      trafficPolicy: { portLevelSettings: [{ port: { number: to.port }, tls }] },
    },
  }
  return [
    sh`echo ${JSON.stringify(manifest)} | kubectl apply -f -   # the gateway then speaks TLS to it; docs/https-add-ons.md has the same with its certificate verified`,
  ]
}

/** A sidecar refuses every TLS but Istio's at a port that is declared as HTTP (seen); at any other it passes it on. */
export function portRemedies({ service, pods }: Served, number: number): string[] {
  if (service === undefined || !pods.some(answersMutualTls) || !isHttpPort(service, number)) return []
  const { name, namespace } = service.metadata
  const patch = JSON.stringify({ spec: { ports: [{ port: number, appProtocol: 'https' }] } })
  return [
    sh`kubectl -n ${namespace} patch service ${name} -p ${patch}   # if it speaks HTTPS itself: the sidecar of its pods then passes TLS on`,
  ]
}

/** As Istio reads it. https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/ */
function isHttpPort({ spec }: Service, number: number): boolean {
  const { appProtocol, name = '' } = spec.ports?.find(({ port }) => port === number) ?? {}
  const protocol = (appProtocol ?? name.replace(/-.*/s, '')).toLowerCase()
  return ['http', 'http2', 'grpc', 'kubernetes.io/h2c', 'kubernetes.io/ws'].includes(protocol)
}

/** A page of an add-on. */
interface PodPage extends Served {
  port: number
  path: string
}

/** Asks a Ready pod through the API server, which accepts every certificate. @returns `undefined` without one, or without the right to */
export async function askPods(
  scheme: 'http' | 'https',
  { service, pods, port: number, path }: PodPage,
  cluster: Cluster,
): Promise<PodAnswer | undefined> {
  const pod = pods.find(isReady)
  const port = pod && service && podPort(service, number, pod)
  if (pod === undefined || port === undefined) return undefined
  const { name, namespace = '' } = pod.metadata
  return unlessRefused(cluster.askPod({ name, namespace }, { scheme, port, path, timeout: TIMEOUT }))
}

/** A port may be called https and not speak it. @returns false also where that is not known */
async function answersPlaintext(page: PodPage, cluster: Cluster): Promise<boolean> {
  const answer = await askPods('http', page, cluster)
  return answer !== undefined && 'status' in answer && !wantsTls(answer.status, answer.body)
}
