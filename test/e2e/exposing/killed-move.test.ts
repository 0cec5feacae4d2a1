import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { gatewayState } from '../gateway-state.ts'
import { killAfterWrite } from '../killed-run.ts'
import { Workplace } from '../mesh.ts'
import { type Door, Stranger } from '../stranger.ts'

const DOMAINS = [`${loadBalancerAddress}.nip.io`, 'example.com']
const DOORS = DOMAINS.map((domain): Door => ({ host: `kiali.${domain}`, port: 443, secure: true, path: '/kiali/' }))
/** The Secret, the closed route, the guard for both entries, the route of prometheus, the Gateway; then the open route and the final guard. */
const MOVE_WRITES = 7

describe('a move that is killed, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    untouched = dump(workplace)
  })
  after(() => {
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
    workplace.end()
  })

  function expose(...words: string[]): ExposeResult {
    const { stdout, stderr, exitCode } = workplace.telemetry('expose', ...words, '-y', '-o', 'json')
    if (exitCode !== 0) assert.fail(`${stdout}${stderr}\n${gatewayState(workplace)}`)
    return JSON.parse(stdout) as ExposeResult
  }

  it('lets no stranger in, and exposing another add-on opens the guarded route again', async () => {
    expose('kiali', '--auth', 'basic', '--domain', DOMAINS[0] ?? '')
    expose('prometheus', '--allow-anonymous')
    for (let write = 1; write <= MOVE_WRITES; write++) {
      const stranger = new Stranger(...DOORS)
      stranger.start()
      const words = ['expose', 'kiali', 'prometheus', '--allow-anonymous', '--domain', DOMAINS[write % 2] ?? '', '-y']
      assert.ok(await killAfterWrite(workplace, words, write), `write ${write}`)
      await sleep(300)
      expose('prometheus', '--domain', DOMAINS[write % 2] ?? '')
      const seen = await stranger.end()
      assert.deepEqual(stranger.pages, [], `after write ${write}: ${JSON.stringify(seen)}`)
      const { stdout } = workplace.telemetry('status', '-o', 'json')
      const { problems } = JSON.parse(stdout) as { problems: { code: string }[] }
      const codes = problems.map(({ code }) => code).filter((code) => /GUARD|ROUTE|PROBE/.test(code))
      assert.deepEqual(codes, [], `after write ${write}`)
    }
  })
})
