/** `npm run bench -- multicluster`: CAs against Istio's own tools/certs, and commands in two clusters against kubectl. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Workplace } from '../e2e/mesh.ts'
import { endNamespaces, httpbin, inSleep, sleep, start, TwoClusters } from '../e2e/two-clusters.ts'
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
const BOTH = ['--context', 'lab', '--context', 'lab-2']

function inClusters(clusters: TwoClusters, rounds: number): void {
  const { first, second } = clusters
  const telemetry = (...words: string[]) =>
    first.run('kubectl-telemetry', ['multicluster', ...words, ...BOTH], { timeout: 300_000 })
  const done = (...words: string[]) => {
    const { exitCode, stderr } = telemetry(...words)
    if (exitCode !== 0) throw new Error(`multicluster ${words.join(' ')}: ${stderr}`)
  }
  start(first, sleep(FOO))
  start(second, httpbin(BAR, { mode: 'STRICT' }))
  try {
    done('connect', '-y')
    requests(telemetry('connect', '-y', '-v').stderr)
    done('export', 'httpbin', '-n', BAR, '--in', 'lab-2', '-y')
    const url = `http://httpbin.${BAR}.global:8000/status/200`
    const [verify, exec]: [number[], number[]] = [[], []]
    for (let round = 0; round < rounds; round++) {
      verify.push(timed(() => done('verify', '--from', `${FOO}/sleep`)))
      exec.push(timed(() => inSleep(first, FOO, 'wget', '-q', '-O', '-', url)))
    }
    report('verify', { ours: verify, peer: exec, of: 'kubectl exec … wget', aim: 1.5 })
  } finally {
    telemetry('cleanup', '-y')
    telemetry('cleanup', '--trust', '--timeout', '5m', '-y')
    endNamespaces(first, FOO)
    endNamespaces(second, BAR)
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
