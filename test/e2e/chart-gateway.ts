/** The gateway of helm's chart, without helm. */
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { moduleSources } from '../lab/build.ts'
import { labEnvironment } from '../lab/lab.ts'
import { defaultIstioVersion } from '../lab/layout.ts'
import { command } from '../lab/subprocess.ts'
import type { Workplace } from './mesh.ts'

/** Name of the release, of its namespace, and of its objects. */
export const RELEASE = 'istio-ingress'

/** Installs it and waits until its pod is Ready. */
export async function startChartGateway(workplace: Workplace): Promise<void> {
  const labels = { 'istio-injection': 'enabled' }
  workplace.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: RELEASE, labels } })
  const input = await chart(join(workplace.directory, 'manifests'))
  const { stderr, exitCode } = workplace.run('kubectl', ['-n', RELEASE, 'apply', '-f', '-'], { input })
  if (exitCode !== 0) throw new Error(`kubectl apply: ${stderr}`)
  workplace.kubectl('-n', RELEASE, 'rollout', 'status', `deployment/${RELEASE}`, '--timeout=90s')
}

/** Removes the namespace with all that is in it. */
export function endChartGateway(workplace: Workplace): void {
  workplace.kubectl('delete', 'namespace', RELEASE, '--ignore-not-found', '--wait=true', '--timeout=90s')
}

/**
 * The output of `helm template istio-ingress istio/gateway -n istio-ingress` without helm: istioctl contains helm's library, and renders
 * any chart at the path of its own gateway's chart. The chart is the one in Istio's module, unchanged.
 */
async function chart(directory: string): Promise<string> {
  const manifests = join(await moduleSources(`istio-${defaultIstioVersion}`, 'istio.io/istio'), 'manifests')
  const place = join(directory, 'charts', 'gateways', 'istio-ingress')
  await cp(join(manifests, 'profiles'), join(directory, 'profiles'), { recursive: true })
  // Without the schema and with --force, because istioctl adds its own values and does not know those of this chart.
  const filter = (path: string) => !path.endsWith('values.schema.json')
  await cp(join(manifests, 'charts', 'gateway'), place, { recursive: true, filter })
  const resources = { requests: { cpu: '10m', memory: '64Mi' } } // a small machine
  // Set before istiod replaces the image `auto`, for which the API server's default is to pull always.
  const values = { name: RELEASE, imagePullPolicy: 'IfNotPresent', resources, terminationGracePeriodSeconds: 1 }
  const ingressGateways = [{ name: RELEASE, namespace: RELEASE, enabled: true }]
  const spec = { profile: 'empty', components: { ingressGateways }, values }
  const input = JSON.stringify({ apiVersion: 'install.istio.io/v1alpha1', kind: 'IstioOperator', spec })
  return command(['istioctl', 'manifest', 'generate', '--force', '--manifests', directory, '-f', '-'], {
    env: labEnvironment(),
    input,
  })
}
