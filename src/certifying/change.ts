/** Replaces certificates in their Secrets: rehearse, confirm, apply, then wait until the gateway serves them. */
import { factsOf } from '../certificates/facts.ts'
import { applyChanges, type Change, type ObjectOutcome, outcomeOf, planChanges, rehearse } from '../changes/changes.ts'
import { type Confirmation, confirm, counted } from '../changes/confirmation.ts'
import { Progress } from '../changes/progress.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import type { Secret } from '../cluster/objects.ts'
import { EXPOSING } from '../cluster/ownership.ts'
import { SECRETS } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { asFinding, type Finding, noneFails } from '../findings.ts'
import { secretText } from '../manifests/tls-secret.ts'
import type { ServedCertificate } from '../probing/prober.ts'
import { until, type Wait } from '../time/until.ts'
import type { Dependencies } from '../world.ts'
import type { HttpsGateway } from './https-gateways.ts'
import { type CertificateReport, type Needs as ReportNeeds, reportOn, secretOf } from './report.ts'
import { requireServable } from './secret-content.ts'

/** istiod hands a changed Secret to Envoy in about 100 ms, so asking more often gains nothing. */
const PAUSE = 100

/** A Gateway, and the new content of its Secret. */
export interface NewCertificate {
  gateway: HttpsGateway
  manifest: KubeObject
}

export interface ChangeOptions {
  yes: boolean
  dryRun: 'none' | 'client' | 'server'
  /** Milliseconds to wait until the gateway serves what was written. */
  timeout: number
}

export interface CertificateChangeResult {
  outcome: 'planned' | 'declined' | 'applied'
  /** The certificates after the change. */
  certificates: CertificateReport[]
  objects: ObjectOutcome[]
  warnings: Finding[]
}

export type Needs = ReportNeeds & Pick<Dependencies, 'cluster' | 'terminal'>

/** The certificates to write, and the related steps on this machine. */
export interface CertificateChange {
  /** For the question: `Create a new certificate`. */
  what: string
  wanted: NewCertificate[]
  /** What was found before, such as Gateways that get no certificate. */
  warnings: Finding[]
  /** Whether a Secret that cannot be changed is a finding, and does not stop the others. */
  apart?: boolean
  /** Runs before the first write, once the user has confirmed. */
  before?: () => Promise<void>
  /** Runs after the last write. */
  after?: () => Promise<void>
}

export async function changeCertificates(
  change: CertificateChange,
  { yes, dryRun, timeout }: ChangeOptions,
  world: Needs,
): Promise<CertificateChangeResult> {
  const { what, before, after } = change
  const { cluster } = world
  const { wanted, changes, warnings: refused } = await planSecrets(change, dryRun !== 'client', world)
  const now = async (outcome: CertificateChangeResult['outcome'], gateways: HttpsGateway[], done: Change[]) => {
    const reports = await Promise.all(gateways.map((gateway) => reportOn(gateway, world)))
    return {
      outcome,
      certificates: reports.map(({ certificate }) => certificate),
      objects: done.map(outcomeOf),
      warnings: [...change.warnings, ...refused, ...reports.flatMap(({ warnings }) => warnings)],
    }
  }
  const present = wanted.map(({ gateway }) => gateway)
  if (dryRun !== 'none') return now('planned', present, changes)
  const { terminal } = world
  const open = changes.some(({ action }) => action !== 'unchanged')
  if (open && !(await confirm(confirmationOf(what, wanted, yes), terminal))) return now('declined', present, changes)
  await before?.()
  const progress = new Progress()
  const applied = await progress.reportOnError(() => applyChanges(cluster, changes, progress))
  const written = present.map((gateway, index) => ({ ...gateway, secret: applied[index]?.after as Secret | undefined }))
  await Promise.all(written.map((gateway) => awaitServed(gateway, timeout, world)))
  await after?.()
  return now('applied', written, applied)
}

interface PlannedSecrets {
  wanted: NewCertificate[]
  /** One for each of `wanted`. */
  changes: Change[]
  warnings: Finding[]
}

/** @throws UserError the first refusal, if there is no other Secret or if all of them have to be changed */
async function planSecrets(
  { wanted, apart = false }: CertificateChange,
  rehearsed: boolean,
  { cluster, clock }: Needs,
): Promise<PlannedSecrets> {
  const planned = await Promise.all(
    wanted.map(async (one) => {
      const { manifest, gateway } = one
      try {
        requireServable(manifest as Secret, clock.now())
        const plan = planChanges([{ resource: SECRETS, manifest }], gateway.secret ? [gateway.secret] : [], EXPOSING)
        return { one, plan: rehearsed ? await rehearse(cluster, plan) : plan }
      } catch (error) {
        if (!(error instanceof UserError)) throw error
        return { error }
      }
    }),
  )
  const refused = planned.flatMap(({ error }) => error ?? [])
  const good = planned.flatMap(({ one, plan = [] }) => (one === undefined ? [] : [{ one, plan }]))
  if (refused[0] !== undefined && (!apart || good.length === 0)) throw refused[0]
  return {
    wanted: good.map(({ one }) => one),
    changes: good.flatMap(({ plan }) => plan),
    warnings: refused.map((error) => asFinding(error, 'warns')),
  }
}

function confirmationOf(what: string, wanted: NewCertificate[], yes: boolean): Confirmation {
  const names = wanted.map(({ gateway }) => `${secretOf(gateway)} (${gateway.hosts.join(', ')})`)
  return {
    yes,
    effect: `change ${counted(wanted.length, 'Secret')}`,
    lines: [],
    question: `${what} in ${names.join(' and ')}?`,
    preview: 'server',
  }
}

/** Waits until the gateway serves the new certificate for every host, or the time is up. The report shows the result. */
async function awaitServed(
  { targets, secret }: HttpsGateway,
  timeout: number,
  { prober, clock, terminal }: Needs,
): Promise<void> {
  const wanted = factsOf(secretText(secret, 'tls.crt'), clock.now())?.fingerprint
  const wait: Wait<ServedCertificate[]> = {
    look: () => Promise.all(targets.map((target) => prober.servedCertificate(target))),
    isDone: (certificates) => certificates.every(({ fingerprint }) => fingerprint === wanted),
    pause: PAUSE,
    timeout,
    explain: () =>
      terminal.note(`waiting until the gateway serves the new certificate (up to ${Math.round(timeout / 1000)} s)`),
  }
  await until(wait, clock)
}

/** Whether the exit code is 0: nothing was declined, and no finding of an applied change fails. */
export function succeeded({ outcome, warnings }: CertificateChangeResult): boolean {
  return outcome !== 'declined' && (outcome === 'planned' || noneFails(warnings))
}
