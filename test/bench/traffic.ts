/** `npm run bench -- traffic`: `traffic` against the documented loop of curls, to a small Service behind the gateway, interleaved. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TrafficResult } from '../../src/traffic/result.ts'
import { BOOKINFO, endBookinfo, startBookinfo } from '../e2e/bookinfo.ts'
import { exposeForAnyone } from '../e2e/exposed.ts'
import { Workplace } from '../e2e/mesh.ts'
import type { Aim } from './aims.ts'
import { knownLatencies } from './known-latencies.ts'
import { describeMachine } from './machine.ts'
import type { Options } from './options.ts'
import { parsePeak, readStatus } from './processes.ts'
import type { Figures } from './section.ts'
import { type Finding, table } from './table.ts'

const PATH = '/details/0'
const TARGET = ['svc/details', '-n', BOOKINFO, '--path', PATH, '--prometheus', 'none', '-o', 'json']
/** Requests, in the loop and in our run. */
const COUNT = 1_000

const COMPARED = [
  { name: 'curl', title: 'loop of curls' },
  { name: 'telemetry', title: 'traffic' },
]

const AIMS: ReadonlyMap<string, Aim> = new Map<string, Aim>([
  ['CPU of a request, ms', { of: 'ratio', atMost: 0.2 }],
  ['200 a second for 10 s: rate', { of: 'figure', atLeast: 198 }],
  ['10,000 requests: MiB more than 1,000', { of: 'figure', atMost: 5 }],
  ['known latencies: p50 off by, ms', { of: 'figure', atMost: 2 }],
  ['known latencies: p99 off by, ms', { of: 'figure', atMost: 2 }],
])

export const sections: readonly string[] = []
export const tools: readonly string[] = COMPARED.map(({ name }) => name)

/** @returns whether every command succeeded */
export async function run({ tools: names, rounds }: Options): Promise<boolean> {
  const workplace = new Workplace()
  const compared = COMPARED.filter(({ name }) => names.includes(name))
  const findings: Finding[] = []
  try {
    startBookinfo(workplace)
    const [exposure] = exposeForAnyone(workplace, 'svc/details', '-n', BOOKINFO).exposures
    const machine = describeMachine(workplace)
    const url = new URL(PATH, exposure?.url).href
    for (let round = 0; round < rounds; round++) {
      for (const { name } of compared) {
        const figures = name === 'curl' ? await curls(url, workplace) : await ours(workplace)
        console.error(`round ${round + 1} of ${rounds}, ${name}: ${JSON.stringify(figures)}`)
        findings.push({ tool: name, round, figures })
      }
    }
    console.log(`${table(compared, findings, AIMS, 'telemetry')}\n\nMedians of ${rounds} rounds. ${machine}.`)
    return true
  } finally {
    endBookinfo(workplace)
    workplace.end()
  }
}

/** As Istio's pages have it: https://istio.io/latest/docs/tasks/observability/distributed-tracing/jaeger/ */
async function curls(url: string, workplace: Workplace): Promise<Figures> {
  const resolve = `${new URL(url).host}:${exposedAddress(workplace)}`
  const loop = `for i in $(seq 1 ${COUNT}); do curl -sk --resolve ${resolve} -o /dev/null ${url} || exit 1; done`
  const { cpu, seconds } = await timed(['bash', '-c', loop], workplace)
  return { 'CPU of a request, ms': (cpu * 1_000) / COUNT, 'requests a second': COUNT / seconds }
}

function exposedAddress(workplace: Workplace): string {
  const { gateway } = JSON.parse(workplace.telemetry('status', '-o', 'json').stdout) as { gateway: { address: string } }
  return gateway.address
}

async function ours(workplace: Workplace): Promise<Figures> {
  const run = (count: number) =>
    timed(['kubectl-telemetry', 'traffic', ...TARGET, '--requests', `${count}`, ...FAST], workplace)
  const small = await run(COUNT)
  const fast = await run(2_000)
  const large = await run(10_000)
  return {
    'CPU of a request, ms': (small.cpu * 1_000) / COUNT,
    'requests a second': resultOf(small).rate,
    '200 a second for 10 s: rate': resultOf(fast).rate,
    '200 a second for 10 s: p50, ms': resultOf(fast).latency?.p50 ?? Number.NaN,
    '200 a second for 10 s: p99, ms': resultOf(fast).latency?.p99 ?? Number.NaN,
    '1,000 requests: peak RSS, MiB': small.peak,
    '10,000 requests: peak RSS, MiB': large.peak,
    '10,000 requests: MiB more than 1,000': large.peak - small.peak,
    'CPU of a request of 10,000, ms': (large.cpu * 1_000) / 10_000,
    ...(await knownLatencies()),
  }
}

const FAST = ['--rate', '200', '--concurrency', '32']

function resultOf({ stdout }: Timed): TrafficResult {
  return JSON.parse(stdout) as TrafficResult
}

interface Timed {
  stdout: string
  /** User and system time of the program and its children. */
  cpu: number
  seconds: number
  /** MiB. */
  peak: number
}

/** @throws Error when it fails */
async function timed(words: string[], { environment }: Workplace): Promise<Timed> {
  // The shell's `time` counts children that have ended.
  const script = 'TIMEFORMAT="%U %S %R"; time "$@"'
  const child = spawn('bash', ['-c', script, 'bench', ...words], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      said[stream] += text
    })
  let peak = 0
  // The peak only grows, so a look now and then is enough.
  const looking = setInterval(() => {
    peak = Math.max(
      peak,
      ...readStatus(child.pid ?? 0)
        .map(parsePeak)
        .filter(Number.isFinite),
    )
  }, 200)
  const [code] = (await once(child, 'close')) as [number]
  clearInterval(looking)
  if (code !== 0) throw new Error(`${words.slice(0, 3).join(' ')}: exit code ${code}: ${said.stdout}${said.stderr}`)
  const [user = 0, system = 0, seconds = 0] = (said.stderr.trim().split('\n').at(-1) ?? '').split(' ').map(Number)
  return { stdout: said.stdout, cpu: user + system, seconds, peak }
}
