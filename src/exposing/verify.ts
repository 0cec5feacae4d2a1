/** Proves an exposure: fetches each page as a client outside would, until it answers or the time is up. */
import type { Credentials, Guards, Login } from '../access/guard.ts'
import { argumentsFor, serviceNamed, titleOf } from '../addons/service-name.ts'
import { type Finding, fails, warns } from '../findings.ts'
import type { IngressAddress } from '../gateways/address.ts'
import type { Cause } from '../gateways/upstream/causes.ts'
import { MARKER } from '../manifests/probe-paths.ts'
import type { Probe, ProbeTarget } from '../probing/prober.ts'
import { sh } from '../shell.ts'
import { until, type Wait } from '../time/until.ts'
import type { Dependencies } from '../world.ts'
import { CauseSearch, type Mesh } from './opening/cause-search.ts'
import { type GuardProof, PAUSE, proveGuard, type Verdict } from './opening/prove-guards.ts'
import { resolutionWarnings } from './resolution.ts'
import { type Exposure, hostsOf } from './spec.ts'

/** Milliseconds in which a guard that was in force before shows itself. */
const LOOK_AGAIN = 5_000

type Needs = Pick<Dependencies, 'prober' | 'clock' | 'terminal'>

export interface Verification {
  ingress: IngressAddress
  /** PEM; undefined for HTTP. */
  authorityCertificate: string | undefined
  trustPartialChain?: boolean
  /** By add-on. */
  guards: Guards
  /** The password that this run generated; valid at add-ons that use it. */
  generated?: Credentials | undefined
  /** By add-on: the path that its allow list denies to everybody. */
  listPaths: Readonly<Record<string, string | undefined>>
  /** Add-ons whose guard this run has proven already. */
  proven: readonly string[]
  /** Where to look for what keeps the gateway from an add-on; left out when no Service leads to its pods. */
  mesh?: Mesh | undefined
}

/** One probe for each exposure. */
export interface ProbeReport {
  probes: Probe[]
  warnings: readonly Finding[]
  /** Guards without effect: strangers pass them. */
  passed: readonly PassedGuard[]
}

export interface PassedGuard {
  proof: GuardProof
  verdict: Verdict
}

/** @param timeout milliseconds; at least one probe is made */
export async function verifyExposures(
  exposures: readonly Exposure[],
  verification: Verification,
  timeout: number,
  world: Needs,
): Promise<ProbeReport> {
  const { ingress, guards } = verification
  const [verified, unresolved] = await Promise.all([
    Promise.all(exposures.map((exposure) => verifyExposure(exposure, verification, timeout, world))),
    resolutionWarnings(hostsOf(exposures), ingress, world.prober),
  ])
  const probes = verified.map(({ probe }) => probe)
  const passed = verified.flatMap((one) => one.passed ?? [])
  const isSound = ({ name: addon }: Exposure) => passed.every(({ proof }) => proof.exposure.name !== addon)
  const sound = exposures.map((exposure, index) => (isSound(exposure) ? probes[index] : undefined))
  const causes = verified.map(({ cause }) => cause)
  const warnings = [...hopWarnings(exposures, sound, { ingress, causes }), ...accessWarnings(exposures, sound, guards)]
  return { probes, warnings: [...warnings, ...unresolved], passed }
}

interface Verified extends Probed {
  passed?: PassedGuard
}

interface Probed {
  probe: Probe
  cause?: Cause | undefined
}

/** With a guard, a stranger must be refused; with a generated password, a request must succeed. */
async function verifyExposure(
  exposure: Exposure,
  verification: Verification,
  timeout: number,
  world: Needs,
): Promise<Verified> {
  const { name: addon, host, port, path, secure } = exposure
  const { ingress, guards, generated, listPaths, proven, mesh, ...trusted } = verification
  const trust = secure ? trusted : { authorityCertificate: undefined }
  const target = { ...trust, host, path, address: ingress.address, port: port ?? 0, header: MARKER }
  const guard = guards[addon]
  const login = guard?.login
  const asking = { exposure, timeout, mesh }
  if (guard === undefined) return probeUntil(target, opened, asking, world)
  const judge = login === undefined ? opened : (probe: Probe) => withoutLogin(opened(probe), login)
  const asked = await probeUntil(target, judge, asking, world)
  const stranger = asked.probe
  const proof = { exposure, guard, listPath: listPaths[addon] }
  if (isIntruder(stranger))
    return { probe: stranger, passed: { proof, verdict: { guard: 'without effect', probe: stranger } } }
  if (!proven.includes(addon) && stranger.ok) {
    const again = { to: { ...trust, address: ingress.address }, pods: 1, timeout: Math.min(timeout, LOOK_AGAIN) }
    const verdict = await proveGuard(proof, again, world)
    if (verdict.guard === 'without effect') return { probe: passedBy(stranger), passed: { proof, verdict } }
  }
  const hasPassword = generated !== undefined && login?.kind === 'basic' && login.users.includes(generated.line)
  if (!stranger.ok || stranger.status === 403 || !hasPassword) return asked
  const authorization = `Basic ${Buffer.from(`${generated.user}:${generated.password}`).toString('base64')}`
  return probeUntil({ ...target, authorization }, opened, asking, world)
}

/** The closed route answers until the gateway has the open one. */
function opened(probe: Probe): Probe {
  return probe.header === undefined
    ? probe
    : { ...probe, ok: false, hop: 'route', message: 'the route is still closed' }
}

/** Which paths a Service has is not known, and many have no page at `/`: its own 404 shows that the gateway reaches it. */
function answered(probe: Probe, { name: addon }: Pick<Exposure, 'name'>): Probe {
  const { hop, status = 0, wrongProtocol } = probe
  const isAnswer = hop === 'upstream' && status >= 400 && status < 500 && wrongProtocol === undefined
  return isAnswer && serviceNamed(addon) !== undefined ? { ...probe, ok: true } : probe
}

const LETS_IN = 'the gateway lets anyone in'

/** A stranger who got past the guard. The prober itself counts every refusal as reached. */
function isIntruder({ ok, hop }: Probe): boolean {
  return !ok && hop === 'access'
}

function passedBy(probe: Probe): Probe {
  return { ...probe, ok: false, hop: 'access', message: `${LETS_IN}: its guard has no effect` }
}

/**
 * A page that needs no login is a failure here. An external authorizer is the exception: its answers look like those of the add-on
 * (Envoy passes on the header that would distinguish them), and it may allow requests without a login.
 */
function withoutLogin(probe: Probe, login: Login): Probe {
  if (!probe.ok || probe.hop === 'access') return probe
  const { status = 0 } = probe
  if (login.kind === 'ext-authz') return status >= 300 ? { ...probe, hop: 'access' } : probe
  const message = `${LETS_IN} (${status}) and asks for no login`
  return { ...probe, ok: false, hop: 'access', message }
}

/**
 * Ends early when the configuration of the mesh gives a cause.
 * @param judge the verdict on a probe: a page that answers may still be a failure
 */
async function probeUntil(
  target: ProbeTarget,
  judge: (probe: Probe) => Probe,
  { exposure, timeout, mesh }: { exposure: Exposure; timeout: number; mesh: Mesh | undefined },
  { prober, clock, terminal }: Needs,
): Promise<Probed> {
  const causes = new CauseSearch(mesh, timeout, clock)
  const isOver = (probe: Probe) => probe.ok || isIntruder(probe)
  const wait: Wait<Probed> = {
    look: async () => {
      const probe = judge(answered(await prober.probe(target), exposure))
      return isOver(probe) ? { probe } : { probe, cause: await causes.find(probe, exposure) }
    },
    isDone: ({ probe, cause }) => isOver(probe) || cause !== undefined,
    pause: PAUSE,
    timeout,
    explain: ({ probe: { message, status } }) =>
      terminal.note(
        `waiting for ${exposure.url} (up to ${Math.round(timeout / 1000)} s): ${message ?? `HTTP ${status}`}`,
      ),
  }
  const last = await until(wait, clock)
  if (isOver(last.probe) || last.cause !== undefined) return last
  return { ...last, cause: await causes.unknown(last.probe, exposure) }
}

/** The next command for a hop that failed. */
function hopWarnings(
  exposures: readonly Exposure[],
  probes: readonly (Probe | undefined)[],
  { ingress: { address }, causes }: { ingress: IngressAddress; causes: readonly (Cause | undefined)[] },
): Finding[] {
  return exposures.flatMap(({ name: addon, namespace, port, url }, index) => {
    const probe = probes[index]
    if (probe === undefined || probe.ok) return []
    const failure = `${url} does not answer: ${probe.message ?? `HTTP ${probe.status}`}`
    const cause = causes[index]
    if (cause !== undefined) return [fails('PROBE_FAILED', `${failure}; ${cause.message}`, ...cause.remedies)]
    const remedies = {
      dns: ['check that the load balancer exists and that DNS works here, or name another address with --ingress-ip'],
      tcp: [
        `check that ${address} port ${port} is reachable from here (firewall, VPN), or name another address with --ingress-ip`,
      ],
      access: [
        sh`kubectl telemetry cleanup ${argumentsFor(addon)}   # closes it while you look for the cause: istioctl analyze -A, istiod's log`,
      ],
      tls: [
        'run kubectl telemetry expose again; if that does not help: istioctl proxy-config secret GATEWAY_POD',
        sh`kubectl telemetry expose ${argumentsFor(addon)} --insecure   # if a load balancer in front of the gateway ends TLS: the gateway then serves HTTP`,
      ],
      route: ['istioctl analyze -A   # another Gateway or VirtualService may claim this host'],
      upstream: [sh`kubectl -n ${namespace} get pods   # is ${titleOf(addon)} Ready?`],
    }[probe.hop]
    return [fails('PROBE_FAILED', failure, ...remedies)]
  })
}

/** Access that is refused to this machine is a warning, not a failure. */
function accessWarnings(
  exposures: readonly Exposure[],
  probes: readonly (Probe | undefined)[],
  guards: Guards,
): Finding[] {
  return exposures.flatMap(({ name: addon, url }, index) => {
    const probe = probes[index]
    const { cidrs, login } = guards[addon] ?? {}
    if (login?.kind === 'ext-authz' && probe?.ok && probe.hop !== 'access')
      return [allowedWithoutLogin(url, login.provider)]
    if (probe?.hop !== 'access' || probe.status !== 403) return []
    if (cidrs !== undefined) return [notAllowed(addon, url, cidrs)]
    return login?.kind === 'ext-authz' ? [] : [refusedByOthers(url)]
  })
}

function notAllowed(addon: string, url: string, cidrs: string[]): Finding {
  const message = `the allow list of ${url} (${cidrs.join(', ')}) does not contain the address from which the gateway sees this machine`
  const words = cidrs.flatMap((cidr) => ['--allow-cidr', cidr])
  return warns(
    'CLIENT_NOT_ALLOWED',
    message,
    sh`kubectl telemetry expose ${argumentsFor(addon)} ${words} --allow-cidr ADDRESS`,
  )
}

function allowedWithoutLogin(url: string, provider: string): Finding {
  const message = `${provider} lets this machine into ${url} without a login`
  return warns('AUTHORIZER_LETS_IN', message, `check the rules of ${provider}`)
}

function refusedByOthers(url: string): Finding {
  const message = `the gateway answers 403 for ${url} because of a policy that kubectl telemetry did not create`
  return warns('ACCESS_REFUSED', message, 'kubectl get authorizationpolicies.security.istio.io -A')
}
