/** Finds the add-ons and reads their live configuration. Asks the user, or fails without a terminal, when there is a choice. */

import type { Cluster } from '../cluster/cluster.ts'
import { type ConfigMap, isStaying, matchesSelector, type Pod, type Service } from '../cluster/objects.ts'
import { inStayingNamespaces, readable } from '../cluster/reading.ts'
import { CONFIG_MAPS, PODS } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { asFinding, type Finding, warns } from '../findings.ts'
import { sh } from '../shell.ts'
import { shown } from '../text.ts'
import type { Dependencies } from '../world.ts'
import { ADDON_NAMES, type AddonChoice, rowsOf } from './catalog.ts'
import {
  type AddonAccess,
  neededConfigMaps,
  otherProduct,
  readAccess,
  readIdentityHeaders,
  readPath,
  readVisitor,
  rightsToAsk,
  unusablePath,
} from './configuration.ts'
import { ADDON_ANNOTATION, type FoundAddon, findAddon } from './find.ts'
import { type HttpsSign, httpsSign } from './https.ts'
import { requireOneServer } from './servers.ts'

/** A found add-on, and its configuration. */
export interface SurveyedAddon {
  found: FoundAddon
  access: AddonAccess
  /** What a visitor could do, in words that follow "a visitor"; empty if it was not read. */
  visitor: string
  /** Where its page is: with a slash at both ends. */
  path: string
  /** Request headers in which it believes who the user is, in lower case. */
  identityHeaders: string[]
  /** What the configuration has in place of a path. */
  unusablePath?: string | undefined
  /** The product that runs in its place. */
  other?: string | undefined
  /** Why it is known to speak HTTPS itself. */
  https?: HttpsSign | undefined
  /** Left out when they were not or could not be read. */
  pods?: Pod[]
}

type Needs = Pick<Dependencies, 'cluster' | 'terminal'>

/**
 * The chosen add-ons. Of "all", the existing ones; each missing one is a warning.
 * @throws UserError ADDON_NOT_FOUND, ADDON_AMBIGUOUS, ADDON_ONLY_MARKED, ADDON_OTHER_PRODUCT, SEVERAL_SERVERS
 */
export async function surveyAddons(
  choice: AddonChoice,
  services: Service[],
  namespace: string | undefined,
  world: Needs,
): Promise<{ addons: SurveyedAddon[]; warnings: Finding[] }> {
  const { chosen, warnings } = await chooseAddons(choice, services, namespace, world)
  const surveyed = await readConfiguration(chosen, world.cluster)
  const others = surveyed.filter(({ other }) => other !== undefined).map(otherProductRuns)
  const addons = surveyed.filter(({ other }) => other === undefined)
  for (const one of addons) requireOneServer(one)
  const [first] = others
  if (first !== undefined && (choice.named || addons.length === 0)) throw first
  const missing = others.map((error) => asFinding(error, 'warns'))
  return { addons, warnings: [...warnings, ...missing, ...pathFindings(addons)] }
}

/**
 * The chosen add-ons without their configuration. Of "all", the existing ones; each missing one is a warning.
 * @throws UserError ADDON_NOT_FOUND, ADDON_AMBIGUOUS, ADDON_ONLY_MARKED
 */
export async function chooseAddons(
  { names, named }: AddonChoice,
  services: Service[],
  namespace: string | undefined,
  world: Needs,
): Promise<{ chosen: FoundAddon[]; warnings: Finding[] }> {
  const chosen: FoundAddon[] = []
  const missing: UserError[] = []
  for (const name of names) {
    const everywhere = rowsOf(name).flatMap((row) => findAddon(row, services))
    const inScope = everywhere.filter((one) => namespace === undefined || one.namespace === namespace)
    const found = await inStayingNamespaces(inScope, world.cluster)
    const one = found.length > 0 ? await choose(name, found, namespace, world) : notFound(name, namespace, everywhere)
    if (one instanceof UserError) missing.push(one)
    else chosen.push(one)
  }
  const [first] = missing
  if (first !== undefined && (named || chosen.length === 0)) throw first
  return { chosen, warnings: missing.map((error) => asFinding(error, 'warns')) }
}

/** @returns an error for an add-on that only an annotation names, if the user has not named its namespace: then it counts as missing */
async function choose(
  name: string,
  found: FoundAddon[],
  namespace: string | undefined,
  { terminal }: Needs,
): Promise<FoundAddon | UserError> {
  const [first, second] = found
  const isOne = first !== undefined && second === undefined
  if (isOne && (first.marked !== true || namespace !== undefined)) return first
  const places = found.map(placeOf)
  if (terminal.interactive) {
    const choices = found.map((value, index) => ({ name: places[index] ?? '', value }))
    const none = isOne ? [{ name: 'none of them', value: undefined }] : []
    const chosen = await terminal.select<FoundAddon | undefined>(`Which ${name}?`, [...choices, ...none])
    return chosen ?? onlyMarked(name, found)
  }
  if (isOne) return onlyMarked(name, found)
  const namespaces = [...new Set(found.map((one) => one.namespace))]
  const annotate = sh`kubectl -n ${namespaces[0]} annotate service NAME ${ADDON_ANNOTATION}=${name}`
  throw new UserError('ADDON_AMBIGUOUS', `${found.length} Services fit ${name}: ${places.join(', ')}`, {
    suggestions:
      namespaces.length > 1 ? namespaces.map((one) => sh`-n ${one}`) : [`${annotate}   # marks the right one`],
  })
}

function placeOf({ addon, namespace, service, marked }: FoundAddon): string {
  return `${namespace}/${service.metadata.name} (${addon.title}${marked ? ', only by its annotation' : ''})`
}

/** Whoever may write in a namespace can mark a Service there, and users would type their passwords into its page. */
function onlyMarked(name: string, found: FoundAddon[]): UserError {
  const [first] = found
  const message = `only an annotation says that ${found.map(placeOf).join(', ')} is ${name}, and no -n names its namespace`
  return new UserError('ADDON_ONLY_MARKED', message, {
    suggestions: [
      sh`-n ${first?.namespace}   # if that is right`,
      sh`kubectl -n ${first?.namespace} get service ${first?.service.metadata.name} -o yaml   # look at it`,
    ],
  })
}

function otherProductRuns({ found: { addon, namespace, service }, other }: SurveyedAddon): UserError {
  const { name } = service.metadata
  const message = `Service ${namespace}/${name} looks like ${addon.title}, but runs ${other}, whose pages the allow list for ${addon.title} would refuse`
  return new UserError('ADDON_OTHER_PRODUCT', message, {
    suggestions: [
      sh`kubectl telemetry port-forward svc/${name} -n ${namespace}   # only for this machine`,
      sh`-n NAMESPACE   # of a ${addon.title}`,
    ],
  })
}

function notFound(name: string, namespace: string | undefined, everywhere: FoundAddon[]): UserError {
  const titles = rowsOf(name).map(({ title }) => title)
  const where = namespace === undefined ? 'in any namespace' : `in namespace ${namespace}`
  const message = `${titles.join(' or ')} was not found ${where}: no Service has its usual labels and ports`
  const products = titles.map((title) => title.toLowerCase())
  const place = namespace ?? 'NAMESPACE'
  const elsewhere = everywhere.map((one) => sh`-n ${one.namespace}`)
  return new UserError('ADDON_NOT_FOUND', message, {
    suggestions: [
      ...(elsewhere.length > 0
        ? elsewhere
        : [
            sh`kubectl get services -A | grep -iE ${products.join('|')}   # is it installed?`,
            sh`kubectl telemetry addons install ${products[0]}   # if it is not`,
          ]),
      sh`kubectl -n ${place} annotate service NAME ${ADDON_ANNOTATION}=${name}   # if its Service has other labels; then name it with -n ${place}`,
    ],
  })
}

/** A path that could be more than a path in a URL or a command is not used. */
export function pathFindings(addons: SurveyedAddon[]): Finding[] {
  return addons.flatMap(({ found: { addon, namespace, service }, unusablePath: text }) => {
    if (text === undefined) return []
    const message = `the configuration of ${addon.title} in namespace ${namespace} names a path that is not a plain one: ${JSON.stringify(shown(text))}; / is used`
    return [warns('PATH_UNUSABLE', message, sh`kubectl -n ${namespace} describe service ${service.metadata.name}`)]
  })
}

/** Every Service of every add-on in the catalogue. Never asks the user. */
export function surveyAllAddons(
  services: Service[],
  namespace: string | undefined,
  cluster: Cluster,
): Promise<SurveyedAddon[]> {
  const found = ADDON_NAMES.flatMap(rowsOf).flatMap((row) => findAddon(row, services))
  const chosen = found.filter((one) => namespace === undefined || one.namespace === namespace)
  return readConfiguration(chosen, cluster)
}

/**
 * Reads pods once for each namespace, and ConfigMaps only if the pods' environment lacks a setting.
 * @param wanting `path`: access is not needed, so an add-on with a fixed path is not read
 */
export async function readConfiguration(
  chosen: FoundAddon[],
  cluster: Cluster,
  wanting: 'access and path' | 'path' = 'access and path',
): Promise<SurveyedAddon[]> {
  const isRead = ({ addon }: FoundAddon) => wanting !== 'path' || addon.path.setting !== undefined
  const namespaces = [...new Set(chosen.filter(isRead).map(({ namespace }) => namespace))]
  const lists = await Promise.all(namespaces.map((namespace) => readable(cluster.list<Pod>(PODS, { namespace }))))
  const read = new Map(namespaces.map((namespace, index) => [namespace, lists[index]]))
  return Promise.all(
    chosen.map(async (found) => {
      if (!isRead(found)) return withDefaults(found)
      const all = read.get(found.namespace)?.filter((pod) => matchesSelector(pod, found.service.spec.selector))
      const pods = all?.filter(isStaying)
      // During a restart, the terminating pod still has the configuration.
      const behind = pods?.length ? pods : (all ?? [])
      const configMaps = await readConfigMaps(found, behind, cluster)
      const access = readAccess(found.addon, behind, configMaps)
      return {
        found,
        access,
        visitor: wanting === 'path' ? '' : await visitorOf(found, access, { pods: behind, configMaps }, cluster),
        path: readPath(found.addon, behind, configMaps),
        identityHeaders: readIdentityHeaders(found.addon, behind, configMaps),
        unusablePath: unusablePath(found.addon, behind, configMaps),
        other: otherProduct(found.addon, behind),
        https: httpsSign(found, behind, configMaps),
        ...(pods === undefined ? {} : { pods }),
      }
    }),
  )
}

/** An add-on whose configuration is not read. */
export function withDefaults(found: FoundAddon, path = found.addon.path.byDefault): SurveyedAddon {
  const identityHeaders = readIdentityHeaders(found.addon, [], undefined)
  const https = httpsSign(found, [], undefined)
  return { found, access: { kind: 'unknown' }, visitor: '', path, identityHeaders, https }
}

async function visitorOf(
  { addon, namespace }: FoundAddon,
  access: AddonAccess,
  read: { pods: Pod[]; configMaps: ConfigMap[] | undefined },
  cluster: Cluster,
): Promise<string> {
  const serviceAccount = read.pods[0]?.spec.serviceAccountName ?? 'default'
  const rights = rightsToAsk(addon, read.pods, read.configMaps)
  const answers = await Promise.all(
    rights.map((right) =>
      cluster.mayAccess({
        user: `system:serviceaccount:${namespace}:${serviceAccount}`,
        groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
        ...right,
        namespace,
      }),
    ),
  )
  return readVisitor(
    addon,
    access,
    read,
    rights.filter((_, index) => answers[index] === true),
  )
}

/** @returns undefined without the permission to read them; a ConfigMap that does not exist is left out */
async function readConfigMaps(
  { addon, namespace }: FoundAddon,
  pods: Pod[],
  cluster: Cluster,
): Promise<ConfigMap[] | undefined> {
  const names = neededConfigMaps(addon, pods)
  const reading = names.map((name) => cluster.get<ConfigMap>(CONFIG_MAPS, { name, namespace }))
  const found = await readable(Promise.all(reading))
  return found?.filter((configMap) => configMap !== undefined)
}
