/** The way to a pod: `kubectl port-forward` and our tunnel through the same proxies, to a server on loopback that only upgrades. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { describe, it } from 'mocha'
import { KubeCluster } from '../../../src/cluster/kube-cluster.ts'
import { binaries, node } from '../../lab/components.ts'
import { authority, kubeconfig } from './rows.ts'
import { httpProxy, socksProxy } from './servers.ts'
import { FAR, World } from './world.ts'

interface Ports {
  proxy: number
  socks: number
  /** A SOCKS proxy that asks for a password. */
  locked: number
}

interface Way {
  name: string
  server?: (port: number) => string
  environment?: (ports: Ports) => NodeJS.ProcessEnv
  cluster?: (ports: Ports) => object
  /** Where kubectl fails: what reaches the server then. */
  ours?: string[]
}

const near = (port: number) => `https://127.0.0.1:${port}`
const USER = 'jane:p%40ss'
const PATH = '/api/v1/namespaces/default/pods/web/portforward'

const WAYS: Way[] = [
  { name: 'no proxy', server: near },
  { name: 'no proxy, to an http server', server: (port) => `http://127.0.0.1:${port}` },
  { name: 'no proxy, to a server below a path', server: (port) => `${near(port)}/k8s/` },
  {
    name: 'a proxy of the environment, to loopback',
    server: near,
    environment: () => ({ HTTPS_PROXY: 'http://127.0.0.1:1' }),
  },
  { name: 'an HTTP proxy', environment: ({ proxy }) => ({ HTTPS_PROXY: `http://127.0.0.1:${proxy}` }) },
  {
    name: 'an HTTP proxy with a user',
    environment: ({ proxy }) => ({ HTTPS_PROXY: `http://${USER}@127.0.0.1:${proxy}` }),
  },
  {
    name: 'an HTTPS proxy with a user',
    environment: ({ proxy }) => ({ HTTPS_PROXY: `https://${USER}@127.0.0.1:${proxy}` }),
  },
  { name: 'proxy-url with a user', cluster: ({ proxy }) => ({ 'proxy-url': `http://${USER}@127.0.0.1:${proxy}` }) },
  {
    name: 'an HTTP proxy, by another name in TLS',
    environment: ({ proxy }) => ({ HTTPS_PROXY: `http://127.0.0.1:${proxy}` }),
    cluster: () => ({ 'tls-server-name': 'localhost' }),
  },
  {
    name: 'an HTTP proxy, to an http server',
    server: () => `http://${FAR}`,
    environment: ({ proxy }) => ({ HTTP_PROXY: `http://${USER}@127.0.0.1:${proxy}` }),
  },
  { name: 'a SOCKS proxy', environment: ({ socks }) => ({ HTTPS_PROXY: `socks5://127.0.0.1:${socks}` }) },
  {
    name: 'a SOCKS proxy with a user',
    environment: ({ locked }) => ({ HTTPS_PROXY: `socks5://${USER}@127.0.0.1:${locked}` }),
  },
  {
    name: 'a SOCKS proxy as proxy-url',
    cluster: ({ locked }) => ({ 'proxy-url': `socks5://${USER}@127.0.0.1:${locked}` }),
  },
  {
    name: 'a SOCKS proxy, to an http server',
    server: () => `http://${FAR}`,
    environment: ({ socks }) => ({ HTTP_PROXY: `socks5://127.0.0.1:${socks}` }),
  },
  {
    name: 'socks5h, by which kubectl forwards nothing',
    environment: ({ socks }) => ({ HTTPS_PROXY: `socks5h://127.0.0.1:${socks}` }),
    ours: [`socks5: ${FAR}:443`, `${PATH}, Bearer secret, TLS for ${FAR}`],
  },
  {
    name: 'no proxy, with a user in the URL, by which kubectl forwards nothing',
    server: (port) => `https://jane:pass@127.0.0.1:${port}`,
    ours: [`${PATH}, Basic ${btoa('jane:pass')}, TLS for no name`],
  },
]

type Forward = (environment: NodeJS.ProcessEnv, upgraded: Promise<void>) => Promise<void>

describe('the way to a pod, compared with kubectl port-forward', function () {
  this.timeout(60_000)
  for (const way of WAYS)
    it(way.name, async () => {
      const ours = await taken(way, byUs)
      assert.deepEqual(ours, way.ours ?? (await taken(way, byKubectl)))
    })
})

/** @returns what proxies were asked for the upgrade, and the upgrade as the server sees it */
async function taken(way: Way, forward: Forward): Promise<string[]> {
  const world = await World.create()
  try {
    const upgrades: string[] = []
    let arrived = () => {}
    const upgraded = new Promise<void>((resolve) => {
      arrived = resolve
    })
    const port = await world.serve({
      request: ({ url = '' }, answer) =>
        answer.writeHead(200, { 'content-type': 'application/json' }).end(answerTo(url)),
      upgrade: (asked, socket) => {
        upgrades.push(formOf(asked))
        switched(asked, socket)
        arrived()
      },
    })
    const { seen, ...ports } = await proxiesBefore(world, port)
    const server = way.server?.(port) ?? `https://${FAR}`
    const cluster = { server, ...authority(world), ...way.cluster?.(ports) }
    const file = world.write('config', kubeconfig(world, server, { cluster }))
    const environment = { PATH: process.env.PATH, HOME: world.directory, KUBECONFIG: file, ...way.environment?.(ports) }
    await forward(environment, upgraded)
    // Other requests of kubectl take the same way, but for an http server without a tunnel.
    const ways = [...seen].filter((line) => !line.includes(': GET http:'))
    return [...ways, ...new Set(upgrades)].map((line) => line.replaceAll(String(port), 'PORT'))
  } finally {
    await world.end()
  }
}

async function proxiesBefore(world: World, port: number): Promise<Ports & { seen: Set<string> }> {
  const seen = new Set<string>()
  const see = (line: string) => seen.add(line)
  const { server } = world.pki
  const opened = await Promise.all([
    httpProxy(server, () => port, see),
    socksProxy(server, () => port, see),
    socksProxy(server, () => port, see, 'jane:p@ss'),
  ])
  world.alsoCloses(opened)
  const [proxy = 0, socks = 0, locked = 0] = opened.map(({ number }) => number)
  return { proxy, socks, locked, seen }
}

async function byKubectl(environment: NodeJS.ProcessEnv, upgraded: Promise<void>): Promise<void> {
  const child = spawn(join(binaries(node), 'kubectl'), ['port-forward', 'pod/web', ':80'], { env: environment })
  let said = ''
  child.stderr.on('data', (part) => {
    said += part
  })
  const ended = once(child, 'close')
  await Promise.race([upgraded, ended.then(() => assert.fail(`kubectl ended: ${said}`))])
  child.kill()
  await ended
}

async function byUs(environment: NodeJS.ProcessEnv): Promise<void> {
  const cluster = new KubeCluster({ environment }, { impersonate: {}, timeout: 10_000, environment })
  const { socket } = await cluster.portForward({ namespace: 'default', name: 'web' })
  socket.destroy()
  await cluster.close()
}

function formOf({ url, headers, socket }: IncomingMessage): string {
  const { encrypted, servername } = socket as TLSSocket
  return `${url}, ${headers.authorization ?? 'nobody'}, ${encrypted ? `TLS for ${servername || 'no name'}` : 'no TLS'}`
}

function switched({ headers }: IncomingMessage, socket: Socket): void {
  socket.on('error', () => {})
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${headers.upgrade}\r\n\r\n`)
}

/** What kubectl asks for before. */
function answerTo(url: string): string {
  const path = url.replace(/\?.*/, '').replace('/k8s', '')
  const pods = { name: 'pods', singularName: 'pod', namespaced: true, kind: 'Pod', verbs: ['get', 'create'] }
  const known: Record<string, object> = {
    '/api': { kind: 'APIVersions', versions: ['v1'] },
    '/apis': { kind: 'APIGroupList', apiVersion: 'v1', groups: [] },
    '/api/v1': { kind: 'APIResourceList', groupVersion: 'v1', resources: [pods] },
  }
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default' },
    spec: { containers: [{ name: 'web', image: 'web', ports: [{ containerPort: 80 }] }] },
    status: { phase: 'Running' },
  }
  return JSON.stringify(known[path] ?? pod)
}
