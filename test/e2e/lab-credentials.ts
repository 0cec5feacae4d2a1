/** The lab's API server and its admin's credentials, for proxies in front of the API server. */
import { readFileSync } from 'node:fs'
import { type ClusterNumber, labPaths } from '../lab/lab.ts'

interface KubeConfig {
  clusters: [{ cluster: { server: string; 'certificate-authority': string } }]
  users: [{ user: { 'client-certificate': string; 'client-key': string } }]
}

export interface LabCredentials {
  server: string
  /** PEM. */
  ca: string
  cert: string
  key: string
}

/** The cluster's own entries come first. */
export function labKubeConfig(cluster: ClusterNumber = 1): KubeConfig {
  return JSON.parse(readFileSync(labPaths(cluster).kubeconfig, 'utf8')) as KubeConfig
}

export function labCredentials(number: ClusterNumber = 1): LabCredentials {
  const { clusters, users } = labKubeConfig(number)
  const [{ cluster }] = clusters
  const [{ user }] = users
  const read = (path: string) => readFileSync(path, 'utf8')
  return {
    server: cluster.server,
    ca: read(cluster['certificate-authority']),
    cert: read(user['client-certificate']),
    key: read(user['client-key']),
  }
}

/** @returns the lab's kubeconfig with another cluster or user */
export function kubeConfigWith(change: { cluster?: object; user?: object }): string {
  const { clusters, users, ...rest } = labKubeConfig()
  const [{ cluster, ...named }] = clusters
  const [{ user, ...person }] = users
  return JSON.stringify({
    ...rest,
    clusters: [{ ...named, cluster: change.cluster ?? cluster }],
    users: [{ ...person, user: change.user ?? user }],
  })
}
