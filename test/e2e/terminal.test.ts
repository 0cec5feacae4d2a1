import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import { loadBalancer, loadBalancerAddress } from '../lab/lab.ts'
import { difference, dump } from './dump.ts'
import { Workplace } from './mesh.ts'
import { statusOf } from './tenant.ts'

const LETS_IN = /lets anyone in as Admin[\s\S]*Who may enter/
const DOWN = '\x1b[B'
const EXPOSE = /\? Expose https:\/\/grafana/
const CTRL_C = '\x03'

describe('expose on a terminal, on the real mesh', () => {
  const workplace = new Workplace()
  before(() => loadBalancer('on'))
  after(() => workplace.end())

  it('asks who may enter, shows the plan, asks for confirmation, and exposes', async () => {
    const answers = [
      { prompt: LETS_IN, type: `${DOWN}${DOWN}\r` },
      { prompt: EXPOSE, type: 'y\r' },
    ]
    const { screen, exitCode } = await workplace.onTerminal(['expose', 'grafana'], answers)
    assert.equal(exitCode, 0, screen)
    assert.match(screen, /Gateway istio-system\/kubectl-telemetry: create/)
    assert.match(screen, new RegExp(`https://grafana.${loadBalancerAddress}.nip.io/ +200 over HTTP/2`))
    const cleaned = await workplace.onTerminal(['cleanup'], [{ prompt: /Clean up these 3 objects\?/, type: 'y\r' }])
    assert.equal(cleaned.exitCode, 0, cleaned.screen)
  })

  it('requires a password when the user chooses one, and shows it', async () => {
    const answers = [
      { prompt: LETS_IN, type: '\r' },
      { prompt: EXPOSE, type: 'y\r' },
    ]
    const { screen, exitCode } = await workplace.onTerminal(['expose', 'grafana'], answers)
    assert.equal(exitCode, 0, screen)
    assert.match(screen, /EnvoyFilter istio-system\/kubectl-telemetry-grafana: create/)
    const [, user = ''] = /^password +(\S+) for grafana/m.exec(screen) ?? []
    const url = `https://grafana.${loadBalancerAddress}.nip.io/`
    assert.deepEqual([statusOf(url), statusOf(url, { user })], [401, 200])
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
  })

  it('lets in addresses when the user chooses them, and asks again after wrong input', async () => {
    const answers = [
      { prompt: LETS_IN, type: `${DOWN}\r` },
      { prompt: /Addresses or networks/, type: 'office\r' },
      { prompt: /is not an IPv4 or IPv6 network/, type: '\x15203.0.113.0/24\r' },
      { prompt: EXPOSE, type: 'y\r' },
    ]
    const { screen, exitCode } = await workplace.onTerminal(['expose', 'grafana'], answers)
    assert.equal(exitCode, 0, screen)
    assert.match(screen, /403 over HTTP\/2: refuses this machine/)
    assert.match(screen, /access +grafana: from 203\.0\.113\.0\/24/)
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
  })

  it('changes nothing when the user declines, and exits with 1', async () => {
    const before = dump(workplace)
    const { exitCode } = await workplace.onTerminal(
      ['expose', 'grafana', '--allow-anonymous'],
      [{ prompt: EXPOSE, type: '\r' }],
    )
    assert.equal(exitCode, 1)
    assert.deepEqual(difference(before, dump(workplace)), [])
  })

  it('changes nothing on Ctrl-C, and exits with 130', async () => {
    const before = dump(workplace)
    const { screen, exitCode } = await workplace.onTerminal(['expose', 'grafana'], [{ prompt: LETS_IN, type: CTRL_C }])
    assert.equal(exitCode, 130, screen)
    assert.match(screen, /interrupted; nothing was changed/)
    assert.deepEqual(difference(before, dump(workplace)), [])
  })
})
