/** Runs a case, and says what is wrong with the outcome. */
import { type Case, hostileObject } from './cases.ts'
import { nameOf } from './fields.ts'
import { worldIn } from './scenes.ts'

/** Characters that move the cursor, hide text or turn it around, in the output of a command. */
const CONTROLS = /(?![\t\n])[\p{Cc}\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u
const MOST_OUTPUT = 300_000
/** Milliseconds of this process. */
const MOST_TIME = 8_000

/** The wizard chose a command that needs more than this process. */
const UNKNOWN = /no command begins/

export async function judge(one: Case, allowed: ReadonlySet<string>): Promise<string[]> {
  const world = worldIn(one.scene, hostileObject(one))
  const faults: string[] = []
  const started = process.cpuUsage()
  try {
    const { stdout, stderr, exitCode } = await one.operation.run(world)
    const output = stdout + stderr
    if (/\bBUG\b/.test(output) && !UNKNOWN.test(output)) faults.push(bugIn(output))
    if (![0, 1, 2, 130].includes(exitCode)) faults.push(`exit code ${exitCode}`)
    const [control] = CONTROLS.exec(output) ?? []
    if (control !== undefined)
      faults.push(`prints U+${control.codePointAt(0)?.toString(16)}: ${JSON.stringify(around(output))}`)
    if (output.length > MOST_OUTPUT) faults.push(`prints ${output.length} characters`)
  } catch (error) {
    faults.push(
      `throws ${error instanceof Error ? `${error.name}: ${error.message.slice(0, 200)} ${placeIn(error.stack)}` : String(error)}`,
    )
  }
  const { user, system } = process.cpuUsage(started)
  const milliseconds = (user + system) / 1000
  if (milliseconds > MOST_TIME) faults.push(`takes ${Math.round(milliseconds)} ms`)
  const more = [...world.touched].filter((one) => !allowed.has(one))
  if (more.length > 0) faults.push(`writes ${more.join(', ').slice(0, 300)}`)
  if (Object.keys(Object.prototype).length > 0) faults.push('changes all objects')
  return faults
}

export function nameOfCase({ operation, scene, field, hostile }: Case): string {
  return `${operation.name} [${scene.name}] ${nameOf(field)} = ${hostile.what}`
}

function bugIn(output: string): string {
  const line = output.split('\n').find((one) => /\bBUG\b/.test(one)) ?? ''
  return `BUG ${line.slice(0, 300)} ${placeIn(output)}`
}

/** The first place of ours in a stack. */
function placeIn(text = ''): string {
  return [...text.matchAll(/\/src\/([\w./-]+\.ts:\d+)/g)]
    .slice(0, 2)
    .map(([, place]) => place)
    .join(' < ')
}

function around(text: string): string {
  const at = text.search(CONTROLS)
  return text.slice(Math.max(0, at - 60), at + 20)
}
