import assert from 'node:assert/strict'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before, describe, it } from 'mocha'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { Load } from '../load.ts'
import { Workplace } from '../mesh.ts'
import { runPlugin } from '../plugin-runs.ts'

const DOMAIN = `${loadBalancerAddress}.nip.io`
const HOST = `grafana.${DOMAIN}`

describe('rotating certificates, on the real mesh', () => {
  const workplace = new Workplace()
  const ca = join(workplace.environment.XDG_DATA_HOME ?? '', 'kubectl-telemetry', 'authorities', DOMAIN, 'ca.crt')

  before(async () => {
    await loadBalancer('on')
    const { exitCode, stderr } = workplace.telemetry('expose', 'grafana', '--allow-anonymous', '-y')
    assert.equal(exitCode, 0, stderr)
  })
  after(() => workplace.end())

  const gatewayPods = () =>
    workplace.kubectl(
      '-n',
      'istio-system',
      'get',
      'pods',
      '-l',
      'istio=ingressgateway',
      '-o',
      'jsonpath={range .items[*]}{.metadata.uid} {.status.containerStatuses[*].restartCount}{end}',
    )
  const secretUid = () =>
    workplace.kubectl('-n', 'istio-system', 'get', 'secret', 'kubectl-telemetry-tls', '-o', 'jsonpath={.metadata.uid}')

  async function rotate(...words: string[]): Promise<string> {
    const { stdout, stderr, exitCode } = await runPlugin(workplace, 'cert', 'rotate', ...words, '-y', '-o', 'json')
    assert.equal(exitCode, 0, stdout + stderr)
    const { certificates } = JSON.parse(stdout) as {
      certificates: { fingerprint: string; served: { matches: boolean } }[]
    }
    assert.equal(certificates.length, 1)
    assert.equal(certificates[0]?.served.matches, true)
    return certificates[0]?.fingerprint ?? ''
  }

  it('rotates leaf and CA without losing one of 50 requests a second, and the same pod serves the new certificate within 10 s', async () => {
    const [pods, uid] = [gatewayPods(), secretUid()]
    const load = new Load({ host: HOST, address: loadBalancerAddress, port: 443, ca })
    const rotated: { fingerprint: string; at: number }[] = []
    try {
      // Like curl, the client reads the CA file for each connection.
      for (const words of [[], ['--ca', '--key-type', 'rsa3072'], ['--finish']]) {
        await sleep(3_000)
        const at = Date.now()
        rotated.push({ fingerprint: await rotate(...words), at })
      }
      // 50 a second for 30 s; a busy machine needs more time for this number.
      await load.sent(1_500)
    } finally {
      await load.end()
    }
    assert.deepEqual(load.failures, [])
    assert.ok(load.answered >= 1_500, `${load.answered} answers`)
    const [leaf, overlap, finished] = rotated
    assert.equal(overlap?.fingerprint, leaf?.fingerprint, 'the leaf stays while both CAs are distributed')
    const changed = [leaf, finished]
    assert.deepEqual(
      load.seen.slice(1).map(({ fingerprint }) => fingerprint),
      changed.map((one) => one?.fingerprint),
    )
    for (const [index, one] of changed.entries()) {
      const seen = (load.seen[index + 1]?.at ?? Number.POSITIVE_INFINITY) - (one?.at ?? 0)
      assert.ok(seen < 10_000, `seen ${seen} ms after the command began`)
    }
    assert.equal(gatewayPods(), pods)
    assert.equal(secretUid(), uid)
  }).timeout(240_000)
})
