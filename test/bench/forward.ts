/** `npm run bench -- forward`: compares our port-forward with kubectl's and istioctl's, interleaved in one run, in the lab. */
import { Workplace } from '../e2e/mesh.ts'
import { AIMS } from './aims.ts'
import { type FarAway, farAway, goFarAway } from './far-away.ts'
import { atOnce, latency, start } from './latency.ts'
import { describeMachine } from './machine.ts'
import type { Options } from './options.ts'
import { recovery } from './recovery.ts'
import { RunningTool } from './running-tool.ts'
import type { Figures, Section } from './section.ts'
import { Server } from './server.ts'
import { slow } from './slow.ts'
import { type Finding, table } from './table.ts'
import { throughput } from './throughput.ts'
import { TOOLS, type Tool } from './tools.ts'

const NEAR = ['start', 'latency', 'at-once', 'throughput', 'slow', 'recovery']
const FAR = ['far-start', 'far-latency', 'far-at-once']

export const sections: readonly string[] = [...NEAR, ...FAR]
export const tools: readonly string[] = TOOLS.map(({ name }) => name)

/** Prints a table of the figures. @returns whether every tool served the right bytes */
export async function run({ only, tools: names, rounds }: Options): Promise<boolean> {
  const workplace = new Workplace()
  const server = new Server(workplace)
  let away: FarAway | undefined
  try {
    const machine = describeMachine(workplace)
    await server.start()
    away = await goFarAway(workplace)
    const compared = TOOLS.filter(({ name }) => names.includes(name))
    const findings: Finding[] = []
    const failures: string[] = []
    for (const section of all(server).filter(({ name }) => only.includes(name))) {
      for (let round = 0; round < rounds; round++) {
        const environment = FAR.includes(section.name) ? away.environment : workplace.environment
        for (const tool of compared) {
          const what = `${section.name}, round ${round + 1} of ${rounds}, ${tool.title}`
          try {
            const figures = await measure(section, tool, environment)
            console.error(`${what}: ${JSON.stringify(figures)}`)
            findings.push({ tool: tool.name, round, figures })
          } catch (error) {
            failures.push(`${what}: ${(error as Error).message}`)
          }
        }
      }
    }
    console.log(`${table(compared, findings, AIMS, 'telemetry')}\n\nMedians of ${rounds} rounds. ${machine}.`)
    for (const failure of failures) console.log(`FAILED: ${failure}`)
    return failures.length === 0
  } finally {
    await away?.close()
    server.end()
    workplace.end()
  }
}

function all(server: Server): Section[] {
  const near = [start, latency(200), atOnce, throughput, slow, recovery(server)]
  return [...near, farAway(start), farAway(latency(50)), farAway(atOnce)]
}

async function measure(section: Section, tool: Tool, environment: NodeJS.ProcessEnv): Promise<Figures> {
  const opened: RunningTool[] = []
  try {
    return await section.measure(async () => {
      const running = await RunningTool.start(tool, environment)
      opened.push(running)
      return running
    })
  } finally {
    for (const running of opened) await running.interrupt()
  }
}
