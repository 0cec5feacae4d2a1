/** CPU time and memory of a process and its descendants on Linux (proc_pid_stat(5), proc_pid_status(5)). */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

/** Linux reports CPU time in this unit on all architectures of Node. */
const TICKS_PER_SECOND = 100

export interface ProcessStat {
  parent: number
  /** User and system time of all threads, in seconds. */
  cpuSeconds: number
}

/** @param text of /proc/PID/stat; the program's name in it may contain anything, also spaces and parentheses */
export function parseStat(text: string): ProcessStat {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  // The first field after the name is the third of the manual.
  const field = (number: number) => Number(fields[number - 3])
  return { parent: field(4), cpuSeconds: (field(14) + field(15)) / TICKS_PER_SECOND }
}

/** @param text of /proc/PID/status. @returns the peak of the resident set in MiB */
export function parsePeak(text: string): number {
  const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(text) ?? []
  return kibibytes === undefined ? Number.NaN : Number(kibibytes) / 1024
}

/** @returns the process and its descendants */
export function treeOf(root: number, parents: ReadonlyMap<number, number>): number[] {
  const tree = [root]
  for (const one of tree) for (const [child, parent] of parents) if (parent === one) tree.push(child)
  return tree
}

/** User and system time of the living processes of the tree, in seconds: hundredths. */
export function cpuSeconds(root: number): number {
  return sum(readTree(root).map((process) => parseStat(read(process, 'stat')).cpuSeconds))
}

/** Resets the peak. */
export function resetPeak(root: number): void {
  for (const process of readTree(root)) writeFileSync(`/proc/${process}/clear_refs`, '5')
}

/** Sum of the peaks of the tree's processes, in MiB. */
export function peakMebibytes(root: number): number {
  return sum(readTree(root).map((process) => parsePeak(read(process, 'status'))))
}

/** The text of /proc/PID/status of each living process of the tree. */
export function readStatus(root: number): string[] {
  return readTree(root).flatMap((process) => {
    try {
      return [read(process, 'status')]
    } catch {
      // It has ended since the directory was read.
      return []
    }
  })
}

function readTree(root: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      parents.set(Number(name), parseStat(read(Number(name), 'stat')).parent)
    } catch {
      // The process has ended since the directory was read.
    }
  }
  return treeOf(root, parents)
}

function read(process: number, file: string): string {
  return readFileSync(`/proc/${process}/${file}`, 'utf8')
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
