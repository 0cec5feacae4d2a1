/** Plans an export: everything is read in all clusters before anything is written in one. The plan is a value. */
import { type Change, planChanges, type Wanted } from '../../changes/changes.ts'
import type { KubeObject } from '../../cluster/cluster.ts'
import { MULTICLUSTER } from '../../cluster/ownership.ts'
import { destinationRules, gateways } from '../../cluster/resources.ts'
import { UserError } from '../../errors.ts'
import { distinct } from '../../findings.ts'
import { servingRule } from '../../manifests/destination-rule.ts'
import { passingGateway } from '../../manifests/gateway.ts'
import { inCluster, type Member, requireNames } from '../members.ts'
import { MULTICLUSTER_NAME } from '../names.ts'
import { planCalling } from './calling-plan.ts'
import { servedRuleName } from './names.ts'
import type { ExportPlan, SitePlan } from './planned.ts'
import type { ExportRequest } from './request.ts'
import { readServed, type Served } from './served.ts'
import { hostsIn } from './server.ts'
import { readSite, type Site } from './site.ts'

/**
 * @throws UserError CLUSTER_UNKNOWN (exit 2), EXPORT_DIFFERS, SUBSET_NAME_TWICE, NOT_OURS, and those of `readSite`, `readServed` and
 * `planCalling`
 */
export async function planExport(request: ExportRequest, members: readonly Member[]): Promise<ExportPlan> {
  const { serving, calling } = rolesOf(request, members)
  // In the order in which they are written.
  const names = [...new Set([...serving, ...calling])]
  const chosen = names.flatMap((name) => members.find((one) => one.name === name) ?? [])
  const sites = await Promise.all(chosen.map((one) => inCluster(one, () => readSite(one))))
  const served = await Promise.all(
    sitesOf(serving, sites).map((site) => inCluster(site, () => readServed(site, request))),
  )
  requireAlike(served)
  requireNamesOfSubsets(served)
  const [servings, callings] = await Promise.all([
    Promise.all(served.map((one) => inCluster(one.site, () => planServing(one, request)))),
    Promise.all(sitesOf(calling, sites).map((site) => inCluster(site, () => planCalling(site, served, request)))),
  ])
  return {
    request,
    services: callings.map(({ service }) => service),
    sites: sites.map((site): SitePlan => {
      const calls = callings.find(({ service }) => service.to === site.name)
      return {
        site,
        serving: servings[served.findIndex((one) => one.site === site)] ?? [],
        calling: calls?.changes ?? [],
        names: calls?.names.names ?? [],
        workloads: calls?.names.workloads ?? [],
      }
    }),
    warnings: distinct([
      ...served.flatMap(({ warnings }) => warnings),
      ...callings.flatMap(({ names: { warnings } }) => warnings),
    ]),
  }
}

/** Names of the clusters that serve and that call. @throws UserError CLUSTER_UNKNOWN (exit 2) */
function rolesOf(
  { in: serving, to = [] }: ExportRequest,
  members: readonly Member[],
): { serving: string[]; calling: string[] } {
  const named = (values: readonly string[]) => new Map(values.map((name) => [name, name]))
  requireNames(members, { '--in': named(serving), '--to': named(to) })
  const names = members.map(({ name }) => name)
  const others = names.filter((one) => !serving.includes(one))
  const calling = to.length > 0 ? to : others.length > 0 ? others : names
  return { serving: [...new Set(serving)], calling: [...new Set(calling)] }
}

function sitesOf(names: readonly string[], sites: readonly Site[]): Site[] {
  return names.flatMap((name) => sites.find((one) => one.name === name) ?? [])
}

/** One entry is for all serving clusters. @throws UserError EXPORT_DIFFERS */
function requireAlike([first, ...others]: readonly Served[]): void {
  if (first === undefined) return
  const ports = ({ ports: all }: Served) =>
    all.map(({ number, protocol = 'any' }) => `${number}/${protocol}`).join(', ')
  for (const other of others) {
    const what =
      ports(first) !== ports(other)
        ? `the ports of the Service differ: ${ports(first)} in cluster ${first.site.name}, ${ports(other)} in cluster ${other.site.name}`
        : first.host !== other.host
          ? `the domains of Services differ: ${first.host} in cluster ${first.site.name}, ${other.host} in cluster ${other.site.name}`
          : undefined
    if (what !== undefined)
      throw new UserError('EXPORT_DIFFERS', `${what}; one host cannot lead to both`, {
        suggestions: [`--in ${first.site.name} --host OTHER.HOST   # a host for each cluster`],
      })
  }
}

/** @throws UserError SUBSET_NAME_TWICE */
function requireNamesOfSubsets(served: readonly Served[]): void {
  if (served.length < 2) return
  const clusters = served.map(({ site }) => site.name)
  const twice = served.flatMap(({ subsets }) => Object.keys(subsets)).find((name) => clusters.includes(name))
  if (twice !== undefined)
    throw new UserError('SUBSET_NAME_TWICE', `"${twice}" would be the subset of a cluster, and of a version`, {
      suggestions: ['--subsets OTHERLABEL'],
    })
}

/** Our Gateway grows by the host, unless a Gateway of others passes it on already. */
async function planServing(served: Served, { service }: ExportRequest): Promise<Change[]> {
  const { site, host, ours, covered, subsets } = served
  const [wanted, present]: [Wanted[], (KubeObject | undefined)[]] = [[], [ours]]
  if (covered === undefined) wanted.push(wantedGateway(served, [...new Set([...hostsIn(ours), host])].sort()))
  const named = Object.entries(subsets)
  if (named.length > 0) {
    const place = { name: servedRuleName(service), namespace: served.entrance.gateway.namespace }
    const resource = destinationRules(site.version)
    const label = (value: string) => ({ [served.subsetLabel]: value })
    const manifest = servingRule(
      resource,
      { ...place, host },
      named.map(([name, value]) => ({ name, labels: label(value) })),
    )
    wanted.push({ resource, manifest })
    present.push(await site.cluster.get(resource, place))
  }
  return planChanges(
    wanted,
    present.flatMap((one) => one ?? []),
    MULTICLUSTER,
  )
}

/** Only for the version of the present Gateway: another run may add a host at the same time. */
function wantedGateway({ site, entrance, ours }: Served, hosts: string[]): Wanted {
  const { gateway, port } = entrance
  const resource = gateways(site.version)
  const request = { name: MULTICLUSTER_NAME, namespace: gateway.namespace, selector: gateway.selector, port, hosts }
  const manifest = passingGateway(resource, {
    ...request,
    mode: 'AUTO_PASSTHROUGH',
    resourceVersion: ours?.metadata.resourceVersion,
  })
  return { resource, manifest }
}
