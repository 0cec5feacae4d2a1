/** Figures of a bench: medians and tails of what was measured. Pure. */

/** The value below which this part (0 to 1) of the values lies: nearest rank. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(part * sorted.length) - 1))] ?? Number.NaN
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** `2.31`, `118`, `0`, `-`: three digits; counts without a fraction. */
export function figure(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '-'
  if (Number.isInteger(value) || Math.abs(value) >= 100) return value.toFixed(0)
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

/** By round; a round in which there was nothing to measure has no figure. */
export type Rounds = readonly (number | undefined)[]

/** The median over the rounds; undefined when there is no figure at all. */
export function typical(rounds: Rounds): number | undefined {
  const known = rounds.filter((value) => value !== undefined && !Number.isNaN(value))
  return known.length === 0 ? undefined : median(known as number[])
}

/**
 * How much of the peer's: the median of the ratios of each round, because what else a machine does moves both figures of a round.
 * @returns undefined when no round has both, or the peer's are 0
 */
export function ratio(rounds: Rounds, peer: Rounds): number | undefined {
  return typical(
    rounds.map((value, index) => {
      const base = peer[index]
      return value === undefined || !base ? undefined : value / base
    }),
  )
}
