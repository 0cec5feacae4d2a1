/** The service account of a pod, which kubectl uses where there is no kubeconfig (client-go's rest.InClusterConfig). */
import { readFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import { join } from 'node:path'
import type { Entries } from './decode.ts'

const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

/** @returns undefined outside of a pod */
export function podEntries(environment: NodeJS.ProcessEnv): Entries | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port, POD_NAMESPACE } = environment
  const token = content('token')
  if (!host || !port || token === undefined) return undefined
  const authority = content('ca.crt')
  return {
    context: 'the service account of this pod',
    cluster: {
      server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`,
      ...(authority?.includes('BEGIN CERTIFICATE') ? { 'certificate-authority': join(ACCOUNT, 'ca.crt') } : {}),
    },
    user: { tokenFile: join(ACCOUNT, 'token') },
    namespace: POD_NAMESPACE || content('namespace')?.trim() || 'default',
  }
}

function content(name: string): string | undefined {
  try {
    return readFileSync(join(ACCOUNT, name), 'utf8')
  } catch {
    return undefined
  }
}
