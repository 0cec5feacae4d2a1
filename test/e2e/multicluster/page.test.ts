/** The page of istio.io: a pod of one cluster calls a service of another, over one root of trust; and everything as before at the end. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createPublicKey } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { after, before, describe, it } from 'mocha'
import { keyIdentifier, serialNumber, signCertificate } from '../../../src/certificates/x509.ts'
import { siteOfCluster } from '../../lab/lab.ts'
import { difference } from '../dump.ts'
import type { Outcome, Workplace } from '../mesh.ts'
import { call, endNamespaces, httpbin, sleep, start, TwoClusters } from '../two-clusters.ts'

const [FOO, BAR] = ['page-foo', 'page-bar']
const HOST = `httpbin.${BAR}.global`
const NAMED = ['--context', 'west=lab', '--context', 'east=lab-2']
const BOTH = ['--context', 'lab', '--context', 'lab-2']

interface ClusterJson {
  name: string
  phase: string
  roots: { fingerprint: string }[]
  proxies: { total: number; trusting: number; renewed: number; unknown: unknown[] }
}

describe('the page: httpbin of another cluster', () => {
  let clusters: TwoClusters
  let untouched: Map<string, string>

  const multicluster = (...words: string[]): Outcome =>
    clusters.first.run('kubectl', ['telemetry', 'multicluster', ...words], { timeout: 300_000 })

  function succeeds(...words: string[]): string {
    const { stdout, stderr, exitCode } = multicluster(...words)
    assert.equal(exitCode, 0, stderr)
    return stdout
  }

  const clustersIn = (json: string) => (JSON.parse(json) as { clusters: ClusterJson[] }).clusters

  before(async function () {
    this.timeout('20m')
    clusters = await TwoClusters.start()
    start(clusters.first, sleep(FOO))
    start(clusters.second, httpbin(BAR, { mode: 'STRICT' }))
    for (const workplace of [clusters.first, clusters.second]) await letIstiodOwnItsBundles(workplace)
    untouched = clusters.dump()
  })

  after(() => {
    endNamespaces(clusters.first, FOO)
    endNamespaces(clusters.second, BAR)
    clusters.end()
  })

  it('is out of reach before', () => {
    assert.notEqual(call(clusters.first, FOO, `http://${HOST}:8000/headers`).status, 200)
    const { exitCode, stdout } = multicluster('status', ...NAMED)
    assert.equal(exitCode, 1)
    assert.match(stdout, /TRUST_NOT_SHARED/)
  })

  it('gets one root of trust, which every proxy has', function () {
    this.timeout('5m')
    const joined = clustersIn(succeeds('connect', ...NAMED, '-y', '-o', 'json'))
    for (const { phase, proxies } of joined) {
      assert.equal(phase, 'new-signer')
      assert.equal(proxies.trusting, proxies.total)
      assert.deepEqual(proxies.unknown, [])
    }
    assert.deepEqual(
      joined[0]?.roots.map(({ fingerprint }) => fingerprint).sort(),
      joined[1]?.roots.map(({ fingerprint }) => fingerprint).sort(),
    )
  })

  it('answers with the identity of its caller', function () {
    this.timeout('3m')
    succeeds('export', 'httpbin', '-n', BAR, '--in', 'east', ...BOTH, '-y')
    const { status, body } = call(clusters.first, FOO, `http://${HOST}:8000/headers`)
    assert.equal(status, 200)
    assert.match(body, new RegExp(`URI=spiffe://cluster.local/ns/${FOO}/sa/sleep`))
    succeeds('verify', HOST, '--from', `${FOO}/sleep`, ...BOTH)
  })

  it('answers after the former roots are dropped, and then refuses a certificate of the former one', function () {
    this.timeout('5m')
    const former = formerCertificate(clusters.second)
    assert.match(handshake(clusters.second, former), /^accepted/)
    for (const { phase, roots, proxies } of clustersIn(succeeds('connect', '--finish', ...BOTH, '-y', '-o', 'json'))) {
      assert.equal(phase, 'finished')
      assert.equal(roots.length, 1)
      assert.equal(proxies.renewed, proxies.total)
    }
    assert.equal(call(clusters.first, FOO, `http://${HOST}:8000/headers`).status, 200)
    assert.match(handshake(clusters.second, former), /^refused/)
  })

  it('gets new CAs without a restart', function () {
    this.timeout('5m')
    const before_ = [clusters.first, clusters.second].map(podUids)
    succeeds('rotate', ...BOTH, '-y')
    assert.deepEqual([clusters.first, clusters.second].map(podUids), before_)
    succeeds('status', ...BOTH)
  })

  it('gets another root, and answers meanwhile and afterwards', function () {
    this.timeout('8m')
    const [before_] = clustersIn(succeeds('status', ...BOTH, '-o', 'json'))
    succeeds('rotate', '--ca', ...BOTH, '-y')
    assert.equal(call(clusters.first, FOO, `http://${HOST}:8000/headers`).status, 200)
    const [after_] = clustersIn(succeeds('connect', '--finish', ...BOTH, '-y', '-o', 'json'))
    assert.equal(call(clusters.first, FOO, `http://${HOST}:8000/headers`).status, 200)
    assert.equal(after_?.roots.length, 1)
    assert.notEqual(after_?.roots[0]?.fingerprint, before_?.roots[0]?.fingerprint)
  })

  it('is gone without a difference in either cluster', function () {
    this.timeout('8m')
    const early = multicluster('cleanup', '--trust', ...BOTH, '-y')
    assert.equal(early.exitCode, 1)
    assert.match(early.stderr, /STILL_EXPORTED/)
    succeeds('cleanup', ...BOTH, '-y')
    succeeds('cleanup', '--trust', ...BOTH, '-y')
    assert.deepEqual(difference(untouched, clusters.dump()), [])
    assert.notEqual(call(clusters.first, FOO, `http://${HOST}:8000/headers`).status, 200)
  })
})

interface Webhooks {
  items: {
    kind: string
    metadata: { name: string }
    webhooks: { clientConfig: { caBundle?: string; service?: { namespace: string } } }[]
  }[]
}

/**
 * istiod writes its root into its webhooks when it differs, and owns that field from then on, instead of the installer: the value comes back,
 * the owner does not. So istiod writes it once before the comparison begins.
 */
async function letIstiodOwnItsBundles(workplace: Workplace): Promise<void> {
  const kinds = 'mutatingwebhookconfigurations,validatingwebhookconfigurations'
  const read = () => (JSON.parse(workplace.kubectl('get', kinds, '-o', 'json')) as Webhooks).items
  const bundles = () =>
    JSON.stringify(read().map(({ webhooks }) => webhooks.map(({ clientConfig }) => clientConfig.caBundle)))
  const before_ = bundles()
  for (const { kind, metadata, webhooks } of read()) {
    const patch = webhooks.flatMap(({ clientConfig: { caBundle, service } }, index) => {
      if (caBundle === undefined || service?.namespace !== 'istio-system') return []
      const other = Buffer.from(`${Buffer.from(caBundle, 'base64')}\n`).toString('base64')
      return [{ op: 'replace', path: `/webhooks/${index}/clientConfig/caBundle`, value: other }]
    })
    if (patch.length > 0) workplace.kubectl('patch', kind, metadata.name, '--type=json', `-p=${JSON.stringify(patch)}`)
  }
  for (let look = 0; look < 60 && bundles() !== before_; look++) await setTimeout(1_000)
  assert.equal(bundles(), before_, 'istiod writes its root again')
}

interface Pods {
  items: {
    metadata: { namespace: string; name: string; uid: string; deletionTimestamp?: string }
    status: { containerStatuses?: { restartCount: number }[] }
  }[]
}

/** All pods but those that a restart before has ended, with how often their containers began again. */
function podUids(workplace: Workplace): string[] {
  const { items } = JSON.parse(workplace.kubectl('get', 'pods', '-A', '-o', 'json')) as Pods
  return items
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(({ metadata: { namespace, name, uid }, status: { containerStatuses = [] } }) => {
      const restarts = containerStatuses.map(({ restartCount }) => restartCount)
      return `${namespace}/${name} ${uid} ${restarts.join()}`
    })
    .sort()
}

/** PEM files of a workload's certificate that the cluster's own former CA signed. */
function formerCertificate(workplace: Workplace): { certificate: string; key: string } {
  const [certificate, key] = ['ca-cert\\.pem', 'ca-key\\.pem'].map((name) =>
    Buffer.from(
      workplace.kubectl('-n', 'istio-system', 'get', 'secret', 'istio-ca-secret', `-o=jsonpath={.data.${name}}`),
      'base64',
    ).toString(),
  )
  const { stdout } = spawnSync('openssl', ['genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'], {
    encoding: 'utf8',
  })
  const leaf = signCertificate({
    publicKey: createPublicKey(stdout).export({ type: 'spki', format: 'pem' }).toString(),
    subject: { organization: 'e2e', commonName: 'former' },
    issuer: certificate ?? '',
    serial: serialNumber(new Uint8Array(16)),
    notBefore: new Date(Date.now() - 3_600_000),
    notAfter: new Date(Date.now() + 3_600_000),
    extensions: [
      { name: 'keyUsage', critical: true, digitalSignature: true, keyEncipherment: true },
      { name: 'extKeyUsage', clientAuth: true },
      // Both clusters' own roots have one name: only this tells which of them signed.
      { name: 'authorityKeyIdentifier', keyIdentifier: keyIdentifier(certificate ?? '') },
      {
        name: 'subjectAltName',
        critical: true,
        altNames: [{ type: 6, value: 'spiffe://cluster.local/ns/e2e/sa/former' }],
      },
    ],
    signingKey: key ?? '',
  })
  const files = { certificate: join(workplace.directory, 'former.pem'), key: join(workplace.directory, 'former.key') }
  writeFileSync(files.certificate, leaf)
  writeFileSync(files.key, stdout, { mode: 0o600 })
  return files
}

/** Asks the sidecar of httpbin over mutual TLS, from the node. @returns `accepted: …` or `refused: …` */
function handshake(workplace: Workplace, { certificate, key }: { certificate: string; key: string }): string {
  const address = workplace.kubectl('-n', BAR, 'get', 'pods', '-o=jsonpath={.items[0].status.podIP}')
  const { namespace } = siteOfCluster(2)
  const words = [
    ...[`--net=/run/netns/${namespace}`, '--', 'curl', '-sS', '-k', '-m', '5', '--cert', certificate, '--key', key],
    ...['-o', '/dev/null', '-w', '%{http_code}', `https://${address}:8080/status/200`],
  ]
  const { stdout, stderr } = spawnSync('nsenter', words, { encoding: 'utf8' })
  return stdout === '200' ? 'accepted: 200' : `refused: ${stdout} ${stderr}`
}
