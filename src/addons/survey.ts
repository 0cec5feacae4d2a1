/** Where the add-ons are and what their live configuration says. Asks or refuses where there is a choice. */
import type { Cluster } from '../cluster/cluster.ts'
import { type ConfigMap, matchesSelector, type Pod, type Service } from '../cluster/objects.ts'
import { readable } from '../cluster/reading.ts'
import { CONFIG_MAPS, PODS } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import type { Dependencies, Warning } from '../world.ts'
import { ADDON_NAMES, type AddonChoice, rowsOf } from './catalog.ts'
import {
  type AddonAccess,
  mountedConfigMaps,
  needsConfigMaps,
  readAccess,
  readPath,
  readVisitor,
  settingFiles,
} from './configuration.ts'
import { ADDON_ANNOTATION, type FoundAddon, findAddon } from './find.ts'

/** An add-on that is there, and what its configuration says. */
export interface SurveyedAddon {
  found: FoundAddon
  access: AddonAccess
  /** What somebody who gets in could do, in words that follow "a visitor"; empty when nobody asked. */
  visitor: string
  /** Where its page is: with a slash at both ends. */
  path: string
  /** Left out when they were not or could not be read. */
  pods?: Pod[]
}

type Asking = Pick<Dependencies, 'cluster' | 'terminal'>

/**
 * The chosen add-ons. Of "all" those that are there; the others are warnings.
 * @throws UserError ADDON_NOT_FOUND, ADDON_AMBIGUOUS
 */
export async function surveyAddons(
  choice: AddonChoice,
  services: Service[],
  namespace: string | undefined,
  asking: Asking,
): Promise<{ addons: SurveyedAddon[]; warnings: Warning[] }> {
  const { chosen, warnings } = await chooseAddons(choice, services, namespace, asking)
  return { addons: await readConfiguration(chosen, asking.cluster), warnings }
}

/**
 * The chosen add-ons, whatever their configuration says. Of "all" those that are there; the others are warnings.
 * @throws UserError ADDON_NOT_FOUND, ADDON_AMBIGUOUS
 */
export async function chooseAddons(
  { names, named }: AddonChoice,
  services: Service[],
  namespace: string | undefined,
  asking: Asking,
): Promise<{ chosen: FoundAddon[]; warnings: Warning[] }> {
  const chosen: FoundAddon[] = []
  const missing: UserError[] = []
  for (const name of names) {
    const everywhere = rowsOf(name).flatMap((row) => findAddon(row, services))
    const found = everywhere.filter((one) => namespace === undefined || one.namespace === namespace)
    if (found.length > 0) chosen.push(await choose(name, found, asking))
    else missing.push(notFound(name, namespace, everywhere))
  }
  const [first] = missing
  if (first !== undefined && (named || chosen.length === 0)) throw first
  const warnings = missing.map(({ code, message, suggestions }) => ({ code, message, remedy: suggestions[0] ?? '' }))
  return { chosen, warnings }
}

async function choose(name: string, found: FoundAddon[], { terminal }: Asking): Promise<FoundAddon> {
  const [first, second] = found
  if (first !== undefined && second === undefined) return first
  const places = found.map(({ addon, namespace, service }) => `${namespace}/${service.metadata.name} (${addon.title})`)
  if (terminal.interactive)
    return terminal.select(
      `Which ${name}?`,
      found.map((value, index) => ({ name: places[index] ?? '', value })),
    )
  const namespaces = [...new Set(found.map(({ namespace }) => namespace))]
  const annotate = `kubectl annotate service NAME ${ADDON_ANNOTATION}=${name}`
  throw new UserError('ADDON_AMBIGUOUS', `there are ${found.length} Services for ${name}: ${places.join(', ')}`, {
    suggestions: namespaces.length > 1 ? namespaces.map((one) => `-n ${one}`) : [`${annotate}   # say which`],
  })
}

function notFound(name: string, namespace: string | undefined, everywhere: FoundAddon[]): UserError {
  const rows = rowsOf(name)
  const titles = rows.map(({ title }) => title).join(' or ')
  const labels = rows.flatMap(({ labels }) =>
    labels.map((set) =>
      Object.entries(set)
        .map((pair) => pair.join('='))
        .join(','),
    ),
  )
  const where = namespace === undefined ? 'in any namespace' : `in namespace ${namespace}`
  const elsewhere = everywhere.map((one) => `-n ${one.namespace}`)
  return new UserError(
    'ADDON_NOT_FOUND',
    `${titles} was not found ${where} (looked for Services with ${labels.join(' or ')})`,
    {
      suggestions:
        elsewhere.length > 0 ? elsewhere : [`kubectl get services -A | grep -i ${name}   # is it installed?`],
    },
  )
}

/** Every add-on of the catalogue, wherever it is and however often. Asks nobody. */
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
 * One read of pods for each namespace, and of ConfigMaps only where the pods' environment does not tell.
 * @param wanting `path`: nobody asks who may enter, so an add-on whose page is always at the same path is not read
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
      if (!isRead(found)) return { found, access: { kind: 'unknown' }, visitor: '', path: found.addon.path.byDefault }
      const pods = read.get(found.namespace)?.filter((pod) => matchesSelector(pod, found.service.spec.selector))
      const behind = pods ?? []
      const configMaps = await readConfigMaps(found, behind[0], cluster)
      const access = readAccess(found.addon, behind, configMaps)
      return {
        found,
        access,
        visitor: wanting === 'path' ? '' : await visitorOf(found, access, behind, configMaps, cluster),
        path: readPath(found.addon, behind, configMaps),
        ...(pods === undefined ? {} : { pods }),
      }
    }),
  )
}

function visitorOf(
  { addon, namespace }: FoundAddon,
  access: AddonAccess,
  pods: Pod[],
  configMaps: ConfigMap[] | undefined,
  cluster: Cluster,
): Promise<string> {
  return readVisitor(addon, access, pods, configMaps, (right, { spec: { serviceAccountName = 'default' } }) =>
    cluster.mayAccess({
      user: `system:serviceaccount:${namespace}:${serviceAccountName}`,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
      ...right,
      namespace,
    }),
  )
}

async function readConfigMaps(
  { addon, namespace }: FoundAddon,
  pod: Pod | undefined,
  cluster: Cluster,
): Promise<ConfigMap[] | undefined> {
  if (pod === undefined || !needsConfigMaps(addon, pod)) return []
  const keys = settingFiles(addon)
  const read: ConfigMap[] = []
  // One after the other: mostly the first one has it, and the rest are dashboards and certificates.
  for (const name of mountedConfigMaps(pod)) {
    const reading = await readable(
      cluster.get<ConfigMap>(CONFIG_MAPS, { name, namespace }).then((found) => ({ found })),
    )
    if (reading === undefined) return undefined
    if (reading.found !== undefined) read.push(reading.found)
    if (keys.every((key) => read.some(({ data }) => data?.[key] !== undefined))) break
  }
  return read
}
