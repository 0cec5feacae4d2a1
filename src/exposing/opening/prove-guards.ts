/**
 * Proves at the gateway, as a stranger would see it, that a guard is in force. Some paths below the host never lead to the add-on: the
 * route answers them with a header of ours, unless a guard does (manifests/probe-paths.ts). So the proof needs no page and no allowed address.
 */

import type { Guard } from '../../access/guard.ts'
import { argumentsFor, titleOf } from '../../addons/service-name.ts'
import { UserError } from '../../errors.ts'
import { type Finding, fails, type Severity } from '../../findings.ts'
import type { Cause } from '../../gateways/upstream/causes.ts'
import { LOGIN_PROBE, MARKER } from '../../manifests/probe-paths.ts'
import type { Probe, ProbeTarget } from '../../probing/prober.ts'
import { sh } from '../../shell.ts'
import { until, type Wait } from '../../time/until.ts'
import type { Dependencies } from '../../world.ts'
import type { Exposure } from '../spec.ts'
import { CauseSearch, type Mesh } from './cause-search.ts'

/** A pushed configuration reaches Envoy in about 100 ms (istiod's debounce), so asking more often gains nothing. */
export const PAUSE = 100

export interface GuardProof {
  exposure: Exposure
  guard: Guard
  /** The path that the policy denies to everybody; left out when the guard has no policy. */
  listPath?: string | undefined
}

export interface Verdict {
  /** `without effect`: a stranger got past the guard. `unknown`: something else answered, or nothing. */
  guard: 'in force' | 'without effect' | 'unknown'
  /** What the guard answered, or did not. */
  probe: Probe
  /** What keeps the gateway from the guard, as the configuration of the mesh says. */
  cause?: Cause | undefined
}

export interface Asking {
  /** The address and the trust of the probes. */
  to: Omit<ProbeTarget, 'host' | 'port' | 'path'>
  /** Pods behind the address: each new connection reaches one of them. */
  pods: number
  /** Milliseconds; at least one look is taken. */
  timeout: number
  /** Where to look for what keeps the gateway from the guard. */
  mesh?: Mesh
}

type Needs = Pick<Dependencies, 'prober' | 'clock' | 'terminal'>

/** Asks until the guard is in force, a cause is known that waiting does not change, or the time is up. */
export async function proveGuard(
  proof: GuardProof,
  { to, pods, timeout, mesh }: Asking,
  { prober, clock, terminal }: Needs,
): Promise<Verdict> {
  const { url } = proof.exposure
  const ask = asker(proof.exposure, to, prober)
  const causes = new CauseSearch(mesh, timeout, clock)
  let seen = 0
  const wait: Wait<Verdict> = {
    look: async () => {
      const verdict = await look(proof, ask)
      seen = verdict.guard === 'in force' ? seen + 1 : 0
      return verdict.guard === 'unknown' ? { ...verdict, cause: await causes.find(verdict.probe) } : verdict
    },
    isDone: ({ cause }) => cause !== undefined || seen >= (pods > 1 ? 3 * pods : 1),
    pause: PAUSE,
    timeout,
    explain: ({ probe }: Verdict) =>
      terminal.note(
        `waiting until the guard of ${url} is in force (up to ${Math.round(timeout / 1000)} s): ${saidBy(probe)}`,
      ),
  }
  return until(wait, clock)
}

/** Asks as a stranger at an entry, and sees whether the answer is one of our own routes. */
export function asker(
  { host, port = 0, secure }: Pick<Exposure, 'host' | 'port' | 'secure'>,
  to: Asking['to'],
  prober: Needs['prober'],
): (path: string) => Promise<Probe> {
  const authorityCertificate = secure ? to.authorityCertificate : undefined
  return (path) => prober.probe({ ...to, authorityCertificate, host, port, path, header: MARKER })
}

async function look({ guard, listPath }: GuardProof, ask: (path: string) => Promise<Probe>): Promise<Verdict> {
  const [login, list] = await Promise.all([ask(LOGIN_PROBE), listPath === undefined ? undefined : ask(listPath)])
  const asked = ofLogin(guard, login)
  return list === undefined || asked.guard !== 'in force' ? asked : ofList(list)
}

/**
 * A login answers 401. Without one, or with an external authorizer, the answer of the route (or of a former login, which is removed later)
 * shows that not everything is refused: then a refusal of the other path would prove nothing.
 */
function ofLogin({ login }: Guard, probe: Probe): Verdict {
  const isOwn = probe.header !== undefined
  const asks = probe.hop === 'access' && probe.status === 401
  if (login === undefined || login.kind === 'ext-authz') return { guard: isOwn || asks ? 'in force' : 'unknown', probe }
  return { guard: isOwn ? 'without effect' : asks ? 'in force' : 'unknown', probe }
}

function ofList(probe: Probe): Verdict {
  if (probe.header !== undefined) return { guard: 'without effect', probe }
  return { guard: probe.hop === 'access' && probe.status === 403 ? 'in force' : 'unknown', probe }
}

function saidBy({ message, status }: Probe): string {
  return message ?? `HTTP ${status}`
}

/** A route that answers 403 to everybody. */
export function routeClosed({ name: addon, host }: Pick<Exposure, 'name' | 'host'>, severity: Severity): Finding {
  const message = `${host} is closed for everybody until the guard of ${titleOf(addon)} is in force: a run was interrupted, or the guard had no effect`
  const words = argumentsFor(addon)
  const remedies = [
    sh`kubectl telemetry expose ${words}   # opens it when its guard is in force`,
    sh`kubectl telemetry expose ${words} --auth basic   # another guard, if there is none; --auth none opens it without one`,
  ]
  return { code: 'ROUTE_CLOSED', severity, message, remedies }
}

/** A guard that strangers pass. @param closed whether the route is closed therefore */
export function guardPassed({ exposure: { name: addon, url }, guard }: GuardProof, closed: boolean): Finding {
  const what = guard.login === undefined ? 'its allow list' : 'its login'
  const therefore = closed ? ', so the route is closed for everybody' : ''
  return fails(
    'GUARD_WITHOUT_EFFECT',
    `the guard of ${url} has no effect: the gateway lets strangers pass ${what}${therefore}`,
    ...causes(guard),
    sh`kubectl telemetry expose ${argumentsFor(addon)}   # tries again, and closes the route until the guard is in force`,
  )
}

/** Why a route stays closed, or is closed again. */
export function unproven(proof: GuardProof, { guard: verdict, probe, cause }: Verdict): Finding {
  if (verdict === 'without effect') return guardPassed(proof, true)
  const { name: addon, url } = proof.exposure
  return fails(
    'GUARD_NOT_PROVEN',
    `it could not be seen that the guard of ${url} is in force (${saidBy(probe)}${cause === undefined ? '' : `; ${cause.message}`}), so the route is closed for everybody`,
    ...(cause === undefined
      ? [
          sh`kubectl telemetry expose ${argumentsFor(addon)}   # tries again; on a machine that reaches the gateway, or with --ingress-ip`,
          'istioctl analyze -A',
        ]
      : [...cause.remedies, sh`kubectl telemetry expose ${argumentsFor(addon)}   # then opens the route`]),
  )
}

/** The guard of another exposure could not be seen to be for the new hosts. */
export function notUpdated({ exposure: { name: addon, url } }: GuardProof, { probe }: Verdict): UserError {
  const message = `it could not be seen that the guard of ${url} is also in force for connections to the new host (${saidBy(probe)}), so the new host is not served`
  return new UserError('GUARD_NOT_UPDATED', message, {
    suggestions: [
      'run the command again   # on a machine that reaches the gateway, or with --ingress-ip',
      sh`kubectl telemetry expose ${argumentsFor(addon)}   # proves the guard, or closes its route`,
    ],
  })
}

function causes({ login }: Guard): string[] {
  return login?.kind === 'basic' || login?.kind === 'jwt'
    ? [
        'kubectl get envoyfilters.networking.istio.io -A   # another one may remove ours; some control planes accept none',
      ]
    : ['kubectl get authorizationpolicies.security.istio.io -A']
}
