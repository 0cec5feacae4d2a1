/** Proves an exposure: fetches each page as a client outside would, until it answers or the time is up. */
import type { IngressAddress } from '../gateways/address.ts'
import type { Probe, ProbeTarget } from '../probing/prober.ts'
import type { Dependencies, Warning } from './dependencies.ts'
import type { Exposure } from './exposure-plan.ts'
import { resolutionWarnings } from './resolution.ts'

/** A pushed configuration reaches Envoy in about 100 ms (istiod's debounce), so asking more often gains nothing. */
const PAUSE = 100
/** After this long without an answer the person is told what is waited for. */
const PATIENCE = 3_000

type Verifying = Pick<Dependencies, 'prober' | 'clock' | 'terminal'>

/** @param timeout milliseconds; at least one probe is made */
export async function verifyExposures(
  exposures: Exposure[],
  { ingress, ...trust }: { ingress: IngressAddress } & Pick<ProbeTarget, 'authorityCertificate' | 'trustPartialChain'>,
  timeout: number,
  dependencies: Verifying,
): Promise<{ probes: Probe[]; warnings: Warning[] }> {
  const { address } = ingress
  const [probes, unresolved] = await Promise.all([
    Promise.all(
      exposures.map(({ host, port, path, url }) =>
        probeUntil({ host, path, address, port: port ?? 0, ...trust }, url, timeout, dependencies),
      ),
    ),
    resolutionWarnings([...new Set(exposures.map(({ host }) => host))], ingress, dependencies.prober),
  ])
  return { probes, warnings: [...hopWarnings(exposures, probes, ingress), ...unresolved] }
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
      tls: 'kubectl telemetry expose again; if it stays: istioctl proxy-config secret POD_OF_THE_GATEWAY',
      route: 'istioctl analyze -A   # another Gateway or VirtualService may claim this host',
      upstream: `kubectl -n ${namespace} get pods   # is ${addon} Ready?`,
    }[probe.hop]
    return [
      { code: 'PROBE_FAILED', message: `${url} does not answer: ${probe.message ?? `HTTP ${probe.status}`}`, remedy },
    ]
  })
}
