/** Proves an exposure: fetches each page as a client outside would, until it answers or the time is up. */
import type { Credentials, Guards, Login } from '../access/guard.ts'
import type { IngressAddress } from '../gateways/address.ts'
import type { Probe, ProbeTarget } from '../probing/prober.ts'
import type { Dependencies, Warning } from '../world.ts'
import type { Exposure } from './plan.ts'
import { resolutionWarnings } from './resolution.ts'

/** A pushed configuration reaches Envoy in about 100 ms (istiod's debounce), so asking more often gains nothing. */
const PAUSE = 100
/** After this long without an answer the person is told what is waited for. */
const PATIENCE = 3_000

type Verifying = Pick<Dependencies, 'prober' | 'clock' | 'terminal'>

export interface Verification {
  ingress: IngressAddress
  /** Left out: HTTP. */
  authorityCertificate: string | undefined
  trustPartialChain?: boolean
  /** What stands in front of the add-ons. */
  guards: Guards
  /** A password that is good at those that were given it. */
  generated?: Credentials | undefined
}

/** @param timeout milliseconds; at least one probe is made */
export async function verifyExposures(
  exposures: Exposure[],
  verification: Verification,
  timeout: number,
  dependencies: Verifying,
): Promise<{ probes: Probe[]; warnings: Warning[] }> {
  const { ingress, guards } = verification
  const [probes, unresolved] = await Promise.all([
    Promise.all(exposures.map((exposure) => verifyExposure(exposure, verification, timeout, dependencies))),
    resolutionWarnings([...new Set(exposures.map(({ host }) => host))], ingress, dependencies.prober),
  ])
  const warnings = [...hopWarnings(exposures, probes, ingress), ...accessWarnings(exposures, probes, guards)]
  return { probes, warnings: [...warnings, ...unresolved] }
}

/** Where a login is asked for, strangers have to be turned away; then whoever has the password has to be let in. */
async function verifyExposure(
  { addon, host, port, path, url }: Exposure,
  { ingress: { address }, guards, generated, ...trust }: Verification,
  timeout: number,
  dependencies: Verifying,
): Promise<Probe> {
  const target = { host, path, address, port: port ?? 0, ...trust }
  const login = guards[addon]?.login
  if (login === undefined) return probeUntil(target, (probe) => probe, url, timeout, dependencies)
  const stranger = await probeUntil(target, (probe) => turnedAway(probe, login), url, timeout, dependencies)
  const knows = generated !== undefined && login.kind === 'basic' && login.users.includes(generated.line)
  if (!stranger.ok || stranger.status === 403 || !knows) return stranger
  const authorization = `Basic ${Buffer.from(`${generated.user}:${generated.password}`).toString('base64')}`
  return probeUntil({ ...target, authorization }, (probe) => probe, url, timeout, dependencies)
}

/**
 * A page that a stranger gets is a failure here. An external authorizer's answers look like the add-on's (Envoy hands on the header
 * that tells them apart), and it may let in whom it likes.
 */
function turnedAway(probe: Probe, login: Login): Probe {
  if (!probe.ok || probe.hop === 'access') return probe
  const { status = 0 } = probe
  if (login.kind === 'ext-authz') return status >= 300 ? { ...probe, hop: 'access' } : probe
  const message = `the gateway lets anyone in (${status}): no login is asked for`
  return { ...probe, ok: false, hop: 'access', message }
}

async function probeUntil(
  target: ProbeTarget,
  judge: (probe: Probe) => Probe,
  url: string,
  timeout: number,
  { prober, clock, terminal }: Verifying,
): Promise<Probe> {
  const started = clock.now().getTime()
  let told = false
  for (;;) {
    const probe = judge(await prober.probe(target))
    const elapsed = clock.now().getTime() - started
    if (probe.ok || elapsed >= timeout) return probe
    if (!told && elapsed >= PATIENCE) {
      terminal.note(
        `waiting for ${url} (up to ${Math.round(timeout / 1000)} s): ${probe.message ?? `HTTP ${probe.status}`}`,
      )
      told = true
    }
    await clock.sleep(PAUSE)
  }
}

/** The next command for a hop that failed. */
function hopWarnings(exposures: Exposure[], probes: Probe[], { address }: IngressAddress): Warning[] {
  return exposures.flatMap(({ addon, namespace, port, url }, index) => {
    const probe = probes[index]
    if (probe === undefined || probe.ok) return []
    const remedy = {
      dns: `has the load balancer been made yet, and is there DNS here? --ingress-ip names another address`,
      tcp: `is ${address} port ${port} reachable from here (firewall, VPN)? --ingress-ip names another address`,
      access: `kubectl telemetry cleanup ${addon}   # until it is known why: istioctl analyze -A, and istiod's log`,
      tls: 'kubectl telemetry expose again; if it stays: istioctl proxy-config secret POD_OF_THE_GATEWAY',
      route: 'istioctl analyze -A   # another Gateway or VirtualService may claim this host',
      upstream: `kubectl -n ${namespace} get pods   # is ${addon} Ready?`,
    }[probe.hop]
    return [
      { code: 'PROBE_FAILED', message: `${url} does not answer: ${probe.message ?? `HTTP ${probe.status}`}`, remedy },
    ]
  })
}

/** Being kept out is no failure, but worth knowing. */
function accessWarnings(exposures: Exposure[], probes: Probe[], guards: Guards): Warning[] {
  return exposures.flatMap(({ addon, url }, index) => {
    const probe = probes[index]
    const { cidrs, login } = guards[addon] ?? {}
    if (login?.kind === 'ext-authz' && probe?.ok && probe.hop !== 'access') return [letIn(url, login.provider)]
    if (probe?.hop !== 'access' || probe.status !== 403) return []
    if (cidrs !== undefined) return [keptOut(addon, url, cidrs)]
    return login?.kind === 'ext-authz' ? [] : [refusedByOthers(url)]
  })
}

function keptOut(addon: string, url: string, cidrs: string[]): Warning {
  const message = `${url} keeps this machine out: the address that the gateway sees of it is not in ${cidrs.join(', ')}`
  const words = cidrs.map((cidr) => `--allow-cidr ${cidr}`).join(' ')
  return { code: 'KEPT_OUT', message, remedy: `kubectl telemetry expose ${addon} ${words} --allow-cidr ADDRESS` }
}

function letIn(url: string, provider: string): Warning {
  const message = `${provider} lets this machine into ${url} without a login`
  return { code: 'AUTHORIZER_LETS_IN', message, remedy: `look at what ${provider} asks of whom` }
}

function refusedByOthers(url: string): Warning {
  const message = `${url} is answered 403 by the gateway, by a policy that is not ours`
  return { code: 'ACCESS_REFUSED', message, remedy: 'kubectl get authorizationpolicies.security.istio.io -A' }
}
