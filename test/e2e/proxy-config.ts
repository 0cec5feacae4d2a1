/** Reads what istioctl shows: the inbound filter chains of a proxy, and messages of the analyzer. */
import type { Workplace } from './mesh.ts'

interface Chain {
  name?: string
  filterChainMatch?: { destinationPort?: number }
  metadata?: unknown
  filters?: unknown[]
}

/**
 * The chains of the inbound listener, by the pod's port; chains for any port are under 0. Left out are names that appear only in traces
 * and statistics of spans, and the rule that our policy adds to each chain, which concerns only our port.
 */
export function inboundChains(workplace: Workplace, namespace: string, workload: string): Map<number, string[]> {
  const words = ['proxy-config', 'listeners', workload, '-n', namespace, '--port', '15006', '-o', 'json']
  const { stdout, stderr, exitCode } = workplace.run('istioctl', words)
  if (exitCode !== 0) throw new Error(stderr)
  const [listener] = JSON.parse(stdout) as { filterChains: Chain[] }[]
  const chains = new Map<number, string[]>()
  for (const { metadata: _, ...chain } of listener?.filterChains ?? []) {
    const port = chain.filterChainMatch?.destinationPort ?? 0
    chains.set(port, [...(chains.get(port) ?? []), JSON.stringify(substance(chain))].sort())
  }
  return new Map([...chains].sort(([a], [b]) => a - b))
}

function substance(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((item) => !isOurRule(item)).map(substance)
  if (typeof value !== 'object' || value === null) return value
  const { decorator: _, domains, ...fields } = value as Record<string, unknown>
  // A virtual host is identified by its domains: its name contains the Service's port or the pod's.
  const { name, ...host } = fields
  const kept = domains === undefined ? fields : { ...host, domains }
  return Object.fromEntries(Object.entries(kept).map(([field, inner]) => [field, substance(inner)]))
}

function isOurRule(filter: unknown): boolean {
  const { name } = (filter ?? {}) as { name?: unknown }
  return typeof name === 'string' && name.endsWith('.rbac') && JSON.stringify(filter).includes('kubectl-telemetry-')
}

/** Message codes of `istioctl analyze`, each with its object; names of pods without their random suffix. */
export function analysis(workplace: Workplace, namespace: string): string[] {
  const { stdout } = workplace.run('istioctl', ['analyze', '-n', namespace, '-o', 'json'])
  const messages = (JSON.parse(stdout || '[]') ?? []) as { code: string; origin: string }[]
  const subject = (origin: string) =>
    origin.startsWith('Pod ') ? origin.replace(/-[a-z0-9]+-[a-z0-9]{5}$/, '') : origin
  return [...new Set(messages.map(({ code, origin }) => `${code} ${subject(origin)}`))].sort()
}
