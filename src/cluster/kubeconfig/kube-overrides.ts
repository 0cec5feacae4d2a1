/** Flags of kubectl that take the place of parts of the kubeconfig (client-go's clientcmd.ConfigOverrides). An empty flag is none. Pure. */
import type { Entries, KubeCluster, KubeUser } from './decode.ts'

export interface Overrides {
  /** `--cluster` and `--user`: names of entries. */
  cluster?: string | undefined
  user?: string | undefined
  server?: string | undefined
  /** `--tls-server-name`. */
  serverName?: string | undefined
  /** `--insecure-skip-tls-verify`. */
  insecure?: boolean | undefined
  /** Paths of files. */
  authority?: string | undefined
  certificate?: string | undefined
  key?: string | undefined
  token?: string | undefined
}

/** Another server is not known by the old name, and who says whom to trust replaces all of it. */
export function overriddenCluster(
  cluster: KubeCluster,
  { server, serverName, insecure, authority }: Overrides,
): KubeCluster {
  const changed = { ...cluster }
  if (server) changed.server = server
  if (server || serverName) delete changed['tls-server-name']
  if (serverName) changed['tls-server-name'] = serverName
  if (!insecure && !authority) return changed
  for (const field of ['insecure-skip-tls-verify', 'certificate-authority', 'certificate-authority-data'] as const)
    delete changed[field]
  return {
    ...changed,
    ...(insecure ? { 'insecure-skip-tls-verify': true } : {}),
    ...(authority ? { 'certificate-authority': authority } : {}),
  }
}

export function overriddenUser(user: KubeUser, { certificate, key, token }: Overrides): KubeUser {
  return {
    ...user,
    ...(certificate ? { 'client-certificate': certificate } : {}),
    ...(key ? { 'client-key': key } : {}),
    ...(token ? { token } : {}),
  }
}

/** Of the service account of a pod only the token and the CA can be replaced. */
export function overriddenPod(entries: Entries, { authority, token }: Overrides): Entries {
  return {
    ...entries,
    cluster: authority ? { ...entries.cluster, 'certificate-authority': authority } : entries.cluster,
    user: token ? { token } : entries.user,
  }
}
