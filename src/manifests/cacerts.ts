import type { KubeObject } from '../cluster/cluster.ts'
import { CONNECTING, ownedLabels } from '../cluster/ownership.ts'
import { SECRETS, typeOf } from '../cluster/resources.ts'

/** Annotation: the SHA-256 of the root to which the cluster changes. Compared with certificates, never trusted by itself. */
const MESH_ROOT = 'kubectl-telemetry/mesh-root'
/** Annotation: the machine that has the key of the root. Shown, nothing more. */
const ROOT_MACHINE = 'kubectl-telemetry/root-machine'

/** PEM texts, as istiod reads them. */
export interface CacertsRequest {
  namespace: string
  certificate: string
  key: string
  chain: string
  roots: string
  meshRoot: string
  machine: string
}

export const CACERTS = 'cacerts'

/**
 * The Secret from which istiod takes its CA: always all four files, because an istiod that finds only some of them does not start.
 * https://istio.io/latest/docs/tasks/security/cert-management/plugin-ca-cert/
 */
export function cacerts(request: CacertsRequest): KubeObject {
  const { namespace, meshRoot, machine } = request
  const annotations = { [MESH_ROOT]: meshRoot, [ROOT_MACHINE]: machine }
  const files = {
    'ca-cert.pem': request.certificate,
    'ca-key.pem': request.key,
    'cert-chain.pem': request.chain,
    'root-cert.pem': request.roots,
  }
  return {
    ...typeOf(SECRETS),
    metadata: { name: CACERTS, namespace, labels: ownedLabels(CONNECTING), annotations },
    type: 'Opaque',
    data: Object.fromEntries(
      Object.entries(files).map(([name, text]) => [name, Buffer.from(text, 'utf8').toString('base64')]),
    ),
  }
}

export function cacertsNotes({ metadata: { annotations } }: KubeObject): { meshRoot?: string; machine?: string } {
  const { [MESH_ROOT]: meshRoot, [ROOT_MACHINE]: machine } = annotations ?? {}
  return { ...(meshRoot === undefined ? {} : { meshRoot }), ...(machine === undefined ? {} : { machine }) }
}
