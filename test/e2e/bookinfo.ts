/** The lab's application of four services (test/lab/wire/bookinfo.go) in the mesh: productpage calls details and reviews, reviews calls ratings. */
import type { Workplace } from './mesh.ts'
import { meshNamespace, WIRE, waitUntilReady } from './mesh-workloads.ts'

export const BOOKINFO = 'bookinfo'
export const BOOKINFO_PORT = 9080

const ROLES = ['productpage', 'details', 'reviews', 'ratings'] as const

/** A workload of the application, named as in Istio's sample. */
const workloadOf = (role: string) => `${role}-v1`

interface Options {
  /** Whether the services pass the headers of a trace on. */
  forwards?: boolean
}

/** The application in namespace `bookinfo`, with sidecars: for each service its account, Deployment and Service. */
export function bookinfo({ forwards = true }: Options = {}): object[] {
  return [...meshNamespace(BOOKINFO), ...ROLES.flatMap((role) => objectsOf(role, forwards))]
}

/** Applies the application and waits until all of it is Ready. */
export function startBookinfo(workplace: Workplace, options?: Options): void {
  workplace.apply(...bookinfo(options))
  waitUntilReady(workplace, BOOKINFO, ...ROLES.map((role) => `deploy/${workloadOf(role)}`))
}

/** Removes the namespace with all that is in it. */
export function endBookinfo(workplace: Workplace): void {
  workplace.kubectl('delete', 'namespace', BOOKINFO, '--ignore-not-found', '--wait=true', '--timeout=85s')
}

function objectsOf(role: string, forwards: boolean): object[] {
  const account = `bookinfo-${role}`
  const labels = { app: role, version: 'v1' }
  const container = {
    name: role,
    image: WIRE,
    imagePullPolicy: 'IfNotPresent',
    env: [
      { name: 'ROLE', value: role },
      { name: 'FORWARD_HEADERS', value: forwards ? 'yes' : 'no' },
    ],
    ports: [{ containerPort: BOOKINFO_PORT }],
    readinessProbe: { httpGet: { path: '/health', port: BOOKINFO_PORT }, periodSeconds: 1 },
  }
  const pod = { serviceAccountName: account, terminationGracePeriodSeconds: 0, containers: [container] }
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: account, namespace: BOOKINFO } },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: workloadOf(role), namespace: BOOKINFO, labels },
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: pod } },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: role, namespace: BOOKINFO, labels: { app: role, service: role } },
      spec: { selector: { app: role }, ports: [{ name: 'http', port: BOOKINFO_PORT }] },
    },
  ]
}
