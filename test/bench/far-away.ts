/** A distant API server: the delaying proxy in front of it, and a kubeconfig for that. TLS passes through unchanged. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Workplace } from '../e2e/mesh.ts'
import { labPaths } from '../lab/lab.ts'
import { startDelayingProxy } from './delaying-proxy.ts'
import type { Section } from './section.ts'

/** Round-trip time in milliseconds. */
export const ROUND_TRIP = 30

interface KubeConfig {
  clusters: [{ cluster: Record<string, unknown> & { server: string } }]
}

export interface FarAway {
  environment: NodeJS.ProcessEnv
  close(): Promise<unknown>
}

export async function goFarAway(workplace: Workplace): Promise<FarAway> {
  const config = JSON.parse(readFileSync(labPaths().kubeconfig, 'utf8')) as KubeConfig
  const { cluster } = config.clusters[0]
  const { hostname, port } = new URL(cluster.server)
  const proxy = await startDelayingProxy({ host: hostname, port: Number(port), roundTrip: ROUND_TRIP })
  cluster.server = `https://127.0.0.1:${proxy.port}`
  cluster['tls-server-name'] = 'kubernetes'
  const KUBECONFIG = join(workplace.directory, 'far-away.json')
  writeFileSync(KUBECONFIG, JSON.stringify(config), { mode: 0o600 })
  return { environment: { ...workplace.environment, KUBECONFIG }, close: proxy.close }
}

/** The same figures under other names. */
export function farAway({ name, measure }: Section): Section {
  return {
    name: `far-${name}`,
    measure: async (open) => {
      const figures = Object.entries(await measure(open))
      return Object.fromEntries(figures.map(([what, value]) => [`${ROUND_TRIP} ms away: ${what}`, value]))
    },
  }
}
