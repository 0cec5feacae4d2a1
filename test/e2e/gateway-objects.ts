/** A second ingress gateway for tests. */

/** An ingress gateway named `edge`. */
export interface EdgeGateway {
  namespace: string
  labels: Record<string, string>
  /** Whether it may read Secrets; by default it may. */
  secrets?: boolean
}

/** The objects of helm's `istio/gateway` chart, under another name in their own namespace. */
export function gatewayObjects({ namespace, labels, secrets = true }: EdgeGateway): object[] {
  const metadata = { name: 'edge', namespace, labels }
  const rbac = 'rbac.authorization.k8s.io'
  const annotations = { 'inject.istio.io/templates': 'gateway' }
  // Set before istiod replaces the image `auto`, for which the API server's default is to pull always.
  const imagePullPolicy = 'IfNotPresent'
  const pod = {
    serviceAccountName: 'edge',
    terminationGracePeriodSeconds: 1,
    containers: [{ name: 'istio-proxy', image: 'auto', imagePullPolicy }],
  }
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels: { 'istio-injection': 'enabled' } } },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'Role',
      metadata,
      rules: [{ apiGroups: [''], resources: secrets ? ['secrets'] : ['configmaps'], verbs: ['get', 'watch', 'list'] }],
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: rbac, kind: 'Role', name: 'edge' },
      subjects: [{ kind: 'ServiceAccount', name: 'edge', namespace }],
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels: { ...labels, 'sidecar.istio.io/inject': 'true' }, annotations },
          // The chart's own way to let Envoy listen on 443 without being root.
          spec: { ...pod, securityContext: { sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }] } },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: {
        type: 'NodePort',
        selector: labels,
        ports: [
          { name: 'http2', port: 80 },
          { name: 'https', port: 443 },
        ],
      },
    },
  ]
}
