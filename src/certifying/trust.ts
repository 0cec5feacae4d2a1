/** Lets this machine trust the authority, or forget it: the system's store and those of browsers. */
import { trustedWith } from '../certificates/authority.ts'
import { certificatesIn, factsOf } from '../certificates/facts.ts'
import {
  distrustCommands,
  entryName,
  placeName,
  type TrustEntry,
  trustCommands,
  typed,
} from '../certificates/trust-places.ts'
import type { TrustStore } from '../certificates/trust-stores.ts'
import { UserError } from '../errors.ts'
import type { Dependencies, Warning } from '../world.ts'
import { findHttpsGateways } from './https-gateways.ts'
import { authoritiesIn } from './serving-certificate.ts'

export interface CertTrustRequest {
  /** Forget instead: all that we put there, or a domain's alone. */
  remove: boolean
  /** The domain whose authority this machine has; those that are exposed with when left out. */
  domain?: string | undefined
  /** The gateway's, where several are. */
  namespace?: string | undefined
  yes: boolean
  dryRun: 'none' | 'client'
}

export interface StoreOutcome {
  store: string
  /** `by-hand`: the commands are for the person to run. */
  action: 'trusted' | 'forgotten' | 'unchanged' | 'by-hand' | 'failed'
  commands: string[]
  /** Why it failed, or why it has to be done by hand. */
  message?: string
}

export interface CertTrustResult {
  outcome: 'planned' | 'declined' | 'applied'
  /** SHA-256 fingerprints of the authorities. */
  authorities: string[]
  stores: StoreOutcome[]
  warnings: Warning[]
}

type Needs = Pick<Dependencies, 'cluster' | 'authorities' | 'trustStores' | 'terminal' | 'clock'>

/** What is to be done in a store. */
interface Step {
  store: TrustStore
  entries: TrustEntry[]
  commands: string[][]
}

/** @throws UserError NOT_EXPOSED, AUTHORITY_NOT_FOUND, CONSENT_REQUIRED */
export async function certTrust(request: CertTrustRequest, dependencies: Needs): Promise<CertTrustResult> {
  const { remove, domain, yes, dryRun } = request
  const { trustStores } = dependencies
  // All of ours can be forgotten without asking the cluster, which may be gone.
  const wanted = remove && domain === undefined ? undefined : await requireAuthorities(request, dependencies)
  const [stores, staged] = await Promise.all([trustStores.find(), trustStores.staged()])
  const steps = stores.map((store) => {
    const names = openNames(store, [...(wanted?.keys() ?? store.entries ?? staged)], remove)
    return planStep(
      store,
      names.map((name) => ({ name, file: trustStores.fileOf(name) })),
      remove,
    )
  })
  const result = (outcome: CertTrustResult['outcome'], outcomes: StoreOutcome[]): CertTrustResult => ({
    outcome,
    authorities: [...(wanted?.values() ?? [])].map((pem) => factsOf(pem, dependencies.clock.now())?.fingerprint ?? ''),
    stores: outcomes,
    warnings: stores.length === 0 ? [noStores()] : [],
  })
  const planned = steps.map((step) => outcomeOf(step, step.commands.length === 0 ? 'unchanged' : doneAction(remove)))
  if (dryRun !== 'none') return result('planned', planned)
  if (!(await confirmed(steps, remove, yes, dependencies))) return result('declined', [])
  for (const [name, pem] of wanted ?? []) if (!remove) await trustStores.stage(name, pem)
  const outcomes: StoreOutcome[] = []
  for (const step of steps) outcomes.push(await take(step, remove, dependencies))
  if (remove) await unstageAll(steps, outcomes, dependencies)
  return result('applied', outcomes)
}

/** PEM by the name that each has in stores. */
async function requireAuthorities(
  { domain, namespace }: CertTrustRequest,
  { cluster, authorities, clock }: Needs,
): Promise<Map<string, string>> {
  const texts = domain === undefined ? await exposedWith(namespace, cluster) : [await keptFor(domain, authorities)]
  const named = texts
    .flatMap(certificatesIn)
    .map((pem) => [entryName(factsOf(pem, clock.now())?.fingerprint ?? ''), pem] as const)
  return new Map(named)
}

async function keptFor(domain: string, authorities: Needs['authorities']): Promise<string> {
  const kept = await authorities.find(domain)
  if (kept !== undefined) return trustedWith(kept)
  throw new UserError('AUTHORITY_NOT_FOUND', `this machine has no authority for ${domain}`, {
    suggestions: [`kubectl telemetry cert create --domain ${domain}`, 'leave --domain out   # asks the cluster'],
  })
}

async function exposedWith(namespace: string | undefined, cluster: Needs['cluster']): Promise<string[]> {
  const gateways = await findHttpsGateways({ namespace }, cluster)
  const texts = gateways.flatMap(({ secret }) => (secret === undefined ? [] : [authoritiesIn(secret)]))
  if (texts.some((text) => certificatesIn(text).length > 0)) return texts
  throw new UserError('NOT_EXPOSED', 'nothing is exposed with an authority of which the cluster knows', {
    suggestions: ['kubectl telemetry expose', '--domain example.com   # whose authority this machine has'],
  })
}

/** Where it cannot be told what is there, all is done. */
function openNames({ entries }: TrustStore, names: string[], remove: boolean): string[] {
  return names.filter((name) => entries === undefined || entries.includes(name) === remove)
}

function planStep(store: TrustStore, entries: TrustEntry[], remove: boolean): Step {
  const commandsFor = remove ? distrustCommands : trustCommands
  return { store, entries, commands: entries.length === 0 ? [] : commandsFor(store.place, entries) }
}

async function confirmed(steps: Step[], remove: boolean, yes: boolean, { terminal }: Needs): Promise<boolean> {
  const open = steps.filter(({ commands, store }) => commands.length > 0 && store.obstacle === undefined)
  if (yes || open.length === 0) return true
  if (!terminal.interactive) {
    throw new UserError(
      'CONSENT_REQUIRED',
      'what this machine trusts would be changed, and there is no terminal to ask on',
      {
        suggestions: ['-y', '--dry-run=client   # shows the commands'],
      },
    )
  }
  for (const { commands } of open) for (const command of commands) terminal.note(`  ${typed(command)}`)
  return terminal.confirm(`${remove ? 'Forget' : 'Trust'} the authority on this machine, by these commands?`)
}

async function take(step: Step, remove: boolean, { trustStores }: Needs): Promise<StoreOutcome> {
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
  'by-hand': 'on this system you do it yourself',
}

function outcomeOf({ store: { place, obstacle }, commands }: Step, action: StoreOutcome['action']): StoreOutcome {
  const needsHand = commands.length > 0 && obstacle !== undefined
  const sudo = obstacle === 'not-allowed' ? 'sudo ' : ''
  return {
    store: placeName(place),
    action: needsHand ? 'by-hand' : action,
    commands: commands.map((command) => sudo + typed(command)),
    ...(needsHand ? { message: OBSTACLES[obstacle] } : {}),
  }
}

/** Files that commands by hand still need stay. */
async function unstageAll(steps: Step[], outcomes: StoreOutcome[], { trustStores }: Needs): Promise<void> {
  if (outcomes.some(({ action }) => action === 'by-hand' || action === 'failed')) return
  for (const { name } of steps.flatMap(({ entries }) => entries)) await trustStores.unstage(name)
}

function noStores(): Warning {
  return {
    code: 'NO_TRUST_STORE',
    message: 'no trust store was found on this machine, neither of the system nor of a browser',
    remedy: 'kubectl telemetry cert export ca   # and import it where you need it',
  }
}

/** Whether the exit code is 0: every store is as it should be, by our doing. */
export function succeeded({ outcome, stores, warnings }: CertTrustResult): boolean {
  if (outcome === 'planned') return true
  return (
    outcome === 'applied' &&
    warnings.length === 0 &&
    stores.every(({ action }) => action !== 'by-hand' && action !== 'failed')
  )
}
