/** Pure: a Markdown table with the figures of each tool, its ratio to the first tool, and the aims of the last. */
import { type Aim, aimText, verdict } from './aims.ts'
import type { Figures } from './section.ts'
import { figure, type Rounds, ratio, typical } from './statistics.ts'

/** Figures of one tool in one section and round. */
export interface Finding {
  tool: string
  round: number
  figures: Figures
}

/**
 * @param tools names and titles in the order of the columns
 * @param judged the tool that the aims are for
 */
export function table(
  tools: readonly { name: string; title: string }[],
  findings: readonly Finding[],
  aims: ReadonlyMap<string, Aim>,
  judged: string,
): string {
  const heads = ['', ...tools.map(({ title }) => title), 'aim', '']
  const whats = [...new Set(findings.flatMap(({ figures }) => Object.keys(figures)))]
  const lines = whats.map((what) => {
    const columns = tools.map(({ name }) => roundsOf(findings, name, what))
    const cells = columns.map((rounds, index) => cell(rounds, index === 0 ? undefined : columns[0]))
    return [
      what,
      ...cells,
      ...judgement(
        what,
        columns,
        tools.findIndex(({ name }) => name === judged),
        aims,
      ),
    ]
  })
  return [heads, heads.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function roundsOf(findings: readonly Finding[], tool: string, what: string): Rounds {
  const rounds: (number | undefined)[] = []
  for (const one of findings) if (one.tool === tool && what in one.figures) rounds[one.round] = one.figures[what]
  return Array.from(rounds)
}

function cell(rounds: Rounds, peer: Rounds | undefined): string {
  const compared = peer === undefined ? undefined : ratio(rounds, peer)
  return `${figure(typical(rounds))}${compared === undefined ? '' : ` (${compared.toFixed(2)}x)`}`
}

function judgement(
  what: string,
  columns: readonly Rounds[],
  judged: number,
  aims: ReadonlyMap<string, Aim>,
): [aim: string, verdict: string] {
  const aim = aims.get(what)
  const [peer = [], rounds] = [columns[0], columns[judged]]
  if (aim === undefined || rounds === undefined) return ['', '']
  // The first tool cannot be compared with itself.
  const found = aim.of === 'figure' ? typical(rounds) : judged === 0 ? undefined : ratio(rounds, peer)
  return [aimText(aim), verdict(aim, found)]
}
