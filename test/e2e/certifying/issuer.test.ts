/** The API server validates our Certificate with cert-manager's own schema; the test plays the controller. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before, describe, it } from 'mocha'
import { createAuthority, issueLeaf } from '../../../src/certificates/authority.ts'
import { issuing } from '../../certificates/issuing.ts'
import { buildOnDemand } from '../../lab/build.ts'
import { certManager } from '../../lab/components.ts'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { assertOneError } from '../one-error.ts'
import { runPlugin } from '../plugin-runs.ts'

const DOMAIN = `${loadBalancerAddress}.nip.io`
const HOST = `grafana.${DOMAIN}`

describe('expose --tls-issuer, on the real mesh with the schema of cert-manager', () => {
  const workplace = new Workplace()
  const expose = ['expose', 'grafana', '--allow-anonymous', '-y', '--tls-issuer', 'ClusterIssuer/ours']
  let definition: string

  before(async () => {
    await loadBalancer('on')
    definition = join(await buildOnDemand(certManager), 'cert-manager.io_certificates.yaml')
  })
  after(() => {
    workplace.end()
    workplace.kubectl('delete', '-f', definition, '--ignore-not-found')
  })

  it('is refused on a cluster without cert-manager', () => {
    assertOneError(workplace.telemetry(...expose), 'CERT_MANAGER_NOT_FOUND')
  })

  it('writes a valid Certificate, serves once the Secret exists, and cleanup removes everything', async () => {
    workplace.kubectl('apply', '-f', definition)
    await awaitKind()
    const before = dump(workplace)
    const exposing = runPlugin(workplace, ...expose, '-o', 'json')
    workplace.kubectl('-n', 'istio-system', 'wait', '--for=create', 'certificate/kubectl-telemetry', '--timeout=60s')
    const certificate = await issue()
    const { stdout, stderr, exitCode } = await exposing
    assert.equal(exitCode, 0, stdout + stderr)
    const status = workplace.telemetry('cert', 'status', '-o', 'json')
    const [served] = (JSON.parse(status.stdout) as { certificates: { secret: string; served: object }[] }).certificates
    assert.equal(served?.secret, 'istio-system/kubectl-telemetry-issued')
    assert.deepEqual(served?.served, { fingerprint: new X509Certificate(certificate).fingerprint256, matches: true })
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
    assert.deepEqual(difference(before, dump(workplace)), [])
  })

  /** Waits for the kind Certificate. Discovery may report it before or after the API server serves it. */
  async function awaitKind(): Promise<void> {
    const isServed = () => workplace.run('kubectl', ['get', 'certificates.cert-manager.io', '-A']).exitCode === 0
    const isDiscovered = () =>
      workplace
        .run('kubectl', ['api-resources', '--api-group=cert-manager.io', '-o', 'name'])
        .stdout.includes('certificates.')
    for (let asked = 0; asked < 300; asked++) {
      if (isDiscovered() && isServed()) return
      await sleep(100)
    }
    throw new Error('the API server does not serve certificates.cert-manager.io')
  }

  /** Writes the Secret as cert-manager would. */
  async function issue(): Promise<string> {
    const json = workplace.kubectl('-n', 'istio-system', 'get', 'certificate', 'kubectl-telemetry', '-o', 'json')
    const { spec } = JSON.parse(json) as {
      spec: { dnsNames: string[]; secretName: string; secretTemplate: { labels: Record<string, string> } }
    }
    assert.deepEqual(spec.dnsNames, [HOST])
    const now = new Date()
    const leaf = await issueLeaf(await createAuthority(DOMAIN, issuing(0, { now })), spec.dnsNames, issuing(1, { now }))
    const metadata = { name: spec.secretName, namespace: 'istio-system', labels: spec.secretTemplate.labels }
    const stringData = { 'tls.crt': leaf.certificate, 'tls.key': leaf.key }
    workplace.apply({ apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata, stringData })
    return leaf.certificate
  }
})
