/** Figures of a bench: medians and tails of what was measured, and ratios to a peer of the same run. Pure. */

/** The value below which this part (0 to 1) of the values lies: nearest rank. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(part * sorted.length) - 1))] ?? Number.NaN
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** `2.31`, `118`, `-`: three digits. */
export function figure(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '-'
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

export interface Row {
  what: string
  /** By tool, in its order of columns; the first is what the others are compared with. */
  values: (number | undefined)[]
}

/** A Markdown table; every tool but the first with its ratio to the first. */
export function table(tools: readonly string[], rows: readonly Row[]): string {
  const lines = rows.map(({ what, values }) => {
    const [base] = values
    const cells = values.map((value, index) => {
      const ratio = index === 0 || !base || value === undefined ? '' : ` (${(value / base).toFixed(2)}x)`
      return `${figure(value)}${ratio}`
    })
    return `| ${[what, ...cells].join(' | ')} |`
  })
  return [`| | ${tools.join(' | ')} |`, `|${' --- |'.repeat(tools.length + 1)}`, ...lines].join('\n')
}
