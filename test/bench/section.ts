import type { RunningTool } from './running-tool.ts'

/** The figures of a section for one tool in one round, by row. */
export type Figures = Record<string, number>

export interface Section {
  name: string
  /** @param open starts the tool; the caller has to end it */
  measure(open: () => Promise<RunningTool>): Promise<Figures>
}
