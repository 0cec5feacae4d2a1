/** `npm test`: build, lint, types, unit tests, and the end-to-end tests on real meshes. One closing line over everything. */
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from './plugin.ts'
import { type EndToEnd, endToEnd, onNewMesh, type Timed } from './suite/end-to-end.ts'
import type { FileResult } from './suite/file-result.ts'
import { type Options, readOptions } from './suite/options.ts'
import { runCommand, runTests } from './suite/parts.ts'
import { secondRun } from './suite/second-run.ts'
import { summary } from './suite/summary.ts'

const here = new URL('.', import.meta.url)
const durations = new URL('e2e/durations.json', here)
const npx = (...command: string[]) => ['npx', '--no-install', ...command]

/** What Istio has a say in. */
const BY_ISTIO = [
  'exposing/expose',
  'exposing/several',
  'exposing/layouts',
  'exposing/prometheus',
  'certifying/certificates',
  'exposing/gateway-elsewhere',
  'exposing/websocket',
  'exposing/killed',
  'scraping/scrape-versions',
  'scraping/scrape-sidecar',
  'scraping/scrape-beside',
  'scraping/scrape-documented',
  'exposing/services',
  'tracing/status',
  'tracing/on',
  'multicluster/journey',
  'traffic/traffic',
]

const NONE: EndToEnd = { results: [], timed: [] }

/** Of each test, in milliseconds. */
const UNIT_TIMEOUT = 20_000

/** Lint, types and unit tests. */
async function onThisMachine(live: boolean): Promise<FileResult[]> {
  const unit = globSync('**/*.test.ts', { cwd: here, exclude: ['e2e/**'] }).sort()
  return [
    await runCommand({ title: 'lint', live }, npx('biome', 'check', '.')),
    await runCommand({ title: 'types', live }, npx('tsc')),
    await runTests({ title: 'unit tests', live }, unit, UNIT_TIMEOUT),
  ]
}

/** Why the mesh cannot run here, or nothing. */
function noMesh(): string | undefined {
  if (process.platform !== 'linux') return 'the mesh needs Linux'
  if (process.getuid?.() !== 0) return 'the mesh needs root'
  if (spawnSync('go', ['version']).status !== 0) return 'the mesh is built with Go, which is not on PATH'
  return undefined
}

/** @param chosen files, where not everything is wanted: no more meshes than files */
async function onTheMesh({ labs, istio }: Options, chosen: string[]): Promise<EndToEnd> {
  const why = noMesh()
  if (why !== undefined) {
    console.log(`\nend-to-end tests skipped: ${why}`)
    const failures = process.env.CI === 'true' ? [{ where: 'end-to-end tests', what: why }] : []
    return { results: [{ passed: 0, failures }], timed: [] }
  }
  const all =
    istio === undefined ? globSync('e2e/**/*.test.ts', { cwd: here }) : BY_ISTIO.map((name) => `e2e/${name}.test.ts`)
  const files = chosen.length > 0 ? chosen : all
  const seconds = JSON.parse(readFileSync(durations, 'utf8'))
  return endToEnd({ labs: labs.slice(0, files.length), files, seconds, istio })
}

/** Paths below this folder. @throws TypeError for one that is no test file */
function chosenFiles(words: readonly string[]): string[] {
  const files = words.map((word) => relative(fileURLToPath(here), resolve(word)))
  for (const file of files)
    if (!file.endsWith('.test.ts') || !existsSync(new URL(file, here))) throw new TypeError(`${file} is no test file`)
  return files
}

async function onlyChosen(options: Options): Promise<[FileResult[], EndToEnd]> {
  const files = chosenFiles(options.files)
  const onMesh = files.filter((file) => file.startsWith('e2e/'))
  const unit = files.filter((file) => !onMesh.includes(file))
  return [
    unit.length > 0 ? [await runTests({ title: 'unit tests', live: true }, unit, UNIT_TIMEOUT)] : [],
    onMesh.length > 0 ? await onTheMesh(options, onMesh) : NONE,
  ]
}

function everything(options: Options): Promise<[FileResult[], EndToEnd]> {
  return Promise.all([onThisMachine(options.unit), options.unit ? NONE : onTheMesh(options, [])])
}

function record(timed: readonly Timed[]): void {
  const seconds = timed.map(({ file, seconds }): [string, number] => [file, Math.round(seconds)])
  const byLength = seconds.sort(([, one], [, other]) => other - one)
  writeFileSync(durations, `${JSON.stringify(Object.fromEntries(byLength), null, 2)}\n`)
}

const options = readOptions(process.argv.slice(2))
build()
const [own, { results, timed }] = await (options.files.length > 0 ? onlyChosen(options) : everything(options))
if (options.record) record(timed)
const all = await secondRun([...own, ...results], (file) =>
  file.startsWith('e2e/') ? onNewMesh(file, options) : runTests({ title: `${file}, again` }, [file], UNIT_TIMEOUT),
)
console.log(summary(all, timed))
process.exit(all.every(({ failures }) => failures.length === 0) ? 0 : 1)
