/** Finds the objects that users create by hand from Istio's page, including those that the page's own clean-up leaves (four DestinationRules and the Secret). */
import type { FoundObject } from '../changes/undo.ts'
import type { Cluster, KubeObject } from '../cluster/cluster.ts'
import { isOwned } from '../cluster/ownership.ts'
import { readable, type Sifted } from '../cluster/reading.ts'
import {
  API_GATEWAYS,
  destinationRules,
  GATEWAY_API,
  gateways,
  INGRESSES,
  SECRETS,
  virtualServices,
} from '../cluster/resources.ts'
import { type Finding, notes } from '../findings.ts'
import { isPagesGateway, isPagesRoute, isPagesRule, isPagesSecret, PAGES, SECRET, usesSecret } from './istios-page.ts'

/**
 * The existing objects of the page, those that serve first. Their names are common (a DestinationRule `grafana` above all), so the content
 * has to be the page's too. The key of a Secret cannot be had back, so a Secret that anything else uses is kept.
 * @param version of Istio's networking API
 */
export async function findDocumentedSetup(
  cluster: Cluster,
  version: string,
  namespace: string,
): Promise<Sifted<FoundObject>> {
  const names = Object.keys(PAGES)
  const wanted = [
    ...names.map((addon) => ({
      resource: gateways(version),
      name: `${addon}-gateway`,
      isThePages: isPagesGateway(addon),
    })),
    ...names.map((addon) => ({
      resource: virtualServices(version),
      name: `${addon}-vs`,
      isThePages: isPagesRoute(addon),
    })),
    ...names.map((addon) => ({ resource: destinationRules(version), name: addon, isThePages: isPagesRule(addon) })),
    { resource: SECRETS, name: SECRET, isThePages: isPagesSecret },
  ]
  const found = await Promise.all(wanted.map(({ resource, name }) => cluster.get(resource, { name, namespace })))
  const candidates = wanted.flatMap(({ resource, isThePages }, index): (FoundObject & { isThePages: boolean })[] => {
    const object = found[index]
    return object === undefined || isOwned(object) ? [] : [{ resource, object, isThePages: isThePages(object) }]
  })
  const pages = candidates.filter(({ isThePages }) => isThePages)
  const secret = pages.find(({ resource }) => resource === SECRETS)
  const user = secret && (await otherUser(namespace, version, pages, cluster))
  return {
    ours: pages
      .filter((one) => one !== secret || user === undefined)
      .map(({ resource, object }) => ({ resource, object })),
    findings: [
      ...candidates.filter(({ isThePages }) => !isThePages).map(({ object }) => differs(object)),
      ...(secret === undefined || user === undefined ? [] : [kept(secret.object, user)]),
    ],
  }
}

/** What else uses the Secret: a Gateway of any namespace may select pods of this one. @returns `undefined` if nothing does */
async function otherUser(
  namespace: string,
  version: string,
  pages: FoundObject[],
  cluster: Cluster,
): Promise<string | undefined> {
  const served = await cluster.servedVersions(GATEWAY_API)
  const lists = await readable(
    Promise.all([
      cluster.list(gateways(version)),
      cluster.list(INGRESSES, { namespace }),
      served.includes(API_GATEWAYS.version) ? cluster.list(API_GATEWAYS) : [],
    ]),
  )
  if (lists === undefined) return 'a Gateway or an Ingress may use it, and they may not all be listed'
  const going = pages.map(({ object }) => object.metadata.uid)
  const users = lists.flat().filter((object) => !going.includes(object.metadata.uid) && usesSecret(object, namespace))
  const [first] = users
  return first && `${first.kind} ${first.metadata.namespace}/${first.metadata.name} uses it`
}

function differs({ kind, metadata: { namespace, name } }: KubeObject): Finding {
  const message = `${kind} ${namespace}/${name} has a name of Istio's page, but other content, so it was left unchanged`
  return notes('NOT_THE_PAGES', message, PAGE)
}

function kept({ metadata: { namespace, name } }: KubeObject, why: string): Finding {
  return notes('NOT_THE_PAGES', `Secret ${namespace}/${name} was left unchanged: ${why}`, PAGE)
}

const PAGE = 'https://istio.io/latest/docs/tasks/observability/gateways/'
