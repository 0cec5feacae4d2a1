/** Shared by tests of exposing: a mesh with all add-ons, and functions that read the result. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import type { ExposeRequest } from '../../src/exposing/request.ts'
import { exposedRoutes } from '../../src/gateways/exposed-routes.ts'
import { serversIn } from '../../src/gateways/layout.ts'
import { FakeCluster } from '../fakes/fake-cluster.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { type FakeWorld, fakeWorld } from '../fakes/fake-world.ts'
import { grafana, ingressGateway, jaeger, kiali, prometheus } from '../fakes/mesh.ts'

export const DOMAIN = '192.0.2.10.nip.io'
/** `grafana` to its host in that domain. */
export const hosts = (...names: string[]) => names.map((name) => `${name}.${DOMAIN}`)
export const HOST = 'grafana.192.0.2.10.nip.io'
/** The question about an add-on that lets anyone in, and its answers. */
export const ANONYMOUS = `Who may enter https://${HOST}/?`
export const ACCESS_CHOICES = {
  password: 'users with a password, which is generated now and shown once',
  addresses: 'only requests from some addresses',
  anyone: 'anyone who reaches the address',
  nobody: 'nobody: do not expose it',
}
export const CONFIRM = `Expose https://${HOST}/?`

export const request: ExposeRequest = {
  addons: { names: ['grafana'], named: true },
  insecure: false,
  services: [],
  ports: [],
  paths: [],
  nodePorts: [],
  guard: {},
  terms: { allowAnonymous: true },
  yes: true,
  dryRun: 'none',
  timeout: 10_000,
}

/** The request for these named add-ons. */
export function requestFor(...names: string[]): ExposeRequest {
  return { ...request, addons: { names, named: true } }
}

export function world(
  objects: KubeObject[] = [...grafana(), ...ingressGateway()],
  answers?: Record<string, unknown>,
): FakeWorld {
  return fakeWorld(new FakeCluster(objects), new FakeTerminal(answers))
}

/** All of Istio's sample add-ons, in the order in which the API server lists them. */
export function fullMesh(answers?: Record<string, unknown>): FakeWorld {
  return world([...grafana(), ...ingressGateway(), ...jaeger(), ...kiali(), ...prometheus()], answers)
}

/** @param name end of the name, if there are several objects of the kind */
export function find(cluster: FakeCluster, kind: string, name = ''): KubeObject {
  const object = createdObjects(cluster).find((one) => one.kind === kind && one.metadata.name.endsWith(name))
  assert.ok(object, `kubectl telemetry created no ${kind} ${name}`)
  return object
}

export function createdObjects(cluster: FakeCluster, namespace?: string): KubeObject[] {
  return cluster.objects.filter(
    ({ metadata }) =>
      metadata.name.startsWith('kubectl-telemetry') && (namespace === undefined || metadata.namespace === namespace),
  )
}

/** The hosts of the created Gateway. */
export function gatewayHosts(cluster: FakeCluster): string[] | undefined {
  const servers = serversIn(find(cluster, 'Gateway'))
  return servers.find(({ port }) => port.number === 443)?.hosts
}

/** The names in the certificate of the Secret. */
export function certificateHosts(cluster: FakeCluster): string[] {
  const { data } = find(cluster, 'Secret') as KubeObject & { data: Record<string, string> }
  const certificate = new X509Certificate(Buffer.from(data['tls.crt'] ?? '', 'base64'))
  return (certificate.subjectAltName ?? '').split(', ').map((name) => name.replace(/^DNS:/, ''))
}

/** `VirtualService/kubectl-telemetry-grafana`, in the order in which they were written. */
export function written({ cluster }: FakeWorld): string[] {
  return cluster.writes.map(({ verb, object }) => (verb === 'delete' ? `-${object}` : object))
}

export async function refusal(trying: Promise<unknown>): Promise<UserError> {
  return trying.then(
    () => assert.fail('it was not refused'),
    (error: unknown) => (error instanceof UserError ? error : Promise.reject(error)),
  )
}

/** Whether the route of an add-on answers 403 to everybody. */
export function isClosed({ cluster }: FakeWorld, addon: string): boolean {
  return exposedRoutes([find(cluster, 'VirtualService', addon)])[0]?.closedFor !== undefined
}
