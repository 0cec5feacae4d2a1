import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { FaultyApiServer } from '../faulty-api-server.ts'
import { raw } from '../http2.ts'
import { type Outcome, Workplace } from '../mesh.ts'
import { ours, running } from '../plugin-runs.ts'

const DOMAIN = `${loadBalancerAddress}.nip.io`
const PAGES = { grafana: '/', kiali: '/kiali/', prometheus: '/-/healthy', tracing: '/jaeger/' }
const EXPOSE = ['expose', 'all', '--allow-anonymous', '-y', '--timeout', '5s']
const CLEANUP = ['cleanup', '-y']
/** Secret, four VirtualServices, Gateway. */
const OBJECTS = 6

/** Milliseconds by which expose starts later than cleanup. */
const OFFSETS = [-300, -150, -120, -90, -70, -50, -30, -10, 20, 150]

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
    assert.deepEqual(ours(workplace), [])
  })
  after(() => {
    server.close()
    workplace.end()
    assert.deepEqual(difference(untouched, dump(workplace)), [], 'a plain cleanup left something')
  })

  /** The statuses of the four pages over new connections; once more while one is missing, since Envoy hears of changes late. */
  async function pages(): Promise<number[]> {
    const directory = join(workplace.environment.XDG_DATA_HOME ?? '', 'kubectl-telemetry', 'authorities', DOMAIN)
    const ca = readFileSync(join(directory, 'ca.crt'), 'utf8')
    let statuses: number[] = []
    for (let attempt = 0; attempt < 15 && !statuses.every((status) => status === 200 && attempt > 0); attempt++) {
      await sleep(100)
      statuses = await Promise.all(
        Object.entries(PAGES).map(([name, path]) => raw(loadBalancerAddress, `${name}.${DOMAIN}`, ca, 'GET', path)),
      )
    }
    return statuses
  }

  /** Whole or clean, never half. */
  async function assertSettled(exposed: Outcome, cleaned: Outcome): Promise<void> {
    for (const { exitCode, stdout, stderr } of [exposed, cleaned]) {
      assert.ok([0, 1].includes(exitCode), `exit code ${exitCode}`)
      assert.doesNotMatch(stdout + stderr, /^\s+at /m)
    }
    const there = ours(workplace)
    if (there.length === 0) return
    if (there.length === OBJECTS && (await pages()).every((status) => status === 200)) return
    const said = [exposed, cleaned].map(({ stdout, stderr, exitCode }) => `exit ${exitCode}: ${stdout}${stderr}`)
    assert.fail(`half:\n${there.join('\n')}\n${said.join('\n')}`)
  }

  it(`at once, expose ${OFFSETS[0]} to ${OFFSETS.at(-1)} ms later: whole or clean in the end`, async () => {
    for (const offset of OFFSETS) {
      const later = (by: number, words: string[]) => sleep(by).then(() => running(workplace, ...words))
      const [exposed, cleaned] = await Promise.all([
        later(Math.max(offset, 0), EXPOSE),
        later(Math.max(-offset, 0), CLEANUP),
      ])
      await assertSettled(exposed, cleaned)
      workplace.telemetry(...EXPOSE)
    }
  })

  /** Holds one run before its n-th write until the other has ended. */
  async function heldBefore(n: number, held: string[], other: string[]): Promise<[Outcome, Outcome]> {
    let second: Promise<Outcome> | undefined
    server.reset(async ({ write, nth }) => {
      if (!write || nth !== n) return undefined
      second ??= running(workplace, ...other)
      await second
      return undefined
    })
    const first = await running(workplace, ...held, '--kubeconfig', kubeconfig)
    assert.ok(second, `there was no write ${n}`)
    return [first, await second]
  }

  for (let n = 1; n <= OBJECTS; n++) {
    it(`all of it between two deletes of cleanup, before the one numbered ${n}`, async () => {
      const [cleaned, exposed] = await heldBefore(n, CLEANUP, EXPOSE)
      await assertSettled(exposed, cleaned)
    })
  }

  for (let n = 1; n <= OBJECTS; n++) {
    it(`all of cleanup between two writes of a first expose, before the one numbered ${n}`, async () => {
      workplace.telemetry(...CLEANUP)
      const [exposed, cleaned] = await heldBefore(n, EXPOSE, CLEANUP)
      await assertSettled(exposed, cleaned)
    })
  }
})
