/** Another user of the same gateway: one host over HTTPS, one over HTTP, and one with TLS passthrough. */
import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { issueLeaf } from '../../src/certificates/authority.ts'
import { authorityOf, issuing } from '../certificates/issuing.ts'
import { loadBalancerAddress } from '../lab/lab.ts'
import type { Workplace } from './mesh.ts'

const HOST = 'shop.example.com'
const PASSED_THROUGH = 'vault.example.com'
const NETWORKING = 'networking.istio.io/v1'

export interface StatusRequest {
  /** The source address; by default any address of this machine. */
  from?: string | undefined
  headers?: Record<string, string>
  /** `name:password`. */
  user?: string
  /** The host for which the connection is opened; by default the host of the URL. */
  over?: string
}

/** The status that curl gets for a page at the load balancer's address, without a check of the certificate; 0 without an answer. */
export function statusOf(url: string, { from, headers = {}, user, over }: StatusRequest = {}): number {
  const { hostname, port, protocol } = new URL(url)
  const number = port || { 'https:': '443', 'http:': '80' }[protocol]
  const opened = over === undefined ? url : url.replace(hostname, over)
  const words = [
    ...['-sk', '--max-time', '10', '-o', '/dev/null', '-w', '%{http_code}'],
    ...['--resolve', `${over ?? hostname}:${number}:${loadBalancerAddress}`],
    ...(over === undefined ? [] : ['-H', `Host: ${hostname}`]),
    ...(from === undefined ? [] : ['--interface', from]),
    ...(user === undefined ? [] : ['-u', user]),
    ...Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
  ]
  return Number(spawnSync('curl', [...words, opened], { encoding: 'utf8' }).stdout)
}

/** Statuses of the tenant's pages: over HTTPS, over HTTP, with TLS passthrough, and with a token of the tenant's own issuer. */
export function tenantStatuses(): number[] {
  const token = { Authorization: 'Bearer of-another-issuer' }
  return [
    statusOf(`https://${HOST}/`),
    statusOf(`http://${HOST}/`),
    statusOf(`https://${PASSED_THROUGH}/version`),
    statusOf(`https://${HOST}/`, { headers: token }),
  ]
}

export interface Tenant {
  /** Deletes the tenant's objects. */
  remove(): void
}

export const ALL_WELL = [200, 200, 200, 200]

/** Creates the tenant's objects and waits until its pages answer. */
export async function startTenant(workplace: Workplace): Promise<Tenant> {
  const now = { now: new Date() }
  const leaf = await issueLeaf(await authorityOf('example.com', 0, now), [HOST], issuing(1, now))
  const objects = objectsOf(leaf)
  workplace.apply(...objects)
  let statuses = tenantStatuses()
  for (let attempt = 0; statuses.join() !== ALL_WELL.join() && attempt < 100; attempt++) {
    await sleep(200)
    statuses = tenantStatuses()
  }
  if (statuses.join() !== ALL_WELL.join()) throw new Error(`the tenant's pages do not answer: ${statuses}`)
  return { remove: () => workplace.delete(...objects) }
}

function objectsOf({ certificate, key }: { certificate: string; key: string }): object[] {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const metadata = (name: string) => ({ name, namespace: 'istio-system' })
  const server = (name: string, number: number, protocol: string, host: string, tls?: object) => ({
    port: { name, number, protocol },
    hosts: [host],
    ...(tls && { tls }),
  })
  return [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: metadata('shop-tls'),
      type: 'kubernetes.io/tls',
      data: { 'tls.crt': base64(certificate), 'tls.key': base64(key) },
    },
    {
      apiVersion: NETWORKING,
      kind: 'Gateway',
      metadata: metadata('shop'),
      spec: {
        selector: { istio: 'ingressgateway' },
        servers: [
          server('https-shop', 443, 'HTTPS', HOST, { mode: 'SIMPLE', credentialName: 'shop-tls' }),
          server('http-shop', 80, 'HTTP', HOST),
          server('tls-vault', 443, 'TLS', PASSED_THROUGH, { mode: 'PASSTHROUGH' }),
        ],
      },
    },
    {
      apiVersion: NETWORKING,
      kind: 'VirtualService',
      metadata: metadata('shop'),
      spec: {
        hosts: [HOST],
        gateways: ['shop'],
        http: [{ route: [{ destination: { host: 'grafana', port: { number: 3000 } } }] }],
      },
    },
    {
      apiVersion: NETWORKING,
      kind: 'VirtualService',
      metadata: metadata('vault'),
      spec: {
        hosts: [PASSED_THROUGH],
        gateways: ['shop'],
        tls: [
          {
            match: [{ port: 443, sniHosts: [PASSED_THROUGH] }],
            route: [{ destination: { host: 'kubernetes.default.svc.cluster.local', port: { number: 443 } } }],
          },
        ],
      },
    },
  ]
}
