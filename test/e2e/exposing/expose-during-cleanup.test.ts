import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { FaultyApiServer } from '../faulty-api-server.ts'
import { rawRequest } from '../http2.ts'
import { type Outcome, Workplace } from '../mesh.ts'
import { ownObjects, runPlugin } from '../plugin-runs.ts'

const DOMAIN = `${loadBalancerAddress}.nip.io`
const PAGES = { grafana: '/', kiali: '/kiali/', prometheus: '/-/healthy', tracing: '/jaeger/' }
const EXPOSE = ['expose', 'all', '--allow-anonymous', '-y', '--timeout', '5s']
const CLEANUP = ['cleanup', '-y']
/** Secret, four VirtualServices, Gateway. */
const OBJECTS = 6
/** Deletes of cleanup, and writes of expose: each shared object, the first route and the last one. */
const DELETES = { 'of the Gateway': 1, 'of the first route': 2, 'of the last route': 5, 'of the Secret': 6 }
const WRITES = { 'of the first route': 1, 'of the last route': 4, 'of the Secret': 5, 'of the Gateway': 6 }

/** Milliseconds by which expose starts later than cleanup. */
const OFFSETS = [-300, -120, -70, -30, 20, 150]

describe('expose all during cleanup, on the real mesh', () => {
  const workplace = new Workplace()
  const kubeconfig = join(workplace.directory, 'kubeconfig')
  let server: FaultyApiServer
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    server = await FaultyApiServer.start()
    server.writeKubeConfig(kubeconfig)
    untouched = dump(workplace)
  })
  beforeEach(() => {
    server.reset()
    const { stderr, exitCode } = workplace.telemetry(...EXPOSE)
    assert.equal(exitCode, 0, stderr)
  })
  afterEach(() => {
    const { stderr, exitCode } = workplace.telemetry('cleanup', '-y')
    assert.equal(exitCode, 0, stderr)
    assert.deepEqual(ownObjects(workplace), [])
  })
  after(() => {
    server.close()
    workplace.end()
    assert.deepEqual(difference(untouched, dump(workplace)), [], 'a plain cleanup left something')
  })

  /** Statuses of the four pages over new connections, repeated while one is not 200, because Envoy gets changes late. */
  async function pages(): Promise<number[]> {
    const directory = join(workplace.environment.XDG_DATA_HOME ?? '', 'kubectl-telemetry', 'authorities', DOMAIN)
    const ca = readFileSync(join(directory, 'ca.crt'), 'utf8')
    let statuses: number[] = []
    for (let attempt = 0; attempt < 15 && !statuses.every((status) => status === 200 && attempt > 0); attempt++) {
      await sleep(100)
      statuses = await Promise.all(
        Object.entries(PAGES).map(([name, path]) =>
          rawRequest(loadBalancerAddress, `${name}.${DOMAIN}`, ca, 'GET', path),
        ),
      )
    }
    return statuses
  }

  /** Asserts that the exposure is complete or removed, never half. */
  async function assertSettled(exposed: Outcome, cleaned: Outcome): Promise<void> {
    for (const { exitCode, stdout, stderr } of [exposed, cleaned]) {
      assert.ok([0, 1].includes(exitCode), `exit code ${exitCode}`)
      assert.doesNotMatch(stdout + stderr, /^\s+at /m)
    }
    const objects = ownObjects(workplace)
    if (objects.length === 0) return
    if (objects.length === OBJECTS && (await pages()).every((status) => status === 200)) return
    const outputs = [exposed, cleaned].map(({ stdout, stderr, exitCode }) => `exit ${exitCode}: ${stdout}${stderr}`)
    assert.fail(`half:\n${objects.join('\n')}\n${outputs.join('\n')}`)
  }

  it(`ends complete or removed when it starts ${OFFSETS[0]} to ${OFFSETS.at(-1)} ms after cleanup`, async () => {
    for (const offset of OFFSETS) {
      const later = (by: number, words: string[]) => sleep(by).then(() => runPlugin(workplace, ...words))
      const [exposed, cleaned] = await Promise.all([
        later(Math.max(offset, 0), EXPOSE),
        later(Math.max(-offset, 0), CLEANUP),
      ])
      await assertSettled(exposed, cleaned)
      workplace.telemetry(...EXPOSE)
    }
  })

  /** Holds one run before its n-th write until the other has ended. */
  async function holdBefore(n: number, held: string[], other: string[]): Promise<[Outcome, Outcome]> {
    let second: Promise<Outcome> | undefined
    server.reset(async ({ write, nth }) => {
      if (!write || nth !== n) return undefined
      second ??= runPlugin(workplace, ...other)
      await second
      return undefined
    })
    const first = await runPlugin(workplace, ...held, '--kubeconfig', kubeconfig)
    assert.ok(second, `there was no write ${n}`)
    return [first, await second]
  }

  for (const [what, n] of Object.entries(DELETES)) {
    it(`ends complete or removed when it runs as a whole before the delete ${what} by cleanup`, async () => {
      const [cleaned, exposed] = await holdBefore(n, CLEANUP, EXPOSE)
      await assertSettled(exposed, cleaned)
    })
  }

  for (const [what, n] of Object.entries(WRITES)) {
    it(`ends complete or removed when cleanup runs as a whole before the write ${what} by a first expose`, async () => {
      workplace.telemetry(...CLEANUP)
      const [exposed, cleaned] = await holdBefore(n, EXPOSE, CLEANUP)
      await assertSettled(exposed, cleaned)
    })
  }
})
