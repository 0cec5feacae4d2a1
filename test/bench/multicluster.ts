/** `npm run bench -- multicluster`: CAs against Istio's own tools/certs, and commands in two clusters against kubectl. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Workplace } from '../e2e/mesh.ts'
import { CLIENT, endNamespaces, entryNodePort, httpbin, sleep, start, TwoClusters } from '../e2e/two-clusters.ts'
import { siteOfCluster } from '../lab/lab.ts'
import { labSources } from '../lab/layout.ts'
import { describeMachine } from './machine.ts'
import type { Options } from './options.ts'
import { figure, median, ratio } from './statistics.ts'

export const sections: readonly string[] = ['certificates', 'clusters']
export const tools: readonly string[] = []

/** @returns whether everything answered */
export async function run({ only, rounds }: Options): Promise<boolean> {
  const clusters = await TwoClusters.start()
  try {
    const machine = describeMachine(clusters.first)
    if (only.includes('certificates')) certificates(clusters.first, rounds)
    if (only.includes('clusters')) inClusters(clusters, rounds)
    console.log(`\n${machine}; ${rounds} rounds, medians.`)
    return true
  } finally {
    clusters.end()
  }
}

/** One root and two intermediate CAs of 4096 bits. Keys are found by chance, so single rounds differ by some factor. */
function certificates(workplace: Workplace, rounds: number): void {
  const makefile = join(istioSources(), 'tools', 'certs', 'Makefile.selfsigned.mk')
  const ours: number[] = []
  const theirs: number[] = []
  for (let round = 0; round < rounds; round++) {
    const directory = mkdtempSync(join(tmpdir(), 'bench-certificates-'))
    try {
      theirs.push(seconds('make', ['-f', makefile, 'root-ca', 'west-cacerts', 'east-cacerts'], { cwd: directory }))
      const words = [
        'multicluster',
        'certificates',
        '--cluster',
        'west',
        '--cluster',
        'east',
        '--out',
        join(directory, 'ours'),
      ]
      ours.push(seconds('kubectl-telemetry', words, { env: workplace.environment }))
    } finally {
      rmSync(directory, { recursive: true })
    }
  }
  report('certificates', { ours, peer: theirs, of: 'make -f tools/certs/Makefile.selfsigned.mk', aim: 0.7 })
}

function istioSources(): string {
  const { stdout } = spawnSync('go', ['list', '-m', '-f', '{{.Dir}}', 'istio.io/istio'], {
    cwd: join(labSources, 'modules', 'istio-1.31'),
    encoding: 'utf8',
  })
  return stdout.trim()
}

const [FOO, BAR] = ['bench-foo', 'bench-bar']
const HOST = `httpbin.${BAR}.global`
const ADDRESS = '240.0.0.2'
const BOTH = ['--context', 'lab', '--context', 'lab-2']
const PROXIES = 20

function inClusters(clusters: TwoClusters, rounds: number): void {
  const { first, second } = clusters
  const telemetry = (...words: string[]) =>
    first.run('kubectl-telemetry', ['multicluster', ...words, ...BOTH], { timeout: 300_000 })
  const done = (...words: string[]) => {
    const { exitCode, stderr, stdout } = telemetry(...words)
    if (exitCode !== 0) throw new Error(`multicluster ${words.join(' ')}: ${stdout}${stderr}`)
  }
  start(first, [...sleep(FOO), caller()])
  start(second, httpbin(BAR, { mode: 'STRICT' }))
  try {
    done('connect', '-y')
    requests(telemetry('connect', '-y', '-v').stderr)
    const url = `http://${HOST}:8000/status/200`
    const call = () =>
      first.run('kubectl', ['-n', FOO, 'exec', 'deploy/caller', '-c', 'caller', '--', 'curl', '-sf', url])
    const page = byHand(entryNodePort(second))
    const [exporting, script]: [number[], number[]] = [[], []]
    const exported = ['export', 'httpbin', '-n', BAR, '--in', 'lab-2', '--dns', 'none', '--address', ADDRESS]
    for (let round = 0; round < rounds; round++) {
      exporting.push(timed(() => done(...exported, '--from', `${FOO}/caller`, '-y')))
      done('cleanup', '-y')
      script.push(
        timed(() => {
          second.apply(...page.serving)
          first.apply(...page.calling)
          while (call().exitCode !== 0);
        }),
      )
      first.delete(...page.calling)
      second.delete(...page.serving)
      while (call().exitCode === 0);
    }
    report('export', { ours: exporting, peer: script, of: 'kubectl apply, and calls until one is answered', aim: 0.7 })
    done(...exported, '--from', `${FOO}/caller`, '-y')
    const [verify, exec]: [number[], number[]] = [[], []]
    for (let round = 0; round < rounds; round++) {
      verify.push(timed(() => done('verify', '--from', `${FOO}/caller`)))
      exec.push(timed(call))
    }
    report('verify', { ours: verify, peer: exec, of: 'kubectl exec … curl', aim: 1.5 })
    trust(clusters, () => done('status'), rounds)
  } finally {
    telemetry('cleanup', '-y')
    telemetry('cleanup', '--trust', '--timeout', '5m', '-y')
    endNamespaces(first, FOO)
    endNamespaces(second, BAR)
  }
}

/** `status` asks all proxies of both clusters, and does more; istioctl asks one after the other. */
function trust({ first }: TwoClusters, status: () => void, rounds: number): void {
  first.kubectl('-n', FOO, 'scale', 'deploy/sleep', `--replicas=${PROXIES}`)
  first.kubectl('-n', FOO, 'rollout', 'status', 'deploy/sleep', '--timeout=85s')
  const list = first.kubectl('-n', FOO, 'get', 'pods', '-l', 'app=sleep', '-o', 'jsonpath={.items[*].metadata.name}')
  const [ours, peer]: [number[], number[]] = [[], []]
  for (let round = 0; round < rounds; round++) {
    ours.push(timed(status))
    peer.push(
      timed(() => {
        for (const pod of list.split(' ')) first.run('istioctl', ['-n', FOO, 'proxy-config', 'secret', pod])
      }),
    )
  }
  report(`trust of ${PROXIES} proxies`, { ours, peer, of: `${PROXIES} times istioctl proxy-config secret`, aim: 0.1 })
}

/** A caller that knows the name without DNS, so that no reload of CoreDNS is in the times. */
function caller(): object {
  const [app, labels] = ['caller', { app: 'caller' }]
  const containers = [{ name: app, image: CLIENT, imagePullPolicy: 'IfNotPresent' }]
  const hostAliases = [{ ip: ADDRESS, hostnames: [HOST] }]
  const spec = { serviceAccountName: 'sleep', terminationGracePeriodSeconds: 0, containers, hostAliases }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: app, namespace: FOO },
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  }
}

/** The page of istio.io, corrected for today's Istio: what a person applies in the two clusters, once they share a root. */
function byHand(port: number): { serving: object[]; calling: object[] } {
  const sni = `outbound_.8000_._.httpbin.${BAR}.svc.cluster.local`
  const object = (kind: string, spec: object) => {
    return { apiVersion: 'networking.istio.io/v1', kind, metadata: { name: 'page', namespace: 'istio-system' }, spec }
  }
  const server = { port: { number: 15443, name: 'tls', protocol: 'TLS' }, tls: { mode: 'AUTO_PASSTHROUGH' } }
  const hosts = [`httpbin.${BAR}.svc.cluster.local`]
  const tls = { mode: 'ISTIO_MUTUAL', sni, subjectAltNames: [`spiffe://cluster.local/ns/${BAR}/sa/httpbin`] }
  const entry = {
    ...{ hosts: [HOST], addresses: [ADDRESS], location: 'MESH_INTERNAL', resolution: 'STATIC' },
    ports: [{ number: 8000, name: 'http', protocol: 'HTTP' }],
    endpoints: [{ address: siteOfCluster(2).nodeAddress, ports: { http: port } }],
  }
  return {
    serving: [object('Gateway', { selector: { istio: 'ingressgateway' }, servers: [{ ...server, hosts }] })],
    calling: [object('DestinationRule', { host: HOST, trafficPolicy: { tls } }), object('ServiceEntry', entry)],
  }
}

/** Requests of `connect` on meshes that share a root, to each API server; a tunnel is one. */
function requests(log: string): void {
  for (const label of ['lab', 'lab-2']) {
    const lines = log.split('\n').filter((line) => line.startsWith(`${label}: `))
    const tunnels = lines.filter((line) => line.includes('portforward')).length
    console.log(`connect again, ${label}: ${lines.length - tunnels} requests (aim: at most 30), ${tunnels} tunnels`)
  }
}

function report(
  what: string,
  { ours, peer, of, aim }: { ours: number[]; peer: number[]; of: string; aim: number },
): void {
  const times = `${figure(median(ours))} s, ${of} ${figure(median(peer))} s`
  console.log(`${what}: ${times}: ${figure(ratio(ours, peer))}x (aim: at most ${aim})`)
}

function timed(work: () => void): number {
  const started = performance.now()
  work()
  return (performance.now() - started) / 1000
}

function seconds(command: string, words: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv }): number {
  return timed(() => {
    const { status, stderr } = spawnSync(command, words, { ...options, encoding: 'utf8' })
    if (status !== 0) throw new Error(`${command}: ${stderr}`)
  })
}
