/** Shared by tests of `cert`: exposed add-ons, time that passes, and the content of the cluster and the gateway. */
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

/** The content of the TLS Secret, as text. */
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
