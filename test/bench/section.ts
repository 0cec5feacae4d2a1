import type { RunningTool } from './running-tool.ts'

/** What a section found out about a tool in one round, by the name of its row. */
export type Figures = Record<string, number>

export interface Section {
  name: string
  /** @param open starts the tool; whoever asks ends it */
  measure(open: () => Promise<RunningTool>): Promise<Figures>
}
