/** `npm test`: build, lint, types, unit tests, then the end-to-end tests on the real mesh. One closing line over everything. */
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import Mocha from 'mocha'
import { build } from './plugin.ts'

interface Tally {
  passed: number
  failed: number
}

const root = fileURLToPath(new URL('..', import.meta.url))

function check(title: string, command: string[]): Tally {
  console.log(`\n${title}: ${command.join(' ')}`)
  const { status } = spawnSync('npx', ['--no-install', ...command], { cwd: root, stdio: 'inherit' })
  return status === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 }
}

/** A skipped test counts as failed: nothing of ours is skipped test by test. */
async function mocha(files: string[], options: Mocha.MochaOptions): Promise<Tally> {
  const suite = new Mocha({ forbidOnly: true, forbidPending: true, reporter: 'spec', ...options })
  for (const file of files.sort()) suite.addFile(fileURLToPath(new URL(file, import.meta.url)))
  await suite.loadFilesAsync()
  return new Promise((resolve) => {
    const runner = suite.run((failures) => resolve({ passed: runner.stats?.passes ?? 0, failed: failures }))
  })
}

/** Why the mesh cannot run here, or nothing. */
function noMesh(): string | undefined {
  if (process.platform !== 'linux') return 'the mesh needs Linux'
  if (process.getuid?.() !== 0) return 'the mesh needs root'
  if (spawnSync('go', ['version']).status !== 0) return 'the mesh is built with Go, which is not on PATH'
  return undefined
}

function lab(...words: string[]): Tally {
  const { status } = spawnSync(process.execPath, ['test/lab/main.ts', ...words], { cwd: root, stdio: ['ignore', 2, 2] })
  return { passed: 0, failed: status === 0 ? 0 : 1 }
}

async function endToEnd(): Promise<Tally[]> {
  const why = noMesh()
  if (why !== undefined) {
    console.log(`\nend-to-end tests skipped: ${why}`)
    return [{ passed: 0, failed: process.env.CI === 'true' ? 1 : 0 }]
  }
  const up = lab('up')
  if (up.failed > 0) return [up]
  const [, version] = /--istio[= ](\S+)/.exec(process.argv.join(' ')) ?? []
  if (version !== undefined) return onIstio(version)
  const files = globSync('e2e/**/*.test.ts', { cwd: new URL('.', import.meta.url) })
  const own = files.filter((file) => file !== 'e2e/lab.test.ts')
  const tallies = [await mocha(own, { timeout: 120_000 })]
  // The lab's own test starts and ends the mesh, so it comes last and leaves the machine as it was found.
  tallies.push(await mocha(['e2e/lab.test.ts'], { timeout: 600_000 }))
  tallies.push(lab('down'))
  return tallies
}

/** What Istio has a say in, on another version: it is built when first asked for. */
async function onIstio(version: string): Promise<Tally[]> {
  const there = lab('istio', version)
  if (there.failed > 0) return [there]
  const names = [
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
  ]
  const files = names.map((name) => `e2e/${name}.test.ts`)
  return [await mocha(files, { timeout: 120_000 }), lab('istio', '1.31')]
}

build()
const unit = globSync('**/*.test.ts', { cwd: new URL('.', import.meta.url), exclude: ['e2e/**', 'lab/**'] })
const tallies = [
  check('lint', ['biome', 'check', '.']),
  check('types', ['tsc']),
  await mocha(unit, { timeout: 20_000 }),
]
if (!process.argv.includes('--unit')) tallies.push(...(await endToEnd()))

const total = tallies.reduce((sum, { passed, failed }) => ({
  passed: sum.passed + passed,
  failed: sum.failed + failed,
}))
console.log(`\n${total.passed} passed, ${total.failed} failed`)
process.exit(total.failed === 0 ? 0 : 1)
