/** The end-to-end files: lanes, each with a mesh of its own, take them from one queue. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { environmentOfLab } from '../lab/layout.ts'
import { type Exclusion, FileQueue } from './file-queue.ts'
import type { FileResult } from './file-result.ts'
import { runTests } from './parts.ts'

/** Starts and ends its mesh, and compares this whole machine before and after: it runs last, while no other lab changes. */
const OWN_TEST_OF_THE_LAB = 'e2e/lab.test.ts'

/** They need two clusters. One lane runs them first, and ends its second cluster after them: two at a time would take too much memory. */
const PAIR = /^e2e\/multicluster\//

/** Of each test, in milliseconds. */
const [TIMEOUT, TIMEOUT_OF_THE_LAB] = [120_000, 600_000]

/** Files that would disturb each other although their meshes are separate. */
export const EXCLUSIONS: readonly Exclusion[] = [
  {
    reason:
      'they listen on fixed local ports (3000, 3456, 8123), or on the next free one after the usual port of an add-on',
    files: /^e2e\/(forwarding|wizard)\//,
  },
  {
    reason: 'each of them keeps both cores busy for a while, and the other would run into its own time limits',
    files: /^e2e\/(forwarding\/port-forward-(faithful|soak)|scraping\/scrape-many)\.test\.ts$/,
  },
]

export interface Timed {
  file: string
  seconds: number
}

export interface EndToEnd {
  results: FileResult[]
  timed: Timed[]
}

interface Wanted {
  /** Numbers of the labs, one lane for each. */
  labs: readonly number[]
  files: readonly string[]
  /** Of earlier runs. */
  seconds: Readonly<Record<string, number>>
  /** The version of Istio, where it is not the usual one. */
  istio?: string | undefined
}

/** What lanes use of this machine. */
export interface Machine {
  /** `npm run lab -- …`; a result counts only when it is a failure. */
  lab(number: number, ...words: string[]): Promise<FileResult>
  run(file: string, number: number, timeout: number): Promise<FileResult & { seconds: number }>
}

/** Brings the meshes up, runs the files, and ends the meshes. */
export async function endToEnd(wanted: Wanted, machine: Machine = thisMachine): Promise<EndToEnd> {
  const { labs, files, seconds, istio } = wanted
  if (files.length === 0) return { results: [failure('end-to-end tests', 'there is no test file')], timed: [] }
  const [first = 1, ...others] = labs
  // Once, before each mesh would do it. Nothing is compiled or downloaded beside tests, whose time limits are for a mesh.
  const built = await machine.lab(first, 'build', '--for-tests')
  if (!passed([built])) return { results: [built], timed: [] }
  const ofPair = files.filter((file) => PAIR.test(file))
  const shared = files.filter((file) => file !== OWN_TEST_OF_THE_LAB && !PAIR.test(file))
  const queue = new FileQueue(shared, seconds, EXCLUSIONS)
  const pairQueue = new FileQueue(ofPair, seconds, [])
  const timed: Timed[] = []
  const run = async (file: string, number: number, timeout: number) => {
    const result = await machine.run(file, number, timeout)
    timed.push({ file, seconds: result.seconds })
    return result
  }
  const empty = async (queue: FileQueue, number: number): Promise<FileResult[]> => {
    const results: FileResult[] = []
    for (let file = await queue.take(); file !== undefined; file = await queue.take()) {
      results.push(await run(file, number, TIMEOUT))
      queue.ended(file)
    }
    return results
  }
  const lane = async (number: number): Promise<FileResult[]> => {
    const isPair = number === first && ofPair.length > 0
    const results = await bringUp(machine, { lab: number, isPair, istio })
    if (!passed(results)) return results
    if (isPair) results.push(...(await empty(pairQueue, number)), await machine.lab(number, ...END_SECOND))
    results.push(...(await empty(queue, number)))
    return results
  }
  const results = (await Promise.all(labs.map(lane))).flat()
  const left = [...queue.left, ...pairQueue.left]
  results.push(...left.map((file) => failure(file, 'it did not run: no mesh came up')))
  for (const number of others) results.push(await machine.lab(number, 'down'))
  if (files.includes(OWN_TEST_OF_THE_LAB)) results.push(await run(OWN_TEST_OF_THE_LAB, first, TIMEOUT_OF_THE_LAB))
  results.push(istio === undefined ? await machine.lab(first, 'down') : await machine.lab(first, 'istio', '1.31'))
  return { results, timed }
}

/** Runs one file on a mesh that is brought up for it, and ended after it. */
export async function onNewMesh(
  file: string,
  { labs: [lab = 1], istio }: Pick<Wanted, 'labs' | 'istio'>,
  machine: Machine = thisMachine,
): Promise<FileResult> {
  const isPair = PAIR.test(file)
  const ready = [await machine.lab(lab, 'down')]
  if (passed(ready)) ready.push(...(await bringUp(machine, { lab, isPair, istio })))
  if (!passed(ready)) return { passed: 0, failures: ready.flatMap(({ failures }) => failures) }
  const result = await machine.run(file, lab, file === OWN_TEST_OF_THE_LAB ? TIMEOUT_OF_THE_LAB : TIMEOUT)
  const ended = isPair && istio !== undefined ? [await machine.lab(lab, ...END_SECOND)] : []
  ended.push(istio === undefined ? await machine.lab(lab, 'down') : await machine.lab(lab, 'istio', '1.31'))
  return { passed: result.passed, failures: [result, ...ended].flatMap(({ failures }) => failures) }
}

const END_SECOND = ['down', '--cluster', '2']

/** Stops at the first command that fails. */
async function bringUp(
  machine: Machine,
  { lab, isPair, istio }: { lab: number; isPair: boolean; istio: string | undefined },
): Promise<FileResult[]> {
  const commands = [['up', ...(isPair ? ['--clusters', '2'] : [])]]
  if (istio !== undefined) commands.push(['istio', istio])
  if (istio !== undefined && isPair) commands.push(['istio', istio, '--cluster', '2'])
  const results: FileResult[] = []
  for (const words of commands) if (passed(results)) results.push(await machine.lab(lab, ...words))
  return results
}

const passed = (results: FileResult[]) => results.every(({ failures }) => failures.length === 0)
const failure = (where: string, what: string): FileResult => ({ passed: 0, failures: [{ where, what }] })

const thisMachine: Machine = {
  /** Its lines appear as they come: the first build takes long. */
  async lab(number, ...words) {
    const main = fileURLToPath(new URL('../lab/main.ts', import.meta.url))
    const child = spawn(process.execPath, [main, ...words], { env: environmentOfLab(number), stdio: ['ignore', 2, 2] })
    const [code] = (await once(child, 'close')) as [number | null]
    if (code === 0) return { passed: 0, failures: [] }
    return failure(`mesh ${number}`, `\`lab ${words.join(' ')}\` failed; see above`)
  },
  run: (file, number, timeout) =>
    runTests({ title: `${file}, mesh ${number}`, environment: environmentOfLab(number) }, [file], timeout),
}
