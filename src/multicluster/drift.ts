/** What has changed since a service was exported: its pods, their identities, the address of the gateway, names in CoreDNS. */
import { UserError } from '../errors.ts'
import { asFinding, type Finding, fails } from '../findings.ts'
import { sh } from '../shell.ts'
import type { AskDns, Dependencies } from '../world.ts'
import type { ExportedService } from './exported.ts'
import { awaitNames } from './exporting/dns/proof.ts'
import { readServed, type Served } from './exporting/served.ts'
import { readSite } from './exporting/site.ts'
import type { Member } from './members.ts'

type Needs = Pick<Dependencies, 'clock'> & { askDns: AskDns; members: readonly Member[] }

/** @returns nothing where the export is as its objects say. Clusters that are not among the members are not looked into */
export async function driftOf(exported: ExportedService, needs: Needs): Promise<Finding[]> {
  const found = await Promise.all([
    ...exported.from.map(({ cluster }) => servingDrift(exported, cluster, needs)),
    nameDrift(exported, needs),
  ])
  return found.flat()
}

async function servingDrift(exported: ExportedService, name: string, { members }: Needs): Promise<Finding[]> {
  const member = members.find((one) => one.name === name)
  if (member === undefined) return []
  try {
    const site = await readSite(member)
    const label = exported.subsets.flatMap(({ labels }) => Object.keys(labels)).find((one) => one !== 'cluster')
    const served = await readServed(site, requestFor(exported, name, undefined))
    return [
      ...identityDrift(exported, served),
      ...addressDrift(exported, served),
      ...(label === undefined ? [] : await subsetDrift(exported, label, site)),
    ]
  } catch (error) {
    if (error instanceof UserError) return [asFinding(error, 'fails')]
    throw error
  }
}

function requestFor(exported: ExportedService, cluster: string, subsets: string | undefined) {
  const { service, to } = exported
  return {
    service,
    in: [cluster],
    to: [to],
    suffix: 'global',
    subsets,
    dns: 'none' as const,
    timeout: 0,
    yes: false,
    dryRun: 'client' as const,
  }
}

/** The command that makes the export again. */
function again({ service, from, to, subsets }: ExportedService): string {
  const label = subsets.flatMap(({ labels }) => Object.keys(labels)).find((one) => one !== 'cluster')
  const serving = from.flatMap(({ cluster }) => ['--in', cluster])
  const versions = label === undefined ? [] : ['--subsets', label]
  return sh`kubectl telemetry multicluster export ${service.name} -n ${service.namespace} ${serving} --to ${to} ${versions}`
}

function identityDrift(exported: ExportedService, { identities, site }: Served): Finding[] {
  const unknown = identities.filter((one) => !exported.identities.includes(one))
  if (unknown.length === 0) return []
  const message = `pods of ${exported.host} in cluster ${site.name} have the identity ${unknown.join(', ')}, which callers in ${exported.to} do not accept`
  return [fails('EXPORT_IDENTITY_CHANGED', message, again(exported))]
}

function addressDrift(exported: ExportedService, { entrance, site }: Served): Finding[] {
  const { outside, inside } = entrance
  const entry = exported.from.find(({ cluster }) => cluster === site.name)
  const fits = [outside, inside].some(({ address, port }) => address === entry?.address && port === entry.port)
  if (entry === undefined || fits) return []
  const message = `the gateway of cluster ${site.name} is at ${outside.address}:${outside.port}, and callers of ${exported.host} in ${exported.to} connect to ${entry.address}:${entry.port}`
  return [fails('EXPORT_ADDRESS_CHANGED', message, again(exported))]
}

async function subsetDrift(
  exported: ExportedService,
  label: string,
  site: Awaited<ReturnType<typeof readSite>>,
): Promise<Finding[]> {
  const { subsets } = await readServed(site, requestFor(exported, site.name, label))
  const missing = exported.subsets.filter(({ name, labels }) => label in labels && !(name in subsets))
  return missing.map(({ name, labels }) =>
    fails(
      'EXPORT_SUBSET_EMPTY',
      `the subset ${name} of ${exported.host} has no pod with ${label}=${labels[label]} in cluster ${site.name}`,
      again(exported),
    ),
  )
}

async function nameDrift(exported: ExportedService, { members, clock, askDns }: Needs): Promise<Finding[]> {
  const member = members.find(({ name }) => name === exported.to)
  if (member === undefined || exported.dns !== 'coredns') return []
  const found = await awaitNames(exported, { name: member.name, live: member.cluster }, 0, { clock, askDns })
  return found.map((one) => ({ ...one, remedies: [again(exported), ...one.remedies] }))
}
