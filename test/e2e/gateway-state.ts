/** What a failure report needs to tell whether the gateway or the plugin was wrong. */
import type { Workplace } from './mesh.ts'

/** Pods, endpoints and listeners of the ingress gateway, as text. */
export function gatewayState(workplace: Workplace): string {
  const ours = ['-n', 'istio-system']
  const shown = [
    workplace.run('kubectl', [...ours, 'get', 'pods', '-l', 'app=istio-ingressgateway', '-o', 'wide']),
    workplace.run('kubectl', [
      ...ours,
      ...['get', 'endpointslices', '-l', 'kubernetes.io/service-name=istio-ingressgateway', '-o', 'wide'],
    ]),
    workplace.run('istioctl', ['proxy-config', 'listeners', 'deploy/istio-ingressgateway', ...ours]),
    workplace.run('istioctl', ['proxy-status']),
  ]
  return shown.map(({ stdout, stderr }) => `${stdout}${stderr}`).join('\n')
}
