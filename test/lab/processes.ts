// The lab's daemons. No pid files: /proc is asked each time, so nothing can be stale after a crash or a reboot.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, open, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { run, runPaths } from './layout.ts'
import { insideNamespace } from './network.ts'
import { until } from './progress.ts'

export interface Daemon {
  name: string
  argv: readonly [string, ...string[]]
}

export interface Process {
  pid: number
  argv: string[]
}

/** Every process of the machine. Zombies have no command line and are left out. */
export function processes(): Process[] {
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return []
    try {
      const argv = readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0').slice(0, -1)
      return argv.length > 0 ? [{ pid: Number(entry), argv }] : []
    } catch {
      return [] // ended in between
    }
  })
}

/** Running copies of a program that were told to work in the lab's run directory. Others' copies name another. */
export function processesOf(program: string): Process[] {
  return processes().filter(
    ({ argv }) => basename(argv[0] ?? '') === program && argv.slice(1).some((argument) => argument.includes(`${run}/`)),
  )
}

export function runningDaemon(daemon: Daemon): Process | undefined {
  return processesOf(basename(daemon.argv[0]))[0]
}

/** Starts the daemon in the node's network namespace, in a session of its own, unless it runs already. */
export async function start(daemon: Daemon): Promise<void> {
  if (runningDaemon(daemon)) return
  await mkdir(runPaths.logs, { recursive: true })
  const log = await open(logFile(daemon), 'a')
  const [program, ...args] = insideNamespace(daemon.argv)
  const child = spawn(program, args, { detached: true, stdio: ['ignore', log.fd, log.fd] })
  await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject))
  child.unref()
  await log.close()
  // Until nsenter has become the daemon it would not be recognised; in between it has no command line at all, and the longer so the
  // more of the program has to be read from disk.
  await until(`${daemon.name} to start`, async () => {
    const argv = processes().find(({ pid }) => pid === child.pid)?.argv ?? []
    const isAlive = existsSync(`/proc/${child.pid}`)
    if (isAlive && argv[0] !== daemon.argv[0]) throw new Error('not yet')
  })
}

/** Waits until the daemon answers; when it has ended instead, its last words are the error. */
export async function untilReady(daemon: Daemon, probe: () => Promise<unknown>): Promise<void> {
  let ended = false
  await until(`${daemon.name} to be ready (see ${logFile(daemon)})`, async () => {
    ended = !runningDaemon(daemon)
    if (!ended) await probe()
  })
  if (ended) {
    const words = (await readFile(logFile(daemon), 'utf8')).trim().split('\n').slice(-5).join('\n')
    throw new Error(`${daemon.name} ended:\n${words}`)
  }
}

/** SIGKILL: what the lab keeps is thrown away anyway, and an API server without etcd ignores anything less. */
export async function kill(pids: readonly number[]): Promise<void> {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // it has ended by itself
    }
  }
  await until(`processes ${pids.join(' ')} to end`, async () => {
    const left = new Set(processes().map(({ pid }) => pid))
    if (pids.some((pid) => left.has(pid))) throw new Error('still there')
  })
}

function logFile(daemon: Daemon): string {
  return join(runPaths.logs, `${daemon.name}.log`)
}
