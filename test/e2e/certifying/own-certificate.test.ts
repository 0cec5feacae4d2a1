import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'mocha'
import { opensslMake } from '../../certificates/openssl.ts'
import { buildOnDemand } from '../../lab/build.ts'
import { goClient } from '../../lab/components.ts'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { type Outcome, Workplace } from '../mesh.ts'
import { assertOneError } from '../one-error.ts'

const DOMAIN = `${loadBalancerAddress}.nip.io`
const HOST = `grafana.${DOMAIN}`
const CA = [
  '-x509',
  '-days',
  '30',
  '-subj',
  '/C=DE/O=Our Company/OU=IT/CN=Our Root',
  '-addext',
  'keyUsage=critical,keyCertSign',
]

describe('certificates of the user, on the real mesh', () => {
  const workplace = new Workplace()
  let client: string
  const root = opensslMake(...CA)
  const file = (name: string) => join(workplace.directory, name)

  before(async () => {
    await loadBalancer('on')
    writeFileSync(file('root.crt'), root.certificate)
    writeFileSync(file('root.key'), root.key)
    client = join(await buildOnDemand(goClient), 'go-client')
  })
  afterEach(() => {
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
    workplace.kubectl('-n', 'istio-system', 'delete', 'secret', 'our-tls', '--ignore-not-found')
  })
  after(() => workplace.end())

  const expose = (...words: string[]): Outcome =>
    workplace.telemetry('expose', 'grafana', '--allow-anonymous', '-y', ...words)

  /** A leaf for a host, made by openssl. */
  function leafFor(host: string): { certificate: string; key: string } {
    const request = opensslMake('-subj', '/CN=ours', '-addext', `subjectAltName=DNS:${host}`)
    writeFileSync(file('request.csr'), request.certificate)
    const words = [
      'x509',
      '-req',
      '-in',
      file('request.csr'),
      '-CA',
      file('root.crt'),
      '-CAkey',
      file('root.key'),
      '-days',
      '20',
    ]
    const { stdout, exitCode, stderr } = workplace.run('openssl', [...words, '-copy_extensions', 'copy'])
    assert.equal(exitCode, 0, stderr)
    return { certificate: stdout, key: request.key }
  }

  function applySecret({ certificate, key }: { certificate: string; key: string }): void {
    const stringData = { 'tls.crt': certificate, 'tls.key': key }
    const metadata = { name: 'our-tls', namespace: 'istio-system' }
    workplace.apply({ apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata, stringData })
  }

  it('serves the certificate of a Secret, which status shows and cleanup leaves unchanged', () => {
    const leaf = leafFor(HOST)
    applySecret(leaf)
    const before = dump(workplace)
    const { exitCode, stdout, stderr } = expose('--tls-secret', 'our-tls', '-o', 'json')
    assert.equal(exitCode, 0, stdout + stderr)
    const status = workplace.telemetry('cert', 'status', '-o', 'json')
    const [certificate] = (JSON.parse(status.stdout) as { certificates: { secret: string; served: object }[] })
      .certificates
    assert.equal(certificate?.secret, 'istio-system/our-tls')
    assert.deepEqual(certificate?.served, {
      fingerprint: new X509Certificate(leaf.certificate).fingerprint256,
      matches: true,
    })
    assert.equal(workplace.run(client, [file('root.crt'), HOST, '443', loadBalancerAddress]).stdout, '200 HTTP/2.0\n')
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
    assert.deepEqual(difference(before, dump(workplace)), [])
  })

  it('refuses an unusable Secret before anything is changed', () => {
    const [good, other] = [leafFor(HOST), leafFor(`kiali.${DOMAIN}`)]
    for (const [pair, why] of [
      [{ ...good, key: other.key }, /tls\.key is not the key of tls\.crt/],
      [other, /is not for grafana\./],
      [{ certificate: 'garbage', key: 'garbage' }, /tls\.crt is not a certificate/],
    ] as const) {
      applySecret(pair)
      const before = dump(workplace)
      assertOneError(expose('--tls-secret', 'our-tls'), 'CERTIFICATE_INVALID', why)
      assert.deepEqual(difference(before, dump(workplace)), [])
    }
  })

  it("signs certificates with the user's CA that Go and openssl accept, and changes to another CA", () => {
    const ownAuthority = ['--ca-cert', file('root.crt'), '--ca-key', file('root.key')]
    const { exitCode, stderr } = expose(...ownAuthority)
    assert.equal(exitCode, 0, stderr)
    assert.equal(workplace.telemetry('cert', 'export', 'ca').stdout, root.certificate)
    assert.equal(workplace.run(client, [file('root.crt'), HOST, '443', loadBalancerAddress]).stdout, '200 HTTP/2.0\n')
    writeFileSync(file('chain.pem'), workplace.telemetry('cert', 'export', 'fullchain').stdout)
    const words = ['verify', '-CAfile', file('root.crt'), '-verify_hostname', HOST, file('chain.pem')]
    assert.equal(workplace.run('openssl', words).stdout, `${file('chain.pem')}: OK\n`)

    const next = opensslMake(...CA)
    writeFileSync(file('next.crt'), next.certificate)
    writeFileSync(file('next.key'), next.key)
    const rotate = (...more: string[]) => workplace.telemetry('cert', 'rotate', '-y', ...more)
    assert.equal(rotate('--ca', '--ca-cert', file('next.crt'), '--ca-key', file('next.key')).exitCode, 0)
    assert.equal(rotate('--finish').exitCode, 0)
    assert.equal(workplace.run(client, [file('next.crt'), HOST, '443', loadBalancerAddress]).stdout, '200 HTTP/2.0\n')
    assert.match(
      workplace.run(client, [file('root.crt'), HOST, '443', loadBalancerAddress]).stderr,
      /unknown authority/,
    )
  })

  it('names the machine that has the CA; after its files were copied here, it signs for what was exposed from here', () => {
    assert.equal(expose('--domain', DOMAIN).exitCode, 0)
    const other = new Workplace()
    try {
      assertOneError(other.telemetry('cert', 'rotate', '-y'), 'CA_ELSEWHERE', /its key is on \w+@/)
      const kept = join(workplace.environment.XDG_DATA_HOME ?? '', 'kubectl-telemetry', 'authorities', DOMAIN)
      const files = ['--ca-cert', join(kept, 'ca.crt'), '--ca-key', join(kept, 'ca.key')]
      assert.equal(other.telemetry('cert', 'create', ...files).exitCode, 0)
      assertOneError(other.telemetry('cert', 'rotate', '-y'), 'CA_NOT_FOR_GATEWAY', /has not used its CA of /)
      const words = ['expose', 'grafana', '--allow-anonymous', '--domain', DOMAIN, '-y']
      assert.equal(other.telemetry(...words).exitCode, 0)
      const { exitCode, stderr } = other.telemetry('cert', 'rotate', '-y')
      assert.equal(exitCode, 0, stderr)
    } finally {
      other.end()
    }
  })
})
