/** `npm run bench -- forward`: our port-forward beside kubectl's and istioctl's, interleaved in one run, on the lab. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Workplace } from '../e2e/mesh.ts'
import { median, quantile, type Row, table } from './statistics.ts'

/** A tool that makes a local port lead to the add-on Grafana. */
interface Tool {
  name: string
  argv(port: number): string[]
}

const TOOLS: Tool[] = [
  {
    name: 'kubectl',
    argv: (port) => ['kubectl', '-n', 'istio-system', 'port-forward', 'service/grafana', `${port}:3000`],
  },
  {
    name: 'istioctl',
    argv: (port) => ['istioctl', 'dashboard', 'grafana', '--browser=false', '-p', String(port)],
  },
  {
    name: 'kubectl telemetry',
    argv: (port) => ['kubectl-telemetry', 'port-forward', 'grafana', '-p', String(port)],
  },
]
const PATH = '/api/health'
const ROUNDS = 3
const REQUESTS = 100

const workplace = new Workplace()

class Running {
  readonly child: ChildProcess
  readonly port: number

  private constructor(child: ChildProcess, port: number) {
    this.child = child
    this.port = port
  }

  /** @returns once it serves, and how long that took in milliseconds */
  static async start(tool: Tool): Promise<{ running: Running; milliseconds: number }> {
    const port = await freePort()
    const [command = '', ...words] = tool.argv(port)
    const started = performance.now()
    const child = spawn(command, words, { env: workplace.environment, stdio: 'ignore' })
    const running = new Running(child, port)
    for (;;) {
      if ((await running.get()) === 200) return { running, milliseconds: performance.now() - started }
      if (child.exitCode !== null) throw new Error(`${tool.name} ended with ${child.exitCode}`)
      if (performance.now() - started > 30_000) throw new Error(`${tool.name} does not serve`)
      await sleep(2)
    }
  }

  /** @returns the status; 0 without an answer */
  get(agent = new Agent({ keepAlive: false })): Promise<number> {
    return new Promise((resolve) => {
      const asking = request({ host: '127.0.0.1', port: this.port, path: PATH, agent, timeout: 15_000 })
      asking.once('response', (response) => response.resume().once('end', () => resolve(response.statusCode ?? 0)))
      asking.once('timeout', () => asking.destroy())
      asking.once('error', () => resolve(0))
      asking.end()
    })
  }

  async time(times: number, agent?: Agent): Promise<number[]> {
    const taken: number[] = []
    for (let count = 0; count < times; count++) {
      const started = performance.now()
      if ((await this.get(agent)) === 200) taken.push(performance.now() - started)
    }
    return taken
  }

  /** @returns how long it took in milliseconds to end on Ctrl-C */
  async end(): Promise<number> {
    if (this.child.exitCode !== null) return Number.NaN
    const started = performance.now()
    const ended = once(this.child, 'close')
    this.child.kill('SIGINT')
    const patience = setTimeout(() => this.child.kill('SIGKILL'), 5_000)
    await ended
    clearTimeout(patience)
    return performance.now() - started
  }
}

type Measured = Map<string, number[]>

async function measure(tool: Tool, measured: Measured): Promise<void> {
  const add = (what: string, ...values: number[]) => measured.set(what, [...(measured.get(what) ?? []), ...values])
  const { running, milliseconds } = await Running.start(tool)
  try {
    add('start to first 200', milliseconds)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    add('keep-alive', ...(await running.time(REQUESTS, agent)))
    agent.destroy()
    add('new connection', ...(await running.time(REQUESTS)))
    const started = performance.now()
    const statuses = await Promise.all(Array.from({ length: 200 }, () => running.get()))
    add('200 at once', performance.now() - started)
    add('200 at once, served', statuses.filter((status) => status === 200).length)
    add('Ctrl-C to end', await running.end())
  } finally {
    running.child.kill('SIGKILL')
  }
}

/** Asks for eight seconds, fifty times a second, while the pod is deleted. */
async function recover(tool: Tool, measured: Measured): Promise<void> {
  const { running } = await Running.start(tool)
  try {
    const asking: Promise<number>[] = []
    const until = performance.now() + 8_000
    setTimeout(() => deletePod(), 500)
    for (; performance.now() < until; await sleep(20)) asking.push(running.get())
    const statuses = await Promise.all(asking)
    const failed = statuses.filter((status) => status !== 200).length
    measured.set('pod deleted: failed', [...(measured.get('pod deleted: failed') ?? []), failed])
    measured.set('pod deleted: of', [...(measured.get('pod deleted: of') ?? []), statuses.length])
  } finally {
    running.child.kill('SIGKILL')
    workplace.kubectl('-n', 'istio-system', 'rollout', 'status', 'deployment/grafana', '--timeout=60s')
  }
}

function deletePod(): void {
  const words = ['-n', 'istio-system', 'delete', 'pod', '-l', 'app.kubernetes.io/name=grafana', '--wait=false']
  spawn('kubectl', words, { env: workplace.environment, stdio: 'ignore' })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

const ROWS: [what: string, unit: string, of: (values: number[]) => number, measured: string][] = [
  ['start to first 200', 'ms', median, 'start to first 200'],
  ['keep-alive p50', 'ms', median, 'keep-alive'],
  ['keep-alive p99', 'ms', (values) => quantile(values, 0.99), 'keep-alive'],
  ['new connection p50', 'ms', median, 'new connection'],
  ['new connection p99', 'ms', (values) => quantile(values, 0.99), 'new connection'],
  ['200 at once', 'ms', median, '200 at once'],
  ['200 at once: served', '', median, '200 at once, served'],
  ['Ctrl-C to end', 'ms', median, 'Ctrl-C to end'],
  ['pod deleted: failed requests', '', median, 'pod deleted: failed'],
  ['pod deleted: of', '', median, 'pod deleted: of'],
]

const results = TOOLS.map(() => new Map() as Measured)
try {
  for (let round = 0; round < ROUNDS; round++)
    for (const [index, tool] of TOOLS.entries()) await measure(tool, results[index] ?? new Map())
  for (const [index, tool] of TOOLS.entries()) await recover(tool, results[index] ?? new Map())
  const rows: Row[] = ROWS.map(([what, unit, of, name]) => ({
    what: unit === '' ? what : `${what}, ${unit}`,
    values: results.map((measured) => {
      const values = measured.get(name)
      return values === undefined ? undefined : of(values)
    }),
  }))
  console.log(
    table(
      TOOLS.map(({ name }) => name),
      rows,
    ),
  )
} finally {
  workplace.end()
}
