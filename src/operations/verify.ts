/** Proves an exposure: fetches each page as a client outside would, until it answers or the time is up. */
import { isIP } from 'node:net'
import type { IngressAddress } from '../gateways/address.ts'
import type { Probe } from '../probing/prober.ts'
import type { Dependencies, Warning } from './dependencies.ts'
import type { Exposure } from './exposure-plan.ts'

/** A pushed configuration reaches Envoy in about 100 ms (istiod's debounce), so asking more often gains nothing. */
const PAUSE = 100
/** After this long without an answer the person is told what is waited for. */
const PATIENCE = 3_000

type Verifying = Pick<Dependencies, 'prober' | 'clock' | 'terminal'>

/** @param timeout milliseconds; at least one probe is made */
export async function verifyExposures(
  exposures: Exposure[],
  { address, port }: IngressAddress,
  authorityCertificate: string,
  timeout: number,
  dependencies: Verifying,
): Promise<{ probes: Probe[]; warnings: Warning[] }> {
  const [probes, warnings] = await Promise.all([
    Promise.all(
      exposures.map(({ host, path, url }) =>
        probeUntil({ host, path, address, port, authorityCertificate }, url, timeout, dependencies),
      ),
    ),
    Promise.all(exposures.map(({ host }) => resolutionWarning(host, address, dependencies))),
  ])
  return { probes, warnings: warnings.filter((warning) => warning !== undefined) }
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

/** The probe connects to the address itself; whether names lead there is a hop of its own, and often the user's to mend. */
async function resolutionWarning(host: string, address: string, { prober }: Verifying): Promise<Warning | undefined> {
  const found = await prober.resolve(host)
  const leads = isIP(address) === 0 ? found.length > 0 : found.includes(address)
  if (leads) return undefined
  const now =
    found.length === 0
      ? 'does not resolve on this machine (no DNS, or a filter against private addresses)'
      : `leads to ${found.join(', ')} here`
  return {
    code: 'DNS_UNRESOLVED',
    message: `${host} ${now}`,
    remedy:
      isIP(address) === 0
        ? `make ${host} an alias (CNAME) of ${address}`
        : `add this line to /etc/hosts: ${address} ${host}`,
  }
}
