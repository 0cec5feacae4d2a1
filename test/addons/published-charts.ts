/** Add-ons as charts and operators publish them, cut to the fields that matter. Sources: docs/decisions/0031-configurations-that-people-publish.md */
import type { ConfigMap, Container, Pod, Service, ServicePort } from '../../src/cluster/objects.ts'

type Labels = Record<string, string>
const NAME = 'app.kubernetes.io/name'
const COMPONENT = 'app.kubernetes.io/component'
const INSTANCE = 'app.kubernetes.io/instance'
const MANAGED = 'app.kubernetes.io/managed-by'

/** @param selector the labels, if left out */
function service(name: string, labels: Labels, ports: ServicePort[], selector = labels): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'monitoring', labels },
    spec: { type: 'ClusterIP', clusterIP: '10.96.7.1', selector, ports },
  }
}

function pod(labels: Labels, containers: Container[], volumes: Pod['spec']['volumes'] = []): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'pod', namespace: 'monitoring', labels },
    spec: { containers, volumes },
  }
}

function configMap(name: string, data: Record<string, string>): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'monitoring' }, data }
}

export interface Published {
  services: Service[]
  pods: Pod[]
  configMaps: ConfigMap[]
}

const RANCHER = { [NAME]: 'grafana', [INSTANCE]: 'rancher-monitoring' }
/** Its nginx stands before Grafana, in the same pod. */
export const RANCHER_GRAFANA: Published = {
  services: [
    service('rancher-monitoring-grafana', RANCHER, [
      { name: 'nginx-http', port: 80, protocol: 'TCP', targetPort: 8080 },
    ]),
  ],
  pods: [
    pod(
      RANCHER,
      [
        { name: 'grafana-sc-dashboard', image: 'k8s-sidecar', env: [{ name: 'METHOD' }] },
        {
          name: 'grafana',
          image: 'grafana-grafana',
          ports: [{ name: 'grafana', containerPort: 3000 }],
          volumeMounts: [{ name: 'config', mountPath: '/etc/grafana/grafana.ini', subPath: 'grafana.ini' } as never],
        },
        {
          name: 'grafana-proxy',
          args: ['nginx', '-g', 'daemon off;', '-c', '/nginx/nginx.conf'],
          ports: [{ name: 'nginx-http', containerPort: 8080 }],
        },
      ],
      [{ name: 'config', configMap: { name: 'rancher-monitoring-grafana' } }],
    ),
  ],
  configMaps: [
    configMap('rancher-monitoring-grafana', {
      'grafana.ini':
        '[auth]\ndisable_login_form = false\n[auth.anonymous]\nenabled = true\norg_role = Viewer\n[auth.basic]\nenabled = false\n[users]\nauto_assign_org_role = Viewer\n',
    }),
  ],
}

const MAIN = { app: 'main' }
const OPERATOR = { [MANAGED]: 'grafana-operator' }
/** Made for a Grafana object named `main`, with another http_port; the first Service is that of its alerts. */
export const GRAFANA_OPERATOR: Published = {
  services: [
    service('main-alerting', OPERATOR, [{ name: 'grafana-alert', port: 9094, targetPort: 9094 }], MAIN),
    service(
      'main-service',
      OPERATOR,
      [{ name: 'grafana', port: 3001, protocol: 'TCP', targetPort: 'grafana-http' }],
      MAIN,
    ),
  ],
  pods: [
    pod(
      MAIN,
      [
        {
          name: 'grafana',
          args: ['-config=/etc/grafana/grafana.ini'],
          ports: [{ name: 'grafana-http', containerPort: 3001 }],
          env: [{ name: 'GF_SECURITY_ADMIN_PASSWORD', valueFrom: { secretKeyRef: {} } }],
          volumeMounts: [{ name: 'main-ini', mountPath: '/etc/grafana/' }],
        },
      ],
      [{ name: 'main-ini', configMap: { name: 'main-ini' } }],
    ),
  ],
  configMaps: [configMap('main-ini', { 'grafana.ini': '[server]\nhttp_port = 3001\n\n' })],
}

const COMMUNITY = { [NAME]: 'grafana', [COMPONENT]: 'grafana', 'app.kubernetes.io/part-of': 'kube-prometheus' }
/** Its grafana.ini is in a Secret. */
export const KUBE_PROMETHEUS_GRAFANA: Published = {
  services: [service('grafana', COMMUNITY, [{ name: 'http', port: 3000, targetPort: 'http' }])],
  pods: [
    pod(
      COMMUNITY,
      [
        {
          name: 'grafana',
          ports: [{ name: 'http', containerPort: 3000 }],
          volumeMounts: [{ name: 'grafana-config', mountPath: '/etc/grafana' }],
        },
      ],
      [{ name: 'grafana-config', secret: { secretName: 'grafana-config' } }],
    ),
  ],
  configMaps: [],
}

const KUBE_PROMETHEUS = { [NAME]: 'prometheus', [COMPONENT]: 'prometheus', [INSTANCE]: 'k8s' }
const OPERATED = service(
  'prometheus-operated',
  { 'operated-prometheus': 'true', 'managed-by': 'prometheus-operator' },
  [{ name: 'web', port: 9090, targetPort: 'web' }],
  { [NAME]: 'prometheus' },
)
/** Their own Services have other labels than ours; the operator's has the usual one. */
export const KUBE_PROMETHEUS_SERVICES: Service[] = [
  service('prometheus-k8s', KUBE_PROMETHEUS, [
    { name: 'web', port: 9090, targetPort: 'web' },
    { name: 'reloader-web', port: 8080, targetPort: 'reloader-web' },
  ]),
  OPERATED,
]
export const BITNAMI_SERVICES: Service[] = [
  service(
    'kube-prometheus-prometheus',
    { [NAME]: 'kube-prometheus', [COMPONENT]: 'prometheus' },
    [{ name: 'http', port: 9090, targetPort: 9090, protocol: 'TCP' }],
    { [NAME]: 'prometheus', prometheus: 'kube-prometheus-prometheus' },
  ),
  OPERATED,
]

/** Beside an Istio: the metrics of another mesh. */
export const LINKERD_VIZ_SERVICE = service(
  'prometheus',
  { 'linkerd.io/extension': 'viz', component: 'prometheus', namespace: 'linkerd-viz' },
  [{ name: 'admin', port: 9090, targetPort: 9090 }],
  { 'linkerd.io/extension': 'viz', component: 'prometheus' },
)

const MY_JAEGER = {
  app: 'jaeger',
  [INSTANCE]: 'my-jaeger',
  'app.kubernetes.io/part-of': 'jaeger',
  [MANAGED]: 'jaeger-operator',
}
const GRPC = { name: 'grpc-query', port: 16685, targetPort: 16685 }
/** Its options become flags. */
export const JAEGER_OPERATOR: Published = {
  services: [
    service('my-jaeger-query', { ...MY_JAEGER, [NAME]: 'my-jaeger-query', [COMPONENT]: 'service-query' }, [
      { name: 'http-query', port: 16686, targetPort: 16686 },
      GRPC,
    ]),
    service('my-jaeger-collector', { ...MY_JAEGER, [COMPONENT]: 'service-collector' }, [
      { name: 'http-zipkin', port: 9411, targetPort: 9411 },
      { name: 'http-c-binary-trft', port: 14268, targetPort: 14268 },
    ]),
  ],
  pods: [
    pod(MY_JAEGER, [
      {
        name: 'jaeger',
        args: ['--log-level=debug', '--memory.max-traces=100000', '--query.base-path=/jaeger'],
        ports: [{ name: 'query', containerPort: 16686 }],
      },
    ]),
  ],
  configMaps: [],
}
/** On OpenShift its pages are behind a proxy that speaks HTTPS and asks for a login. */
export const JAEGER_OPERATOR_OPENSHIFT: Service[] = [
  service('my-jaeger-query', { ...MY_JAEGER, [COMPONENT]: 'service-query' }, [
    { name: 'https-query', port: 443, targetPort: 8443 },
    GRPC,
  ]),
]

const ALL_IN_ONE = { [NAME]: 'jaeger', [INSTANCE]: 'jaeger', [COMPONENT]: 'all-in-one' }
/** One Service with every port, and the configuration where the user put it. */
export const JAEGER_CHART_ALL_IN_ONE: Published = {
  services: [
    service('jaeger', ALL_IN_ONE, [
      { name: 'config-rest', port: 5778, targetPort: 5778 },
      { name: 'http-zipkin', port: 9411, targetPort: 9411 },
      { name: 'otlp-http', port: 4318, targetPort: 4318 },
      { name: 'http-query', port: 16686, targetPort: 16686 },
      GRPC,
    ]),
  ],
  pods: [
    pod(
      ALL_IN_ONE,
      [
        {
          name: 'jaeger',
          args: ['--config', '/etc/jaeger/user-config.yaml'],
          ports: [{ containerPort: 16686 }, { containerPort: 9411 }],
          volumeMounts: [
            { name: 'user-config', mountPath: '/etc/jaeger/user-config.yaml', subPath: 'user-config.yaml' } as never,
          ],
        },
      ],
      [{ name: 'user-config', configMap: { name: 'user-config' } }],
    ),
  ],
  configMaps: [
    configMap('user-config', { 'user-config.yaml': 'extensions:\n  jaeger_query:\n    base_path: /traces\n' }),
  ],
}

const TEMPO = { [INSTANCE]: 'simplest', [MANAGED]: 'tempo-operator' }
const JAEGER_UI = { name: 'jaeger-ui', port: 16686, targetPort: 'jaeger-ui' }
const TEMPO_HTTP = { name: 'http', port: 3200, targetPort: 'http' }
const MONOLITHIC = { ...TEMPO, [NAME]: 'tempo-monolithic', [COMPONENT]: 'tempo' }
export const TEMPO_MONOLITHIC: Service[] = [
  service('tempo-simplest', MONOLITHIC, [TEMPO_HTTP]),
  service(
    'tempo-simplest-jaegerui',
    { ...MONOLITHIC, [COMPONENT]: 'jaegerui' },
    [{ name: 'jaeger-grpc', port: 16685, targetPort: 'jaeger-grpc' }, JAEGER_UI],
    MONOLITHIC,
  ),
]
const STACK = { ...TEMPO, [NAME]: 'tempo', [COMPONENT]: 'query-frontend' }
const STACK_PORTS = [TEMPO_HTTP, { name: 'grpc', port: 9095, targetPort: 'grpc' }]
/** @param withPages whether Jaeger's pages are enabled */
export function tempoStack(withPages: boolean): Service[] {
  const ports = withPages ? [...STACK_PORTS, JAEGER_UI] : STACK_PORTS
  const [frontend, discovery] = ['query-frontend', 'query-frontend-discovery'].map((name) =>
    service(`tempo-simplest-${name}`, STACK, ports),
  ) as [Service, Service]
  return [{ ...discovery, spec: { ...discovery.spec, clusterIP: 'None' } }, frontend]
}

const SKYWALKING = { app: 'skywalking', component: 'ui', release: 'skywalking' }
export const SKYWALKING_CHART: Service[] = [
  service('skywalking-ui', { ...SKYWALKING, heritage: 'Helm' }, [{ port: 80, targetPort: 8080 }], SKYWALKING),
  service('skywalking-oap', { ...SKYWALKING, component: 'oap' }, [
    { name: 'grpc', port: 11800 },
    { name: 'rest', port: 12800 },
  ]),
]

export const ZIPKIN_CHART: Service[] = [
  service('zipkin', { [NAME]: 'zipkin', [INSTANCE]: 'zipkin' }, [
    { name: 'http-query', port: 9411, targetPort: 9411, protocol: 'TCP' },
  ]),
]

const MESH_UI = { [NAME]: 'kiali', [INSTANCE]: 'kiali' }
/** @param strategy of the login; the chart writes all its values into the configuration */
export function kialiChart(strategy: string, webRoot: string): Published {
  return {
    services: [
      service('mesh-ui', MESH_UI, [
        { name: 'http', port: 20001, protocol: 'TCP' },
        { name: 'http-metrics', port: 9090, protocol: 'TCP' },
      ]),
    ],
    pods: [
      pod(
        MESH_UI,
        [
          {
            name: 'mesh-ui',
            command: ['/opt/kiali/kiali', '-config', '/kiali-configuration/config.yaml'],
            ports: [{ name: 'api-port', containerPort: 20001 }],
            env: [{ name: 'ACTIVE_NAMESPACE', valueFrom: { fieldRef: {} } }],
            volumeMounts: [{ name: 'mesh-ui-configuration', mountPath: '/kiali-configuration' }],
          },
        ],
        [{ name: 'mesh-ui-configuration', configMap: { name: 'mesh-ui' } }],
      ),
    ],
    configMaps: [
      configMap('mesh-ui', {
        'config.yaml': `auth:\n  openid: {}\n  strategy: ${strategy}\nserver:\n  port: 20001\n  web_root: ${webRoot}\n`,
      }),
    ],
  }
}

/** On OpenShift: a certificate of the platform, so Kiali serves HTTPS. */
export function kialiOpenshift(): Published {
  const { services, pods, configMaps } = kialiChart('openshift', '/')
  const [one] = services as [Service]
  const ports = [{ name: 'tcp', appProtocol: 'https', protocol: 'TCP', port: 20001 }]
  const config = configMaps[0]?.data?.['config.yaml'] ?? ''
  const identity = 'identity:\n  cert_file: /kiali-cert/tls.crt\n  private_key_file: /kiali-cert/tls.key\n'
  return {
    services: [{ ...one, spec: { ...one.spec, ports } }],
    pods,
    configMaps: [configMap('mesh-ui', { 'config.yaml': config + identity })],
  }
}
