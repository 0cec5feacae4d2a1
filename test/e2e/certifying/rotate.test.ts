import assert from 'node:assert/strict'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before, describe, it } from 'mocha'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { Load } from '../load.ts'
import { Workplace } from '../mesh.ts'
import { running } from '../plugin-runs.ts'

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
    const { stdout, stderr, exitCode } = await running(workplace, 'cert', 'rotate', ...words, '-y', '-o', 'json')
    assert.equal(exitCode, 0, stdout + stderr)
    const { certificates } = JSON.parse(stdout) as {
      certificates: { fingerprint: string; served: { matches: boolean } }[]
    }
    assert.equal(certificates.length, 1)
    assert.equal(certificates[0]?.served.matches, true)
    return certificates[0]?.fingerprint ?? ''
  }

  it('loses no request of 50 a second for 30 s, leaf or authority, and the new certificate is served within 10 s, by the same pod', async () => {
    const [pods, uid] = [gatewayPods(), secretUid()]
    const load = new Load({ host: HOST, address: loadBalancerAddress, port: 443, ca })
    const rotated: { fingerprint: string; at: number }[] = []
    try {
      // A client that reads the file of authorities for each connection, as curl does, trusts as documented.
      for (const words of [[], ['--ca', '--key-type', 'rsa3072'], ['--finish']]) {
        await sleep(3_000)
        const at = Date.now()
        rotated.push({ fingerprint: await rotate(...words), at })
      }
      // 50 a second for 30 s; a busy machine takes longer for as many.
      await load.sent(1_500)
    } finally {
      await load.end()
    }
    assert.deepEqual(load.failures, [])
    assert.ok(load.answered >= 1_500, `${load.answered} answers`)
    const [leaf, overlap, finished] = rotated
    assert.equal(overlap?.fingerprint, leaf?.fingerprint, 'while both are handed out, the leaf stays')
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
