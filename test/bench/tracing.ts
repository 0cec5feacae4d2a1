/** `npm run bench -- tracing`: how long `tracing on` takes until its trace has arrived, from a mesh without tracing. */

import type { TracingResult } from '../../src/tracing/result.ts'
import { exposeForAnyone } from '../e2e/exposed.ts'
import { Workplace } from '../e2e/mesh.ts'
import { describeMachine } from './machine.ts'
import type { Options } from './options.ts'

export const sections: readonly string[] = []
export const tools: readonly string[] = []

/** Milliseconds: Envoy sends its spans every 5 s, and 2 s are ours. */
const AIM = 7_000

/** @returns whether every trace arrived */
export async function run({ rounds }: Options): Promise<boolean> {
  const workplace = new Workplace()
  try {
    exposeForAnyone(workplace, 'grafana')
    const times: number[] = []
    for (let round = 0; round < rounds; round++) {
      workplace.telemetry('tracing', 'off', '-y')
      const started = performance.now()
      const { stdout, stderr, exitCode } = workplace.telemetry('tracing', 'on', '-y', '-o', 'json')
      if (exitCode !== 0) throw new Error(stdout + stderr)
      const { proof } = JSON.parse(stdout) as TracingResult
      const arrived = proof?.milliseconds ?? Number.NaN
      times.push(arrived)
      const whole = Math.round(performance.now() - started)
      console.error(`round ${round + 1} of ${rounds}: the trace after ${arrived} ms, the command ${whole} ms`)
    }
    const sorted = times.toSorted((one, other) => one - other)
    const within = times.filter((time) => time <= AIM).length
    console.log(
      `the trace after, ms: ${sorted.join(' ')}\nat most ${AIM} ms: ${within} of ${rounds}\n\n${describeMachine(workplace)}.`,
    )
    return true
  } finally {
    workplace.telemetry('tracing', 'off', '-y')
    workplace.end()
  }
}
