/** `npm run bench -- quickstart`: `addons install` against `kubectl apply` of the same samples with `kubectl rollout status`, interleaved. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Workplace } from '../e2e/mesh.ts'
import { addons as labAddons, labPaths } from '../lab/lab.ts'
import type { Aim } from './aims.ts'
import { describeMachine } from './machine.ts'
import type { Options } from './options.ts'
import type { Figures } from './section.ts'
import { type Finding, table } from './table.ts'

const FOUR = ['prometheus', 'grafana', 'kiali', 'jaeger']
const FILES = FOUR.flatMap((name) => [
  '-f',
  fileURLToPath(new URL(`../../src/samples/1.31/${name}.yaml`, import.meta.url)),
])
const NAMESPACE = ['-n', 'istio-system']
const APPLY = ['kubectl', ...NAMESPACE, 'apply', ...FILES]

/** Commands of a tool, each after the other. */
interface Compared {
  name: string
  title: string
  install: string[][]
  again: string[][]
  remove: string[]
}

const OURS = ['kubectl-telemetry', 'addons']
const COMPARED: readonly Compared[] = [
  {
    name: 'kubectl',
    title: 'kubectl apply, rollout status',
    install: [APPLY, ...FOUR.map((name) => ['kubectl', ...NAMESPACE, 'rollout', 'status', `deployment/${name}`])],
    again: [APPLY],
    remove: ['kubectl', ...NAMESPACE, 'delete', '--ignore-not-found', ...FILES],
  },
  {
    name: 'telemetry',
    title: 'addons install',
    install: [[...OURS, 'install', '-y']],
    again: [[...OURS, 'install', '-y']],
    remove: [...OURS, 'uninstall', '-y'],
  },
]

const AIMS: ReadonlyMap<string, Aim> = new Map<string, Aim>([
  ['until ready, s', { of: 'ratio', atMost: 1.1 }],
  ['until ready: API requests', { of: 'figure', atMost: 120 }],
  ['until ready: connections', { of: 'figure', atMost: 1 }],
  ['nothing to do, s', { of: 'ratio', atMost: 0.5 }],
])

export const sections: readonly string[] = []
export const tools: readonly string[] = COMPARED.map(({ name }) => name)

/** @returns whether every command succeeded */
export async function run({ tools: names, rounds }: Options): Promise<boolean> {
  const workplace = new Workplace()
  const counted = await Counted.start(workplace)
  const compared = COMPARED.filter(({ name }) => names.includes(name))
  const findings: Finding[] = []
  try {
    const machine = describeMachine(workplace)
    await counted.run(COMPARED[0]?.remove ?? [])
    for (let round = 0; round < rounds; round++) {
      for (const { name, install, again, remove } of compared) {
        await podsGone(workplace)
        const figures = {
          ...(await counted.measure('until ready', install)),
          ...(await counted.measure('nothing to do', again)),
        }
        console.error(`round ${round + 1} of ${rounds}, ${name}: ${JSON.stringify(figures)}`)
        findings.push({ tool: name, round, figures })
        await counted.run(remove)
      }
    }
    console.log(`${table(compared, findings, AIMS, 'telemetry')}\n\nMedians of ${rounds} rounds. ${machine}.`)
    return true
  } finally {
    counted.close()
    workplace.end()
    await labAddons(FOUR)
  }
}

/** Pods that end would take time from the next round. */
async function podsGone(workplace: Workplace): Promise<void> {
  const pods = () => workplace.kubectl(...NAMESPACE, 'get', 'pods', '-o', 'name')
  for (let waited = 0; waited < 60 && /prometheus|grafana|kiali|jaeger/.test(pods()); waited++) await sleep(1_000)
}

interface KubeConfig {
  clusters: [{ cluster: Record<string, unknown> & { server: string } }]
}

/** Commands whose connections pass through this process, and whose requests the API server records in its audit log. */
class Counted {
  readonly #environment: NodeJS.ProcessEnv
  readonly #server = createServer((near) => {
    this.#connections++
    const far = connect({ host: this.#host, port: this.#port, noDelay: true })
    near.setNoDelay(true)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('error', () => to.destroy())
      from.pipe(to)
    }
  })
  readonly #config = JSON.parse(readFileSync(labPaths().kubeconfig, 'utf8')) as KubeConfig
  readonly #host: string
  readonly #port: number
  #connections = 0

  static async start(workplace: Workplace): Promise<Counted> {
    const counted = new Counted(workplace)
    counted.#server.listen(0, '127.0.0.1')
    await once(counted.#server, 'listening')
    const { cluster } = counted.#config.clusters[0]
    cluster.server = `https://127.0.0.1:${(counted.#server.address() as AddressInfo).port}`
    cluster['tls-server-name'] = 'kubernetes'
    writeFileSync(counted.#environment.KUBECONFIG ?? '', JSON.stringify(counted.#config), { mode: 0o600 })
    return counted
  }

  private constructor({ directory, environment }: Workplace) {
    this.#environment = { ...environment, KUBECONFIG: join(directory, 'counted.json') }
    const { hostname, port } = new URL(this.#config.clusters[0].cluster.server)
    this.#host = hostname
    this.#port = Number(port)
  }

  /** @throws Error when it fails */
  async run([command = '', ...words]: string[]): Promise<void> {
    const child = spawn(command, words, { env: this.#environment, stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    const [code] = (await once(child, 'close')) as [number | null]
    if (code !== 0) throw new Error(`${command} ${words.slice(0, 4).join(' ')}: exit code ${code}: ${said}`)
  }

  async measure(what: string, commands: string[][]): Promise<Figures> {
    const log = labPaths().auditLog
    const from = statSync(log).size
    this.#connections = 0
    const started = performance.now()
    for (const words of commands) await this.run(words)
    const seconds = (performance.now() - started) / 1_000
    await sleep(1_000) // the audit log is written in batches
    const lines = readFileSync(log).subarray(from).toString().split('\n')
    // The lab's kubelet is the same user. Our requests have no name of a program.
    const isOurs = (line: string) => /"userAgent":"kubectl\//.test(line) || !line.includes('"userAgent"')
    const requests = lines.filter((line) => line.includes('"ResponseComplete"') && isOurs(line))
    return {
      [`${what}, s`]: seconds,
      [`${what}: API requests`]: requests.length,
      [`${what}: connections`]: this.#connections,
    }
  }

  close(): void {
    this.#server.close()
  }
}
