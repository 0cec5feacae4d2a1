import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import { loadBalancer } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'

describe('dry runs, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    untouched = dump(workplace)
  })
  after(() => {
    workplace.end()
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })

  for (const words of [['--layout', 'hosts'], ['--layout', 'ports'], ['--insecure']]) {
    it(`without a cluster makes manifests that this cluster takes: ${words.join(' ')}`, () => {
      const nowhere = { environment: { KUBECONFIG: '/nowhere/kubeconfig', HOME: workplace.directory } }
      const expose = ['expose', 'all', '--dry-run=client', '--domain', 'example.com', '-o', 'yaml', ...words]
      const { stdout, stderr, exitCode } = workplace.run('kubectl-telemetry', expose, nowhere)
      assert.equal(exitCode, 0, stderr)
      assert.match(stderr, /CLUSTER_ABSENT/)
      // The Service is somebody else's, and ours is a part of it: kubectl apply --server-side would destroy it (decision 9).
      const manifests = stdout.split('\n---\n').filter((manifest) => !manifest.includes('kind: Service\n'))
      assert.equal(manifests.length, words.includes('--insecure') ? 5 : 6)
      const applied = workplace.run('kubectl', ['apply', '--dry-run=server', '-f', '-'], {
        input: manifests.join('\n---\n'),
      })
      assert.equal(applied.exitCode, 0, applied.stderr)
    })
  }

  it('--diff shows what is there and what is planned, without values of Secrets, and changes nothing', () => {
    const { stdout, exitCode } = workplace.telemetry('expose', 'grafana', '--diff', '--layout', 'ports')
    assert.equal(exitCode, 0)
    assert.match(stdout, /^--- service\/istio-ingressgateway in namespace istio-system\tas it is$/m)
    assert.match(stdout, /^\+ +port: 15031$/m)
    assert.doesNotMatch(stdout, /^-[^-]/m, 'nothing goes')
    assert.match(stdout, /tls\.key: "\*\*\*"/)
    assert.equal(workplace.telemetry('expose', 'grafana', '--allow-anonymous', '-y').exitCode, 0)
    assert.equal(workplace.telemetry('expose', 'grafana', '--diff').stdout, 'no differences\n')
    workplace.telemetry('cleanup', '-y')
  })

  it('cleanup --dry-run shows what would go and be given back', () => {
    workplace.telemetry('expose', 'grafana', '--layout', 'ports', '--allow-anonymous', '-y')
    for (const side of ['client', 'server']) {
      const before = dump(workplace)
      const { stdout } = workplace.telemetry('cleanup', `--dry-run=${side}`)
      assert.match(stdout, /^service\/istio-ingressgateway restored \(.*dry run\)$/m)
      assert.match(stdout, /^secret "kubectl-telemetry-tls" deleted .*dry run\)$/m)
      assert.deepEqual(difference(before, dump(workplace)), [])
    }
    workplace.telemetry('cleanup', '-y')
  })
})
