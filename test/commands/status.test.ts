import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { exposedWorld, held } from '../certifying/certifying.ts'
import { fullMesh } from '../exposing/exposing.ts'
import { expectGolden } from '../golden-file.ts'
import { runCommand } from './run-command.ts'

describe('kubectl telemetry status', () => {
  it('is one screen', async () => {
    const world = await exposedWorld()
    world.prober.serving = () => held(world, 'tls.crt')
    const { stdout, stderr, exitCode } = await runCommand('status', world)
    expectGolden('status.txt', stdout)
    assert.deepEqual([stderr, exitCode], ['', 0])
  })

  it('prints the next command for each problem, and exits with 1', async () => {
    const world = await exposedWorld()
    world.prober.answers = [{ ok: false, hop: 'route', status: 404, message: 'HTTP 404', milliseconds: 1 }]
    const { stdout, exitCode } = await runCommand('status', world)
    expectGolden('status-problems.txt', stdout)
    assert.equal(exitCode, 1)
  })

  it('exits with 0 when there are only warnings', async () => {
    const world = await exposedWorld()
    world.prober.serving = () => held(world, 'tls.crt')
    world.prober.addresses = []
    const { stdout, exitCode } = await runCommand('status', world)
    assert.match(stdout, /^warning: .*\(DNS_UNRESOLVED\)$/m)
    assert.equal(exitCode, 0)
  })

  it('reports that nothing is exposed', async () => {
    expectGolden('status-nothing.txt', (await runCommand('status', fullMesh())).stdout)
  })

  it('prints it as json', async () => {
    const world = await exposedWorld()
    world.prober.serving = () => held(world, 'tls.crt')
    expectGolden('status.json', (await runCommand('status -o json', world)).stdout)
  })
})
