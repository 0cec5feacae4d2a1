/** Runs cases one after the other in a thread of its own, which its parent ends if one of them hangs. */
import { parentPort, workerData } from 'node:worker_threads'
import { allowedWrites, cleanRuns, isObstructed } from './cases.ts'
import { judge, nameOfCase } from './judging.ts'
import { scenes, withoutObstacles } from './scenes.ts'
import { chosenCases, type Sample } from './selection.ts'

const { sample, from } = workerData as { sample: Sample; from: number }
const all = await scenes()
const runs = await cleanRuns(all, () => true)
const cases = chosenCases(runs, sample)
const allowed = allowedWrites([...runs, ...(await cleanRuns(withoutObstacles(all), isObstructed))])
for (const [index, one] of cases.entries()) {
  if (index < from) continue
  parentPort?.postMessage({ index, of: cases.length, name: nameOfCase(one) })
  const faults = await judge(one, allowed(one.operation))
  if (faults.length > 0) parentPort?.postMessage({ name: nameOfCase(one), faults })
}
parentPort?.postMessage({ end: true, of: cases.length })
