/** Somebody else at the same gateway: a host by HTTPS, one by HTTP, and one whose TLS connections are passed through. */
import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { issueLeaf } from '../../src/certificates/authority.ts'
import { authorityOf, issuing } from '../certificates/issuing.ts'
import { loadBalancerAddress } from '../lab/lab.ts'
import type { Workplace } from './mesh.ts'

const HOST = 'shop.example.com'
const PASSED_THROUGH = 'vault.example.com'
const NETWORKING = 'networking.istio.io/v1'

export interface Asking {
  /** The source address; any of this machine's when left out. */
  from?: string | undefined
  headers?: Record<string, string>
  /** `name:password`. */
  user?: string
  /** Over the connection that was opened for this host. */
  over?: string
}

/** The status of a page at the load balancer's address, as curl sees it, whoever signed its certificate; 0 without an answer. */
export function statusOf(url: string, { from, headers = {}, user, over }: Asking = {}): number {
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

/** What the tenant's pages answer; all well is 200, 200, 200, and 200 for whoever has a token of their own issuer. */
export function tenantStatuses(): number[] {
  const token = { Authorization: 'Bearer of-somebody-else' }
  return [
    statusOf(`https://${HOST}/`),
    statusOf(`http://${HOST}/`),
    statusOf(`https://${PASSED_THROUGH}/version`),
    statusOf(`https://${HOST}/`, { headers: token }),
  ]
}

export const ALL_WELL = [200, 200, 200, 200]

/** Waits until their pages answer. @returns what takes them away again */
export async function tenant(workplace: Workplace): Promise<{ leave(): void }> {
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
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
  return { leave: () => void workplace.run('kubectl', ['delete', '-f', '-'], { input }) }
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
