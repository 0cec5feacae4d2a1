/** Memory, descriptors and sockets of a process, from Linux' /proc. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export interface Footprint {
  /** Resident memory in MiB. */
  rss: number
  /** Peak of the resident memory in MiB. */
  peak: number
  descriptors: number
  sockets: number
}

export function footprint(pid: number): Footprint {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const mebibytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024
  const links = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)]
    } catch {
      return [] // closed in between
    }
  })
  const sockets = links.filter((link) => link.startsWith('socket:')).length
  return { rss: mebibytes('VmRSS'), peak: mebibytes('VmHWM'), descriptors: links.length, sockets }
}
