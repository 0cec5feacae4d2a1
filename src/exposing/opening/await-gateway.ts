/** Waits until the gateway has the routes that were opened, and no longer the guards that were lifted: a check would see those of before. */

import type { Guard } from '../../access/guard.ts'
import { listPathIn } from '../../access/guard-reader.ts'
import { LOGIN_PROBE, OPEN } from '../../manifests/probe-paths.ts'
import type { Probe } from '../../probing/prober.ts'
import { until, waitFor } from '../../time/until.ts'
import type { Dependencies } from '../../world.ts'
import type { ExposePlan } from '../plan.ts'
import type { Exposure } from '../spec.ts'
import { type Asking, asker, PAUSE } from './prove-guards.ts'
import { addonOf } from './stages.ts'

/** Milliseconds after which the check is made in any case. */
const PATIENCE = 5_000
/** Milliseconds for routes behind a login, which hides whether they are open. */
const PUSH = 1_000

/** @param opened add-ons whose route was opened */
export async function awaitGateway(
  plan: ExposePlan,
  { exposures, opened }: { exposures: readonly Exposure[]; opened: readonly string[] },
  { to }: Asking,
  { prober, clock }: Pick<Dependencies, 'prober' | 'clock'>,
): Promise<void> {
  const waits = exposures.map(async (exposure) => {
    const { name: addon } = exposure
    const guard = plan.spec.guarding.guards[addon]
    const ask = asker(exposure, to, prober)
    const wait = (look: () => Promise<boolean>) =>
      until({ look, isDone: (done) => done, pause: PAUSE, timeout: PATIENCE }, clock)
    if (guard === undefined) {
      const paths = liftedPaths(plan, addon)
      if (paths.length > 0) await wait(async () => !(await Promise.all(paths.map(ask))).some(isRefused))
    } else if (opened.includes(addon)) {
      await (hidesRoutes(guard) ? waitFor(PUSH, clock) : wait(async () => (await ask(LOGIN_PROBE)).header === OPEN))
    }
  })
  await Promise.all(waits)
}

/** Paths that the former guard of an add-on refuses to everybody. */
function liftedPaths({ changes }: ExposePlan, addon: string): string[] {
  const removed = changes.filter((change) => change.by === 'removing' && addonOf(change) === addon)
  return removed.flatMap(({ manifest }) => {
    const path = manifest.kind === 'EnvoyFilter' ? LOGIN_PROBE : listPathIn([manifest])
    return path === undefined ? [] : [path]
  })
}

function isRefused({ hop, header }: Probe): boolean {
  return hop === 'access' && header === undefined
}

function hidesRoutes({ login }: Guard): boolean {
  return login?.kind === 'basic' || login?.kind === 'jwt'
}
