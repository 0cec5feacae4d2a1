/** A connected cluster, with what every part of an export needs of it. */
import type { Cluster } from '../../cluster/cluster.ts'
import { requireIstioVersion } from '../../cluster/reading.ts'
import { RememberingCluster } from '../../cluster/remembering-cluster.ts'
import { UserError } from '../../errors.ts'
import { sh } from '../../shell.ts'
import type { Member } from '../members.ts'
import { findMesh, type Mesh } from '../mesh.ts'
import { findRecord, type RecordedGateway } from '../record.ts'

export interface Site {
  readonly name: string
  /** For the plan: reads nothing twice. */
  readonly cluster: Cluster
  /** For what changes, and for waits. */
  readonly live: Cluster
  readonly mesh: Mesh
  /** By which other clusters reach it. */
  readonly gateway: RecordedGateway
  /** Of Istio's networking API. */
  readonly version: string
}

/** @throws UserError CLUSTER_NOT_CONNECTED, ISTIO_NOT_FOUND, FORBIDDEN */
export async function readSite({ name, cluster: live }: Member): Promise<Site> {
  const cluster = new RememberingCluster(live)
  const [version, mesh, record] = await Promise.all([
    requireIstioVersion(cluster),
    findMesh(cluster),
    findRecord(cluster),
  ])
  if (mesh === undefined || record?.gateway === undefined) throw notConnected(name, live.context)
  return { name, cluster, live, mesh, gateway: record.gateway, version }
}

function notConnected(name: string, context: string): UserError {
  const message = `cluster ${name} is not connected: it has no record of its gateway; nothing was changed`
  return new UserError('CLUSTER_NOT_CONNECTED', message, {
    suggestions: [sh`kubectl telemetry multicluster connect --context ${`${name}=${context}`} --context OTHER`],
  })
}
