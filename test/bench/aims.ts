/** Pure: the aims of our forward, by row. Figures that do not depend on the tool have no aim. */

/** Whether the aim limits the figure itself, or its ratio to the first tool's. */
export type Aim = { of: 'figure' | 'ratio' } & ({ atMost: number } | { atLeast: number })

const atMost = (ratio: number): Aim => ({ of: 'ratio', atMost: ratio })
const atLeast = (ratio: number): Aim => ({ of: 'ratio', atLeast: ratio })
const figureAtMost = (value: number): Aim => ({ of: 'figure', atMost: value })

export const AIMS: ReadonlyMap<string, Aim> = new Map<string, Aim>([
  ['start to first 200, ms', atMost(1.3)],
  ['Ctrl-C to end, ms', atMost(1)],
  ['keep-alive p50, ms', atMost(1)],
  ['new connection p50, ms', atMost(0.7)],
  ['new connection p99, ms', atMost(1)],
  ['200 at once: served', { of: 'figure', atLeast: 200 }],
  ['200 at once, ms', atMost(1)],
  ['200 at once: peak RSS, MiB', atMost(0.9)],
  ['download of 256 MiB, MiB/s', atLeast(1.15)],
  ['upload of 128 MiB, MiB/s', atLeast(1.15)],
  ['8 downloads of 32 MiB, MiB/s', atLeast(1.2)],
  ['CPU of a GiB down, s', atMost(0.75)],
  ['CPU of a GiB up, s', atMost(1)],
  ['download: peak RSS, MiB', atMost(0.9)],
  ['upload: peak RSS, MiB', atMost(0.9)],
  ['8 downloads: peak RSS, MiB', atMost(0.9)],
  ['beside a slow reader: timeouts of 2 s', figureAtMost(0)],
  ['beside a slow reader: p99, ms', figureAtMost(20)],
  ['slow reader: peak RSS, MiB', atMost(0.95)],
  ['beside a slow upload: timeouts of 2 s', figureAtMost(0)],
  ['beside a slow upload: p99, ms', figureAtMost(20)],
  ['slow upload: peak RSS, MiB', atMost(1.15)],
  ['pod deleted: failed of 400', figureAtMost(0)],
  ['pod deleted: Ready to first success, ms', figureAtMost(100)],
  ['30 ms away: start to first 200, ms', atMost(0.65)],
  ['30 ms away: keep-alive p50, ms', atMost(1)],
  ['30 ms away: new connection p50, ms', atMost(0.36)],
  ['30 ms away: 200 at once: served', { of: 'figure', atLeast: 200 }],
  ['30 ms away: 200 at once, ms', atMost(1)],
])

/** `<= 0.70x`, `>= 200`. */
export function aimText(aim: Aim): string {
  const [sign, limit] = 'atMost' in aim ? ['<=', aim.atMost] : ['>=', aim.atLeast]
  return aim.of === 'ratio' ? `${sign} ${limit.toFixed(2)}x` : `${sign} ${limit}`
}

/** @param found the measured figure; undefined if there is none */
export function verdict(aim: Aim, found: number | undefined): 'met' | 'missed' | '-' {
  if (found === undefined) return '-'
  return ('atMost' in aim ? found <= aim.atMost : found >= aim.atLeast) ? 'met' : 'missed'
}
