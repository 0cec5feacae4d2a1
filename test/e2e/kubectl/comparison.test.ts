/**
 * kubectl is the reference (docs/decisions/0028): each row runs the real kubectl and our plugin with the same kubeconfig and environment
 * against servers on loopback, and compares what reaches these.
 */
import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
import { binaries, node } from '../../lab/components.ts'
import { installPlugin } from '../../plugin.ts'
import { type Compared, compare, LONGEST_RUN, type Programs, type Row, removeCache } from './comparing.ts'
import { apiAnswers } from './tables/answers.ts'
import { certificates } from './tables/certificates.ts'
import { credentials } from './tables/credentials.ts'
import { files } from './tables/files.ts'
import { flags } from './tables/flags.ts'
import { plugins } from './tables/plugins.ts'
import { pods } from './tables/pods.ts'
import { proxies } from './tables/proxies.ts'
import { servers } from './tables/servers.ts'

const TABLES: Record<string, Row[]> = {
  proxies,
  servers,
  certificates,
  answers: apiAnswers,
  files,
  flags,
  credentials,
  plugins,
  pods,
}
const rows = Object.values(TABLES).flat()

describe('kubectl telemetry, compared with kubectl', function () {
  // Of one row: its two runs, however busy the machine is, and what it needs besides.
  this.timeout(4 * LONGEST_RUN)
  const directory = mkdtempSync(join(tmpdir(), 'telemetry-comparison-'))
  const programs: Programs = {
    kubectl: join(binaries(node), 'kubectl'),
    plugin: join(directory, 'kubectl-telemetry'),
    cache: join(directory, 'cache'),
  }
  const results = new Map(rows.map((row) => [row, Promise.withResolvers<Compared>()]))

  /** Several rows at a time, in the order of the tests, each of which waits for its own. */
  before(() => {
    installPlugin(directory)
    const waiting = results[Symbol.iterator]()
    const worker = async () => {
      for (const [row, { promise, resolve, reject }] of waiting) {
        promise.catch(() => {}) // its test may not have come to it yet
        await compare(row, programs).then(resolve, reject)
      }
    }
    for (let count = 0; count <= availableParallelism(); count++) void worker()
  })
  after(() => removeCache({ ...programs, cache: directory }))

  for (const [table, ofTable] of Object.entries(TABLES))
    describe(table, () => {
      for (const row of ofTable)
        it(row.differs === undefined ? row.name : `${row.name} (differs: ${row.differs})`, async () => {
          const { kubectl, plugin, texts } = (await results.get(row)?.promise) as Compared
          const shown = `kubectl: ${texts.kubectl}\nkubectl telemetry: ${texts.plugin}`
          if (row.differs === undefined) assert.deepEqual(plugin, kubectl, shown)
          else assert.notDeepEqual(plugin, kubectl, 'it no longer differs')
        })
    })

  it('has names that are different', () => {
    assert.equal(new Set(rows.map(({ name }) => name)).size, rows.length)
  })
})
