/** Adds the CA to the trust stores of this machine and its browsers, or removes it. */
import { trustBundle } from '../certificates/authority.ts'
import { certificatesIn } from '../certificates/facts.ts'
import { distrustCommands, entryName, placeName, type TrustEntry, trustCommands } from '../certificates/trust-places.ts'
import type { TrustStore } from '../certificates/trust-stores.ts'
import { type Confirmation, confirm } from '../changes/confirmation.ts'
import { UserError } from '../errors.ts'
import { type Finding, fails, noneFails } from '../findings.ts'
import { sh, shellCommand } from '../shell.ts'
import type { Dependencies } from '../world.ts'
import { findHttpsGateways } from './https-gateways.ts'
import { chooseAuthorities, chooseNamed, describeAuthority, type HandedOut, type OfferedAuthority } from './offered.ts'

export interface CertTrustRequest {
  /** Remove instead: every CA that this command added, or only that of `domain`. */
  remove: boolean
  /** A domain whose CA is on this machine; the CAs of all exposures when left out. */
  domain?: string | undefined
  /** The namespace of the gateway, if there are several. */
  namespace?: string | undefined
  /** Only CAs with these fingerprints, whatever they can vouch for. */
  fingerprints?: readonly string[] | undefined
  yes: boolean
  dryRun: 'none' | 'client'
}

export interface StoreOutcome {
  store: string
  /** `by-hand`: the user must run the commands. */
  action: 'trusted' | 'forgotten' | 'unchanged' | 'by-hand' | 'failed'
  commands: string[]
  /** Why it failed, or why it has to be done by hand. */
  message?: string
}

export interface CertTrustResult {
  outcome: 'planned' | 'declined' | 'applied'
  /** SHA-256 fingerprints of the authorities. */
  authorities: string[]
  /** The same authorities, with what people have to see before they trust them. */
  details: OfferedAuthority[]
  stores: StoreOutcome[]
  warnings: Finding[]
}

type Needs = Pick<Dependencies, 'cluster' | 'authorities' | 'trustStores' | 'terminal' | 'prober'>

/** The planned commands for one store. */
interface Step {
  store: TrustStore
  entries: TrustEntry[]
  commands: string[][]
}

/** @throws UserError NO_CA_IN_USE, CA_NOT_FOUND, CA_FINGERPRINT_REQUIRED, FINGERPRINT_MISMATCH, CONSENT_REQUIRED */
export async function certTrust(request: CertTrustRequest, dependencies: Needs): Promise<CertTrustResult> {
  const { remove, domain, yes, dryRun } = request
  const { trustStores } = dependencies
  // Removing every CA works without the cluster, which may no longer exist.
  const { chosen = [], warnings = [] } =
    remove && domain === undefined ? {} : await requireAuthorities(request, dependencies)
  const wanted = chosen.map((one) => ({ ...one, name: entryName(one.fingerprint) }))
  const [stores, staged] = await Promise.all([trustStores.find(), trustStores.staged()])
  const steps = stores.map((store) => {
    const all = remove && domain === undefined ? (store.entries ?? staged) : wanted.map(({ name }) => name)
    const names = namesToChange(store, [...new Set(all)], remove)
    return planStep(
      store,
      names.map((name) => ({ name, file: trustStores.fileOf(name) })),
      remove,
    )
  })
  const result = (outcome: CertTrustResult['outcome'], outcomes: StoreOutcome[]): CertTrustResult => ({
    outcome,
    authorities: chosen.map(({ fingerprint }) => fingerprint),
    details: chosen.map(({ pem: _, ...shown }) => shown),
    stores: outcomes,
    warnings: [...warnings, ...(stores.length === 0 ? [noStores()] : [])],
  })
  const planned = steps.map((step) => outcomeOf(step, step.commands.length === 0 ? 'unchanged' : doneAction(remove)))
  if (dryRun !== 'none') return result('planned', planned)
  if (!(await confirmed(steps, chosen, { remove, yes }, dependencies))) return result('declined', [])
  for (const { name, pem } of wanted) if (!remove) await trustStores.stage(name, pem)
  const outcomes: StoreOutcome[] = []
  for (const step of steps) outcomes.push(await runStep(step, remove, dependencies))
  if (remove) await unstageAll(steps, outcomes, dependencies)
  return result('applied', outcomes)
}

/** The CAs to trust, or to remove, each once. */
async function requireAuthorities(
  { remove, domain, namespace, fingerprints = [] }: CertTrustRequest,
  needs: Needs,
): Promise<{ chosen: HandedOut[]; warnings: Finding[] }> {
  if (domain !== undefined) {
    const kept = await authoritiesKeptFor(domain, needs.authorities)
    const asked = fingerprints.length === 0 || remove ? kept : chooseNamed(kept, fingerprints)
    return { chosen: asked, warnings: [] }
  }
  const { ours, findings } = await findHttpsGateways({ namespace }, needs.cluster)
  const { chosen, warnings } = await chooseAuthorities(ours, fingerprints, needs)
  if (chosen.length > 0) return { chosen: uniqueBy(chosen), warnings: [...findings, ...warnings] }
  const why = findings.map(({ message }) => `; ${message}`).join('')
  throw new UserError('NO_CA_IN_USE', `nothing is exposed with a CA stored in the cluster${why}`, {
    suggestions: ['kubectl telemetry expose', '--domain example.com   # a domain whose CA is on this machine'],
  })
}

function uniqueBy(chosen: HandedOut[]): HandedOut[] {
  return [...new Map(chosen.map((one) => [one.fingerprint, one])).values()]
}

async function authoritiesKeptFor(domain: string, authorities: Needs['authorities']): Promise<HandedOut[]> {
  const kept = await authorities.find(domain)
  const source = authorities.certificatePath(domain)
  if (kept !== undefined)
    return certificatesIn(trustBundle(kept)).flatMap((pem) => describeAuthority(pem, source) ?? [])
  throw new UserError('CA_NOT_FOUND', `this machine has no CA for ${domain}`, {
    suggestions: [
      sh`kubectl telemetry cert create --domain ${domain}`,
      'leave out --domain   # reads the CA from the cluster',
    ],
  })
}

/** Names that need a change; all of them if a store cannot list its entries. */
function namesToChange({ entries }: TrustStore, names: string[], remove: boolean): string[] {
  return names.filter((name) => entries === undefined || entries.includes(name) === remove)
}

function planStep(store: TrustStore, entries: TrustEntry[], remove: boolean): Step {
  const commandsFor = remove ? distrustCommands : trustCommands
  return { store, entries, commands: entries.length === 0 ? [] : commandsFor(store.place, entries) }
}

async function confirmed(
  steps: Step[],
  chosen: HandedOut[],
  { remove, yes }: Pick<CertTrustRequest, 'remove' | 'yes'>,
  { terminal }: Needs,
): Promise<boolean> {
  const open = steps.filter(({ commands, store }) => commands.length > 0 && store.obstacle === undefined)
  if (open.length === 0) return true
  const confirmation: Confirmation = {
    yes,
    effect: 'change the trust stores of this machine',
    remarks: chosen.flatMap(remarksOn),
    lines: open.flatMap(({ commands }) => commands.map(shellCommand)),
    question: `${remove ? 'Remove the CA from' : 'Add the CA to'} the trust stores of this machine with these commands?`,
    preview: 'client',
  }
  return confirm(confirmation, terminal)
}

/** What a person compares and decides before the answer. */
function remarksOn({ subject, limits, fingerprint, source }: OfferedAuthority): string[] {
  return [`CA ${subject}`, `  vouches for  ${limits}`, `  fingerprint  ${fingerprint}`, `  from         ${source}`]
}

async function runStep(step: Step, remove: boolean, { trustStores }: Needs): Promise<StoreOutcome> {
  if (step.commands.length === 0) return outcomeOf(step, 'unchanged')
  if (step.store.obstacle !== undefined) return outcomeOf(step, 'by-hand')
  for (const command of step.commands) {
    const complaint = await trustStores.run(command)
    if (complaint !== undefined) return { ...outcomeOf(step, 'failed'), message: complaint }
  }
  return outcomeOf(step, doneAction(remove))
}

function doneAction(remove: boolean): StoreOutcome['action'] {
  return remove ? 'forgotten' : 'trusted'
}

const OBSTACLES = {
  'not-allowed': 'it needs an administrator',
  'no-tool': 'certutil is not installed (packages libnss3-tools, nss-tools, nss)',
  'by-hand': 'on this system, run the commands yourself',
}

function outcomeOf({ store: { place, obstacle }, commands }: Step, action: StoreOutcome['action']): StoreOutcome {
  const needsHand = commands.length > 0 && obstacle !== undefined
  const sudo = obstacle === 'not-allowed' ? 'sudo ' : ''
  return {
    store: placeName(place),
    action: needsHand ? 'by-hand' : action,
    commands: commands.map((command) => sudo + shellCommand(command)),
    ...(needsHand ? { message: OBSTACLES[obstacle] } : {}),
  }
}

/** Deletes the files of removed CAs, unless the user still has to run commands that need them. */
async function unstageAll(steps: Step[], outcomes: StoreOutcome[], { trustStores }: Needs): Promise<void> {
  if (outcomes.some(({ action }) => action === 'by-hand' || action === 'failed')) return
  for (const { name } of steps.flatMap(({ entries }) => entries)) await trustStores.unstage(name)
}

function noStores(): Finding {
  return fails(
    'NO_TRUST_STORE',
    'this machine has no trust store, neither of the system nor of a browser',
    'kubectl telemetry cert export ca   # then import it where you need it',
  )
}

/** Whether the exit code is 0: every store was changed as planned. */
export function succeeded({ outcome, stores, warnings }: CertTrustResult): boolean {
  if (outcome === 'planned') return true
  return (
    outcome === 'applied' &&
    noneFails(warnings) &&
    stores.every(({ action }) => action !== 'by-hand' && action !== 'failed')
  )
}
