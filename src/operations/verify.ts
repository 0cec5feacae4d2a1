/** Proves an exposure: fetches each page as a client outside would, until it answers or the time is up. */
import type { Guards } from '../access/guard.ts'
import type { IngressAddress } from '../gateways/address.ts'
import type { Probe } from '../probing/prober.ts'
import type { Dependencies, Warning } from './dependencies.ts'
import type { Exposure } from './exposure-plan.ts'
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
  /** What stands in front of the add-ons. */
  guards: Guards
}

/** @param timeout milliseconds; at least one probe is made */
export async function verifyExposures(
  exposures: Exposure[],
  { ingress, authorityCertificate, guards }: Verification,
  timeout: number,
  dependencies: Verifying,
): Promise<{ probes: Probe[]; warnings: Warning[] }> {
  const { address } = ingress
  const [probes, unresolved] = await Promise.all([
    Promise.all(
      exposures.map(({ host, port, path, url }) =>
        probeUntil({ host, path, address, port: port ?? 0, authorityCertificate }, url, timeout, dependencies),
      ),
    ),
    resolutionWarnings([...new Set(exposures.map(({ host }) => host))], ingress, dependencies.prober),
  ])
  const warnings = [...hopWarnings(exposures, probes, ingress), ...accessWarnings(exposures, probes, guards)]
  return { probes, warnings: [...warnings, ...unresolved] }
}

async function probeUntil(
  target: Parameters<Verifying['prober']['probe']>[0],
  url: string,
  timeout: number,
  { prober, clock, terminal }: Verifying,
): Promise<Probe> {
  const started = clock.now().getTime()
  let told = false
  for (;;) {
    const probe = await prober.probe(target)
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
      access: 'istioctl analyze -A   # who refuses?',
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
    if (probe?.hop !== 'access' || probe.status !== 403) return []
    const cidrs = guards[addon]?.cidrs
    return cidrs === undefined ? [refusedByOthers(url)] : [keptOut(addon, url, cidrs)]
  })
}

function keptOut(addon: string, url: string, cidrs: string[]): Warning {
  const message = `${url} keeps this machine out: the address that the gateway sees of it is not in ${cidrs.join(', ')}`
  const words = cidrs.map((cidr) => `--allow-cidr ${cidr}`).join(' ')
  return { code: 'KEPT_OUT', message, remedy: `kubectl telemetry expose ${addon} ${words} --allow-cidr ADDRESS` }
}

function refusedByOthers(url: string): Warning {
  const message = `${url} is answered 403 by the gateway, by a policy that is not ours`
  return { code: 'ACCESS_REFUSED', message, remedy: 'kubectl get authorizationpolicies.security.istio.io -A' }
}
