/** Makes add-ons reachable from outside through the ingress gateway: gather, plan, rehearse, confirm, apply, settle, verify. */
import { UserError } from '../errors.ts'
import { applyChanges, type Change, planChanges, rehearse } from './changes.ts'
import { requireConsent } from './consent.ts'
import type { Dependencies } from './dependencies.ts'
import { type ExposeReport, type Planned, report } from './expose-result.ts'
import { isWhole } from './exposed.ts'
import { type ExposurePlan, hostsOf, planExposure } from './exposure-plan.ts'
import { type Gathering, gather, readServing } from './exposure-survey.ts'
import { type Certificates, isSecret, requireCertificates } from './serving-certificate.ts'
import { verifyExposures } from './verify.ts'

export interface ExposeRequest extends Gathering {
  allowAnonymous: boolean
  yes: boolean
  dryRun: 'none' | 'client' | 'server'
  /** Milliseconds to wait for the pages to answer. */
  timeout: number
}

/** @throws UserError; see the codes in survey-addons.ts, survey-gateway.ts, changes.ts and consent.ts */
export async function expose(request: ExposeRequest, dependencies: Dependencies): Promise<ExposeReport> {
  const { cluster, terminal } = dependencies
  const { planned, changes } = await plan(request, dependencies)
  if (request.dryRun === 'client') return report('planned', planned, changes)
  const rehearsed = await rehearse(cluster, changes)
  if (request.dryRun === 'server') return report('planned', planned, rehearsed)

  const { gathered, certificates } = planned
  await requireConsent(gathered.addons, planned.plan.exposures, request.allowAnonymous, terminal)
  if (!(await confirmed(rehearsed, planned.plan, request.yes, dependencies)))
    return report('declined', planned, rehearsed)

  await keepAuthority(certificates, dependencies)
  await applyChanges(cluster, rehearsed)
  await settle(request, planned, dependencies)
  const { authority } = certificates
  const verified = await verifyExposures(
    planned.plan.exposures,
    gathered.address,
    authority.certificate,
    request.timeout,
    dependencies,
  )
  return report('applied', planned, rehearsed, verified)
}

/**
 * Another run may have written between our reading and our writing: then the Gateway lacks a host, the certificate a name, or an
 * object is gone. Whoever looks last sees it, and plans again.
 * @throws UserError UNSETTLED
 */
async function settle(request: ExposeRequest, planned: Planned, dependencies: Dependencies): Promise<void> {
  const { cluster } = dependencies
  let { gathered } = planned
  for (let attempt = 0; attempt < 5; attempt++) {
    const { namespace } = gathered.gateway
    const present = await readServing(cluster, gathered.istioVersion, namespace)
    const beside = present.filter(({ metadata }) => metadata.namespace === namespace)
    if (isWhole(beside, hostsOf(gathered))) return
    const again = await plan(request, dependencies)
    await applyChanges(cluster, await rehearse(cluster, again.changes))
    gathered = again.planned.gathered
  }
  throw new UserError(
    'UNSETTLED',
    'another run changes the same objects all the time; what is served may be half of it',
    {
      suggestions: ['wait for the other run, then run the command again'],
    },
  )
}

/** Everything up to the first write, which a dry run shows. */
async function plan(
  request: ExposeRequest,
  dependencies: Dependencies,
): Promise<{ planned: Planned; changes: Change[] }> {
  const { gathered, present, warnings } = await gather(request, dependencies)
  const certificates = await requireCertificates(
    gathered.domain,
    hostsOf(gathered),
    present.find(isSecret),
    dependencies,
  )
  const plan = planExposure(gathered, certificates)
  const authorityPath = dependencies.authorities.certificatePath(gathered.domain)
  return {
    planned: { gathered, plan, certificates, authorityPath, warnings },
    changes: planChanges(plan.manifests, present),
  }
}

/** Nothing to change needs no leave. */
async function confirmed(
  changes: Change[],
  { exposures }: ExposurePlan,
  yes: boolean,
  { terminal }: Dependencies,
): Promise<boolean> {
  const open = changes.filter(({ action }) => action !== 'unchanged')
  if (open.length === 0 || yes) return true
  if (!terminal.interactive) {
    throw new UserError(
      'CONSENT_REQUIRED',
      `${open.length} objects would be changed, and there is no terminal to ask on`,
      {
        suggestions: ['-y', '--dry-run=server   # shows them'],
      },
    )
  }
  for (const { manifest, action } of open) {
    const { namespace, name } = manifest.metadata
    terminal.note(`  ${manifest.kind} ${namespace}/${name}: ${action === 'created' ? 'create' : 'change'}`)
  }
  return terminal.confirm(`Expose ${exposures.map(({ url }) => url).join(', ')}?`)
}

async function keepAuthority({ authority, kept }: Certificates, { authorities }: Dependencies): Promise<void> {
  if (kept) return
  const winner = await authorities.keep(authority)
  if (winner.certificate === authority.certificate) return
  const message = `another run made the authority of ${authority.domain} at the same moment; nothing was changed in the cluster`
  throw new UserError('CONFLICT', message, { suggestions: ['run the command again'] })
}
