/** Pure: medians and quantiles of measured figures. */

/** The quantile (0 to 1) by nearest rank. */
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

/** Figures by round; a round may have none. */
export type Rounds = readonly (number | undefined)[]

/** The median of all rounds; undefined without any figure. */
export function typical(rounds: Rounds): number | undefined {
  const known = rounds.filter((value) => value !== undefined && !Number.isNaN(value))
  return known.length === 0 ? undefined : median(known as number[])
}

/**
 * The median of each round's ratio to the peer's figure, because other load on the machine changes both figures of a round.
 * @returns undefined if no round has both figures, or if the peer's are 0
 */
export function ratio(rounds: Rounds, peer: Rounds): number | undefined {
  return typical(
    rounds.map((value, index) => {
      const base = peer[index]
      return value === undefined || !base ? undefined : value / base
    }),
  )
}
