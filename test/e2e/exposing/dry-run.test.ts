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
    it(`without a cluster print manifests that this cluster accepts: ${words.join(' ')}`, () => {
      const nowhere = { environment: { KUBECONFIG: '/nowhere/kubeconfig', HOME: workplace.directory } }
      const expose = ['expose', 'all', '--dry-run=client', '--domain', 'example.com', '-o', 'yaml', ...words]
      const { stdout, stderr, exitCode } = workplace.run('kubectl-telemetry', expose, nowhere)
      assert.equal(exitCode, 0, stderr)
      assert.match(stderr, /CLUSTER_ABSENT/)
      // The Service belongs to the user, and our manifest is only a part of it: kubectl apply --server-side would destroy it (decision 9).
      const manifests = stdout.split('\n---\n').filter((manifest) => !manifest.includes('kind: Service\n'))
      assert.equal(manifests.length, words.includes('--insecure') ? 5 : 6)
      const applied = workplace.run('kubectl', ['apply', '--dry-run=server', '-f', '-'], {
        input: manifests.join('\n---\n'),
      })
      assert.equal(applied.exitCode, 0, applied.stderr)
    })
  }

  it('of a Service on a port of its own, without a cluster, print manifests that this cluster accepts', () => {
    const nowhere = { environment: { KUBECONFIG: '/nowhere/kubeconfig', HOME: workplace.directory } }
    const flags = ['--domain', 'example.com', '--port', '666', '--any-host', '--insecure', '--path', '/static/']
    const expose = ['expose', 'svc/web:8080', ...flags, '--dry-run=client', '-o', 'yaml']
    const { stdout, stderr, exitCode } = workplace.run('kubectl-telemetry', expose, nowhere)
    assert.equal(exitCode, 0, stderr)
    const manifests = stdout.split('\n---\n').filter((manifest) => !manifest.includes('kind: Service\n'))
    assert.match(manifests.join(), /host: web\.default\.svc\.cluster\.local/)
    const words = ['apply', '--dry-run=server', '-f', '-']
    const applied = workplace.run('kubectl', words, { input: manifests.join('\n---\n') })
    assert.equal(applied.exitCode, 0, applied.stderr)
  })

  it('with --diff show existing and planned objects without values of Secrets, and change nothing', () => {
    const { stdout, exitCode } = workplace.telemetry('expose', 'grafana', '--diff', '--layout', 'ports')
    assert.equal(exitCode, 0)
    assert.match(stdout, /^--- service\/istio-ingressgateway in namespace istio-system\tlive$/m)
    assert.match(stdout, /^\+ +port: 15031$/m)
    assert.doesNotMatch(stdout, /^-[^-]/m, 'no line is removed')
    assert.match(stdout, /tls\.key: "\*\*\*"/)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
    assert.equal(workplace.telemetry('expose', 'grafana', '--allow-anonymous', '-y').exitCode, 0)
    assert.equal(workplace.telemetry('expose', 'grafana', '--diff').stdout, 'no differences\n')
    workplace.telemetry('cleanup', '-y')
  })

  it('of cleanup show the objects that would be deleted and restored', () => {
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
