/** What istiod told a workload's proxy: its inbound filter chains. */
import type { Workplace } from './mesh.ts'

interface Chain {
  name?: string
  filterChainMatch?: { destinationPort?: number }
  metadata?: unknown
  filters?: unknown[]
}

/**
 * The chains of the inbound listener, by the pod's port; those that are for any port under 0. Less the names that only traces and
 * statistics of spans show, and less the rule that our policy adds to each: it is for our port alone.
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
  // A virtual host is known by its domains; its name has the Service's port, or the pod's.
  const { name, ...host } = fields
  const kept = domains === undefined ? fields : { ...host, domains }
  return Object.fromEntries(Object.entries(kept).map(([field, inner]) => [field, substance(inner)]))
}

function isOurRule(filter: unknown): boolean {
  const { name } = (filter ?? {}) as { name?: unknown }
  return typeof name === 'string' && name.endsWith('.rbac') && JSON.stringify(filter).includes('kubectl-telemetry-')
}

/** Message codes of `istioctl analyze`, each with what it is about; pods without the end of their name. */
export function analysis(workplace: Workplace, namespace: string): string[] {
  const { stdout } = workplace.run('istioctl', ['analyze', '-n', namespace, '-o', 'json'])
  const messages = (JSON.parse(stdout || '[]') ?? []) as { code: string; origin: string }[]
  const subject = (origin: string) =>
    origin.startsWith('Pod ') ? origin.replace(/-[a-z0-9]+-[a-z0-9]{5}$/, '') : origin
  return [...new Set(messages.map(({ code, origin }) => `${code} ${subject(origin)}`))].sort()
}
