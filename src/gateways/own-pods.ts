/**
 * Labels that select the pods of one ingress gateway and of no other. Istio applies a Gateway to every router pod with its labels, in all
 * namespaces, but policies and EnvoyFilters only in their own: at another gateway, a page would be served without its guard.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { hasEnded, labelSelector, matchesSelector, type Pod } from '../cluster/objects.ts'
import { readable } from '../cluster/reading.ts'
import { PODS } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { type Finding, warns } from '../findings.ts'
import { sh } from '../shell.ts'
import { gatewayName, type IngressGateway, isGatewayPod } from './find.ts'
import { meshConfigMap } from './mesh.ts'
import { readIstiods, variableOf } from './mesh-config.ts'

type Labels = Record<string, string>

/** Router pods of other namespaces with the labels of the gateway. `undefined` if pods of all namespaces may not be listed. */
export async function readOtherPods(
  { selector, namespace }: IngressGateway,
  cluster: Cluster,
): Promise<Pod[] | undefined> {
  const pods = await readable(cluster.list<Pod>(PODS, { labels: labelSelector(selector) }))
  return pods?.filter((pod) => pod.metadata.namespace !== namespace && isGatewayPod(pod) && !hasEnded(pod))
}

/**
 * The gateway with labels that no pod of another gateway has: those of its Service, more if necessary.
 * @param present the selector of our Gateway, which is kept while it fits
 * @throws UserError GATEWAY_LABELS_SHARED
 */
export async function requireOwnSelector(
  gateway: IngressGateway,
  others: readonly Pod[],
  present: Labels | undefined,
  cluster: Cluster,
): Promise<IngressGateway> {
  const selector = fits(present, gateway, others) ? present : narrowed(gateway, others)
  if (selector !== undefined) return { ...gateway, selector }
  if (await areScoped([...gateway.pods, ...others], cluster)) return gateway
  throw shared(gateway, others)
}

/** Other namespaces were not looked at. */
export function othersUnread(gateway: IngressGateway): Finding {
  const message = `cannot list pods in all namespaces: whether another gateway has the labels of ${gatewayName(gateway)}, and would serve the exposure without its guards, was not checked`
  return warns('GATEWAY_LABELS_UNCHECKED', message, sh`kubectl get pods -A -l ${labelSelector(gateway.selector)}`)
}

/** Whether labels are those of the Service, and more that all pods of the gateway have, but no pod of another one. */
function fits(labels: Labels | undefined, gateway: IngressGateway, others: readonly Pod[]): labels is Labels {
  if (labels === undefined) return false
  const more = commonLabels(gateway)
  return (
    Object.entries(gateway.selector).every(([name, value]) => labels[name] === value) &&
    Object.entries(labels).every(([name, value]) => (gateway.selector[name] ?? more[name]) === value) &&
    !others.some((pod) => matchesSelector(pod, labels))
  )
}

/** Adds labels until no other pod has all of them. @returns `undefined` if no labels tell the gateways apart */
function narrowed(gateway: IngressGateway, others: readonly Pod[]): Labels | undefined {
  const selector = { ...gateway.selector }
  const common = commonLabels(gateway)
  let left = others
  for (const name of Object.keys(common).toSorted(byUsefulness)) {
    if (left.length === 0) break
    const rest = left.filter(({ metadata }) => metadata.labels?.[name] === common[name])
    if (rest.length < left.length) selector[name] = common[name] ?? ''
    left = rest
  }
  return left.length === 0 ? selector : undefined
}

/** The lasting labels that all pods of the gateway have. */
function commonLabels({ pods: [first, ...rest] }: IngressGateway): Labels {
  const labels = Object.entries(first?.metadata.labels ?? {})
  return Object.fromEntries(
    labels.filter(
      ([name, value]) => !isPassing(name) && rest.every(({ metadata }) => metadata.labels?.[name] === value),
    ),
  )
}

/** Labels of a rollout, a release or a node: the next pods of the gateway have others. */
const PASSING =
  /^topology\.|(^|[./_-])(hash|version|revision|rev|chart|generation|pod-name|pod-index|commit|build|tag|image|tlsmode|inject|managed-by|heritage)$/i

function isPassing(name: string): boolean {
  return PASSING.test(name)
}

/** Labels by which installers name an installation. */
const NAMING = ['app.kubernetes.io/instance', 'app.kubernetes.io/name', 'app', 'istio', 'release']

function byUsefulness(one: string, other: string): number {
  const rank = (name: string) => (NAMING.includes(name) ? NAMING.indexOf(name) : NAMING.length)
  return rank(one) - rank(other) || one.localeCompare(other)
}

const SCOPING = 'PILOT_SCOPE_GATEWAY_TO_NAMESPACE'

/** Whether every istiod of these pods applies a Gateway only to pods of its namespace. */
async function areScoped(pods: readonly Pod[], cluster: Cluster): Promise<boolean> {
  const istiods = new Map(pods.map((pod) => meshConfigMap({ pods: [pod] })).map((one) => [JSON.stringify(one), one]))
  const answers = await Promise.all(
    [...istiods.values()].map(async (configMap) => {
      const own = await readIstiods(configMap, cluster)
      return own.length > 0 && own.every(isScoped)
    }),
  )
  return answers.every(Boolean)
}

function isScoped(pod: Pod): boolean {
  // As strconv.ParseBool of Go.
  return /^(1|t|T|true|TRUE|True)$/.test(variableOf(pod, SCOPING))
}

function shared(gateway: IngressGateway, others: readonly Pod[]): UserError {
  const [first] = others
  const other = `${first?.metadata.namespace}/${first?.metadata.name}`
  const labels = labelSelector(gateway.selector)
  const message = `the pods of gateway ${gatewayName(gateway)} have the same labels (${labels}) as a gateway in namespace ${first?.metadata.namespace} (pod ${other}); Istio would serve the exposure there too, without its guards`
  return new UserError('GATEWAY_LABELS_SHARED', message, {
    suggestions: [
      `another label for the pods of one of the gateways: labels in the values of Istio's gateway chart`,
      `${SCOPING}=true in the environment of istiod   # a Gateway then applies only to pods in its namespace`,
      sh`kubectl get pods -A -l ${labels} --show-labels`,
    ],
  })
}
