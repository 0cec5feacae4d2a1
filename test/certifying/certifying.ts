/** What tests of `cert` share: add-ons that are exposed, time that passes, and what the cluster and the gateway have. */
import { X509Certificate } from 'node:crypto'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { expose } from '../../src/exposing/expose.ts'
import { find, fullMesh, requestFor } from '../exposing/exposing.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'

export const DAY = 24 * 60 * 60 * 1000

/** Grafana and Kiali exposed over HTTPS. */
export async function exposedWorld(answers?: Record<string, unknown>): Promise<FakeWorld> {
  const world = fullMesh(answers)
  await expose({ ...requestFor('grafana', 'kiali'), timeout: 1 }, world)
  world.cluster.writes.length = 0
  return world
}

/** What our Secret holds, as text. */
export function held({ cluster }: Pick<FakeWorld, 'cluster'>, name: string): string {
  const { data } = find(cluster, 'Secret') as KubeObject & { data: Record<string, string> }
  return Buffer.from(data[name] ?? '', 'base64').toString()
}

export function hold({ cluster }: Pick<FakeWorld, 'cluster'>, name: string, text: string): void {
  const { data } = find(cluster, 'Secret') as KubeObject & { data: Record<string, string> }
  data[name] = Buffer.from(text).toString('base64')
}

export function fingerprintOf(pem: string): string {
  return new X509Certificate(pem).fingerprint256
}
