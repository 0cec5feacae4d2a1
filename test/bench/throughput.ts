/** Bulk transfers: MiB a second, CPU time per GiB, and memory. The content is checked separately, because that needs CPU time too. */
import type { RunningTool } from './running-tool.ts'
import type { Section } from './section.ts'
import { download, MEBIBYTE, upload, verify } from './transfers.ts'

const DOWN = 256
const UP = 128
const PARALLEL = 8
const EACH = 32
const VERIFIED = 16

interface Bulk {
  rate: number
  cpu: number
  peak: number
}

export const throughput: Section = {
  name: 'throughput',
  measure: async (open) => {
    const tool = await open()
    const down = await bulk(tool, DOWN, () => download(tool.port, DOWN * MEBIBYTE))
    const up = await bulk(tool, UP, () => upload(tool.port, UP * MEBIBYTE))
    const eight = await bulk(tool, PARALLEL * EACH, () =>
      Promise.all(Array.from({ length: PARALLEL }, () => download(tool.port, EACH * MEBIBYTE))),
    )
    await verify(tool.port, VERIFIED * MEBIBYTE)
    return {
      [`download of ${DOWN} MiB, MiB/s`]: down.rate,
      [`upload of ${UP} MiB, MiB/s`]: up.rate,
      [`${PARALLEL} downloads of ${EACH} MiB, MiB/s`]: eight.rate,
      'CPU of a GiB down, s': down.cpu,
      'CPU of a GiB up, s': up.cpu,
      'download: peak RSS, MiB': down.peak,
      'upload: peak RSS, MiB': up.peak,
      [`${PARALLEL} downloads: peak RSS, MiB`]: eight.peak,
    }
  },
}

async function bulk(tool: RunningTool, mebibytes: number, transfer: () => Promise<unknown>): Promise<Bulk> {
  let seconds = 0
  const before = tool.cpuSeconds()
  const peak = await tool.peak(async () => {
    const started = performance.now()
    await transfer()
    seconds = (performance.now() - started) / 1000
  })
  return { rate: mebibytes / seconds, cpu: ((tool.cpuSeconds() - before) * 1024) / mebibytes, peak }
}
