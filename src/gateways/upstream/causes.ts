/**
 * What in the mesh keeps a gateway from an add-on's Service although its pods may be Ready: looked for when the page does not answer, since
 * the gateway's answer (503) is the same for all of it. Changes nothing.
 */
import type { Cluster, KubeObject } from '../../cluster/cluster.ts'
import { isSelected, type LabelSelector } from '../../cluster/label-selector.ts'
import { type ConfigMap, isReady, matchesSelector, type Pod, type Service } from '../../cluster/objects.ts'
import { findIstioVersion, readable } from '../../cluster/reading.ts'
import { NAMESPACES, PODS, SERVICES } from '../../cluster/resources.ts'
import type { WrongProtocol } from '../../probing/wrong-protocol.ts'
import { sh } from '../../shell.ts'
import { answersMutualTls } from '../../workloads/proxy.ts'
import type { IngressGateway } from '../find.ts'
import { defaultExports, discoverySelectors, hasAutoMtls, meshConfigMap } from '../mesh.ts'
import { readMeshConfig } from '../mesh-config.ts'
import {
  type Destination,
  type EffectiveRule,
  type Facts,
  findRule,
  isExported,
  PLAIN_TLS,
  ruleHost,
} from './destination-rules.ts'
import { askPods, makesTls, portRemedies, type Served, tlsRemedies } from './https-addons.ts'

export interface Cause {
  /** Words that follow the failure of a page. */
  message: string
  /** The most likely first. */
  remedies: string[]
}

/** A destination that the gateway does not reach. */
export interface Unreached extends Destination {
  /** What the answer says about it. */
  wrongProtocol?: WrongProtocol | undefined
}

/**
 * @param to left out: what keeps the gateway from its own configuration
 * @returns the cause that the configuration of the mesh gives; `undefined` if it gives none, or may not be read
 */
export async function findCause(
  to: Unreached | undefined,
  gateway: IngressGateway,
  cluster: Cluster,
): Promise<Cause | undefined> {
  const mesh = await readMeshConfig(gateway, cluster)
  const names = [gateway.namespace, ...(to === undefined ? [] : [to.namespace])]
  const unseen = await unseenNamespace(names, gateway, { mesh, cluster })
  if (unseen !== undefined || to === undefined) return unseen
  const served = await behind(to, cluster)
  const facts = { mesh, cluster, served }
  return (
    (served.service && notExported(served.service, gateway, mesh)) ??
    (await plainHttp(to, gateway, facts)) ??
    (await unfitRule(to, gateway, facts)) ??
    withoutMtls(to, facts)
  )
}

/** What to look at where the configuration of the mesh gives no cause. @returns `undefined` where no pod is Ready */
export async function unknownCause(
  to: Unreached | undefined,
  gateway: IngressGateway,
  cluster: Cluster,
): Promise<Cause | undefined> {
  if (to === undefined) return undefined
  const served = await behind(to, cluster)
  if (!served.pods.some(isReady)) return undefined
  const mesh = await readMeshConfig(gateway, cluster)
  const doubted = await doubtedCertificate(to, gateway, { mesh, cluster, served })
  if (doubted !== undefined) return doubted
  const { service: name, namespace } = to
  const {
    namespace: place,
    pods: [pod],
  } = gateway
  return {
    message: `pods of Service ${namespace}/${name} are Ready`,
    remedies: [
      ...(pod === undefined
        ? []
        : [sh`kubectl -n ${place} logs ${pod.metadata.name} --tail=20   # the gateway's access log has the reason`]),
      sh`kubectl -n ${namespace} get networkpolicies   # does one of them keep the gateway out?`,
    ],
  }
}

interface ServedFacts extends Facts {
  /** What the destination leads to, read once. */
  served: Served
}

/** istiod knows nothing of namespaces that its discoverySelectors leave out: no Service of an add-on, no Gateway of ours. */
async function unseenNamespace(
  names: string[],
  gateway: IngressGateway,
  { mesh, cluster }: Facts,
): Promise<Cause | undefined> {
  const selectors = discoverySelectors(mesh)
  if (selectors.length === 0) return undefined
  const found = await Promise.all([...new Set(names)].map((name) => readable(cluster.get(NAMESPACES, { name }))))
  const unseen = found.find((one) => one !== undefined && !selectors.some((each) => isSelected(labelsOf(one), each)))
  if (unseen === undefined) return undefined
  const { name, namespace } = meshConfigMap(gateway)
  return {
    message: `istiod does not see namespace ${unseen.metadata.name}: the discoverySelectors of the mesh configuration do not match its labels`,
    remedies: [
      ...labelling(unseen, selectors),
      sh`kubectl -n ${namespace} edit configmap ${name}   # discoverySelectors`,
    ],
  }
}

function labelsOf({ metadata }: KubeObject): Record<string, string> {
  return metadata.labels ?? {}
}

/** The command that gives a namespace the labels of the first selector that labels can fulfil. */
function labelling(namespace: KubeObject, selectors: readonly LabelSelector[]): string[] {
  const { name } = namespace.metadata
  return selectors.slice(0, 1).map((selector) => {
    const words = wordsFor(labelsOf(namespace), selector)
    return sh`kubectl label namespace ${name} ${words} --overwrite   # istiod sees it then`
  })
}

/** `team=mesh` for a label to set, `team-` for one to remove. */
function wordsFor(
  labels: Record<string, string>,
  { matchLabels = {}, matchExpressions = [] }: LabelSelector,
): string[] {
  const equal = Object.entries(matchLabels).filter(([name, value]) => labels[name] !== value)
  return [
    ...equal.map(([name, value]) => `${name}=${value}`),
    ...matchExpressions
      .filter((expression) => !isSelected(labels, { matchExpressions: [expression] }))
      .map(({ key, operator, values: [value = 'true'] = [] }) =>
        operator === 'In' || operator === 'Exists' ? `${key}=${value}` : `${key}-`,
      ),
  ]
}

/** Istio's annotation of a Service: the namespaces that see it. */
const EXPORT_TO = 'networking.istio.io/exportTo'

function notExported(
  { metadata: { name, namespace = '', annotations } }: Service,
  { namespace: own }: IngressGateway,
  mesh: ConfigMap | undefined,
): Cause | undefined {
  const named = annotations?.[EXPORT_TO]
  const places = named?.split(',').map((one) => one.trim()) ?? defaultExports(mesh, 'Service')
  if (isExported(places, { from: namespace, to: own })) return undefined
  const why = named === undefined ? 'defaultServiceExportTo of the mesh configuration' : `its annotation ${EXPORT_TO}`
  return {
    message: `Service ${namespace}/${name} is only exported to ${places.join(', ')} (${why}), so the gateway in namespace ${own} does not see it`,
    remedies: [
      sh`kubectl -n ${namespace} annotate service ${name} ${`${EXPORT_TO}=.,${own}`} --overwrite   # the gateway sees it then`,
    ],
  }
}

/** Without a DestinationRule that says it, the gateway then sends plaintext to a sidecar. */
function withoutMtls(to: Destination, { mesh, served: { pods } }: ServedFacts): Cause | undefined {
  if (hasAutoMtls(mesh) || pods.length === 0 || !pods.every(answersMutualTls)) return undefined
  return {
    message:
      'the mesh configuration has enableAutoMtls: false, so the gateway sends plaintext to the sidecar of its pods, which may accept only mutual TLS',
    remedies: [
      `a DestinationRule for host ${to.host} in namespace ${to.namespace} with trafficPolicy.tls.mode ISTIO_MUTUAL`,
    ],
  }
}

/** With these modes the gateway opens TLS, and the pods get it. */
const TLS_MODES = ['ISTIO_MUTUAL', ...PLAIN_TLS]

/** A DestinationRule whose TLS settings do not fit the pods. */
async function unfitRule(to: Unreached, gateway: IngressGateway, facts: ServedFacts): Promise<Cause | undefined> {
  const found = await findRule(to, gateway, facts)
  if (found === undefined || found === 'unread' || found.mode === undefined) return undefined
  const { rule, mode } = found
  const { name, namespace } = rule.metadata
  if (to.wrongProtocol === 'not trusted')
    return notTrusted(found, 'but the gateway does not trust the certificate of the add-on')
  const { served } = facts
  const why = await misfit(mode, to, served, facts.cluster)
  if (why === undefined) return undefined
  return {
    message: `${modeOf(rule, mode)} ${why}`,
    remedies: [
      ...(PLAIN_TLS.includes(mode) ? portRemedies(served, to.port) : []),
      `a DestinationRule for host ${to.host} in namespace ${gateway.namespace} with trafficPolicy.tls.mode ${mode === 'DISABLE' ? 'ISTIO_MUTUAL' : 'DISABLE'}   # it comes before that one`,
      sh`kubectl -n ${namespace} get destinationrules.networking.istio.io ${name} -o yaml`,
    ],
  }
}

function modeOf(rule: KubeObject, mode: string | undefined): string {
  const { name, namespace } = rule.metadata
  return `DestinationRule ${namespace}/${name} (host ${ruleHost(rule)}) has tls mode ${mode} for it,`
}

/** @returns `undefined` where the mode may fit, or no pod is known */
async function misfit(mode: string, to: Unreached, served: Served, cluster: Cluster): Promise<string | undefined> {
  const { pods } = served
  if (pods.length === 0) return undefined
  const injected = pods.every(answersMutualTls)
  if (mode === 'DISABLE') return injected ? 'but its pods have a sidecar, which may accept only mutual TLS' : undefined
  if (!TLS_MODES.includes(mode)) return undefined
  if (injected && mode === 'ISTIO_MUTUAL') return undefined
  if (PLAIN_TLS.includes(mode) && to.wrongProtocol !== 'no tls' && (await speaksTls(to, served, cluster)))
    return undefined
  if (!injected) return 'but its pods have no sidecar that could answer TLS'
  return portRemedies(served, to.port).length > 0
    ? "but the sidecar of its pods accepts only Istio's TLS at a port that is declared as HTTP"
    : "but the sidecar of its pods accepts only Istio's TLS (STRICT), or passes that on to a server without TLS"
}

/** The gateway makes TLS and verifies, and the add-on speaks TLS: that is all Envoy tells of a refused certificate. */
async function doubtedCertificate(
  to: Unreached,
  gateway: IngressGateway,
  facts: ServedFacts,
): Promise<Cause | undefined> {
  const found = await findRule(to, gateway, facts)
  if (typeof found !== 'object' || !makesTls(found) || !found.verifies) return undefined
  if (!(await speaksTls(to, facts.served, facts.cluster))) return undefined
  return notTrusted(found, 'and the gateway may not trust the certificate of the add-on')
}

function notTrusted({ rule, mode }: EffectiveRule, why: string): Cause {
  const { name, namespace } = rule.metadata
  return {
    message: `${modeOf(rule, mode)} ${why}`,
    remedies: [
      sh`kubectl -n ${namespace} edit destinationrules.networking.istio.io ${name}   # credentialName of a Secret with its ca.crt, or insecureSkipVerify: true; docs/https-add-ons.md`,
    ],
  }
}

/** Whether a pod answers the API server over HTTPS. @returns false also where that is not known */
async function speaksTls(to: Destination, { service, pods }: Served, cluster: Cluster): Promise<boolean> {
  const answer = await askPods('https', { service, pods, port: to.port, path: '/' }, cluster)
  return answer !== undefined && 'status' in answer
}

/** The add-on speaks HTTPS, and no DestinationRule makes the gateway do so. */
async function plainHttp(to: Unreached, gateway: IngressGateway, facts: ServedFacts): Promise<Cause | undefined> {
  const { cluster, served } = facts
  const isKnown = to.wrongProtocol === 'tls wanted'
  const isAsked = to.wrongProtocol === 'no http'
  if (!isKnown && !isAsked) return undefined
  if (!isKnown && !(await speaksTls(to, served, cluster))) return undefined
  const found = await findRule(to, gateway, facts)
  // A rule that makes TLS reaches the gateway in a moment.
  if (makesTls(found)) return undefined
  return {
    message: `Service ${to.namespace}/${to.service} speaks HTTPS itself, and the gateway sends it plain HTTP`,
    remedies: tlsRemedies(to, gateway, { ...served, found, version: await findIstioVersion(cluster) }),
  }
}

async function behind({ service: name, namespace }: Destination, cluster: Cluster): Promise<Served> {
  const service = await readable(cluster.get<Service>(SERVICES, { name, namespace }))
  const pods = (await readable(cluster.list<Pod>(PODS, { namespace }))) ?? []
  return { service, pods: pods.filter((pod) => matchesSelector(pod, service?.spec.selector)) }
}
