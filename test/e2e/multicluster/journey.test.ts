/**
 * Two self-signed meshes, from `connect` to `cleanup --trust`, and everything as before at the end. The page of istio.io is in it:
 * `sleep` of one cluster calls httpbin of the other. One file, because each change of the root restarts every workload.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import type { MulticlusterStatus } from '../../../src/multicluster/status.ts'
import { startApiServer, stopApiServer } from '../../lab/faults.ts'
import { difference, dump } from '../dump.ts'
import { Joined } from '../joined.ts'
import { assertOneError } from '../one-error.ts'
import { podUids } from '../pod-uids.ts'
import { changeCorefile, letIstiodOwnItsBundles, scaleOnce } from '../touched.ts'
import { BAR, call, endNamespaces, FOO, httpbin, sleep, start, type TwoClusters } from '../two-clusters.ts'
import { exporting } from './exporting.ts'
import { pemSecret, tlsSecret } from './foreign-authority.ts'
import { formerCertificate, handshake } from './former-certificate.ts'
import { verifyingBefore, verifyingConnected } from './verifying.ts'

const URL_OF_PAGE = `http://httpbin.${BAR}.global:8000/headers`
const EXPORT = ['export', 'httpbin', '-n', BAR, '--in', 'west', '--from', `${FOO}/sleep`]

describe('two meshes', () => {
  let joined: Joined
  let clusters: TwoClusters
  let untouched: Map<string, string>
  const both = () => [clusters.first, clusters.second]
  const page = () => call(clusters.first, FOO, URL_OF_PAGE)
  const clustersOf = (...words: string[]) => joined.answer<MulticlusterStatus>(...words).clusters

  before(async function () {
    this.timeout('20m')
    joined = await Joined.start()
    clusters = joined.clusters
    await joined.loadBalancers('off')
    start(clusters.first, sleep(FOO))
    start(clusters.second, httpbin(BAR, { mode: 'STRICT' }))
    scaleOnce(clusters.second, BAR, 'httpbin')
    scaleOnce(clusters.second, 'istio-system', 'istio-ingressgateway')
    changeCorefile(clusters.first, ' ')()
    for (const workplace of both()) await letIstiodOwnItsBundles(workplace)
    untouched = clusters.dump()
  })

  after(async function () {
    this.timeout('5m')
    endNamespaces(clusters.first, FOO, BAR)
    endNamespaces(clusters.second, FOO, BAR)
    clusters.end()
  })

  describe('before they are connected', () => {
    it('do not call each other, and status says why', () => {
      assert.notEqual(page().status, 200)
      const { exitCode, stdout } = joined.run('status')
      assert.equal(exitCode, 1)
      assert.match(stdout, /TRUST_NOT_SHARED/)
    })

    it('are told to be joined by remote secrets, where there is one', () => {
      const { second } = clusters
      const labels = { 'istio/multiCluster': 'true' }
      const metadata = { name: 'istio-remote-secret-north', namespace: 'istio-system', labels }
      const remote = { apiVersion: 'v1', kind: 'Secret', metadata, stringData: { north: 'no kubeconfig' } }
      second.apply(remote)
      assert.match(joined.run('status').stdout, /cluster west has credentials.*istio-remote-secret-north/)
      second.delete(remote)
    })

    for (const type of ['generic', 'tls'] as const)
      it(`are not changed where somebody has plugged a CA in: ${type}`, () => {
        const { second } = clusters
        const files = type === 'tls' ? tlsSecret(second) : pemSecret(second)
        second.kubectl('-n', 'istio-system', 'create', 'secret', type, 'cacerts', ...files)
        try {
          const given = clusters.dump()
          assertOneError(joined.run('connect'), 'CACERTS_NOT_OURS', /--root-cert|--cacerts/)
          assert.deepEqual(difference(given, clusters.dump()), [])
        } finally {
          second.kubectl('-n', 'istio-system', 'delete', 'secret', 'cacerts')
        }
      })

    it('are not changed while the API server of one is away', async () => {
      const given = dump(clusters.first)
      await stopApiServer(2)
      try {
        assertOneError(joined.run('connect'), 'CLUSTER_UNREACHABLE', /west/)
      } finally {
        await startApiServer(2)
      }
      assert.deepEqual(difference(given, dump(clusters.first)), [])
    })
  })

  verifyingBefore(() => joined)

  describe('connect', () => {
    it('gives them one root of trust, which every proxy has, also after a run that was killed', async function () {
      this.timeout('6m')
      await joined.killedAtChange(clusters.first, 'connect')
      const all = clustersOf('connect')
      for (const { phase, proxies } of all) {
        assert.equal(phase, 'new-signer')
        assert.equal(proxies.trusting, proxies.total)
        assert.deepEqual(proxies.unknown, [])
      }
      const [east, west] = all.map(({ roots }) => roots.map(({ fingerprint }) => fingerprint).sort())
      assert.deepEqual(east, west)
      joined.rememberNames()
    })

    it('and export let sleep call httpbin with its identity', () => {
      joined.done(...EXPORT)
      const { status, body } = page()
      assert.equal(status, 200)
      assert.match(body, new RegExp(`URI=spiffe://cluster.local/ns/${FOO}/sa/sleep`))
    })
  })

  verifyingConnected(() => joined)

  describe('cleanup of what is exported', () => {
    it('leaves the trust, and cleanup of the trust is refused before it', () => {
      assertOneError(joined.run('cleanup', '--trust'), 'STILL_EXPORTED')
      joined.done('cleanup')
      assert.notEqual(page().status, 200)
    })
  })

  exporting(() => joined)

  describe('a change of the root', () => {
    before(() => {
      joined.done(...EXPORT)
    })

    it('ends with one root, and a certificate of the former one is refused', function () {
      this.timeout('6m')
      const former = formerCertificate(clusters.second)
      assert.match(handshake(clusters.second, BAR, former), /^accepted/)
      for (const { phase, roots, proxies } of clustersOf('connect', '--finish')) {
        assert.equal(phase, 'finished')
        assert.equal(roots.length, 1)
        assert.equal(proxies.renewed, proxies.total)
      }
      assert.equal(page().status, 200)
      assert.match(handshake(clusters.second, BAR, former), /^refused/)
    })

    it('is not needed for new CAs: nothing restarts', function () {
      this.timeout('5m')
      const before_ = podUids(...both())
      joined.done('rotate')
      assert.deepEqual(podUids(...both()), before_)
      joined.done('status')
    })

    it('that was killed, and found a cluster away, is continued; calls answer meanwhile', async function () {
      this.timeout('10m')
      const [before_] = clustersOf('status')
      await joined.killedAtChange(clusters.first, 'rotate', '--ca')
      await stopApiServer(2)
      try {
        assertOneError(joined.run('rotate', '--ca'), 'CLUSTER_UNREACHABLE', /cluster lab-2/)
        assert.equal(page().status, 200)
      } finally {
        await startApiServer(2)
      }
      joined.done('rotate', '--ca')
      assert.equal(page().status, 200)
      await joined.killedAtChange(clusters.first, 'connect', '--finish')
      assert.equal(page().status, 200)
      const [after_] = clustersOf('connect', '--finish')
      assert.equal(page().status, 200)
      assert.equal(after_?.roots.length, 1)
      assert.notEqual(after_?.roots[0]?.fingerprint, before_?.roots[0]?.fingerprint)
    })
  })

  describe('cleanup', () => {
    it('leaves no difference in either, also after a run that was killed', async function () {
      this.timeout('8m')
      joined.done('cleanup')
      await joined.killedAtChange(clusters.first, 'cleanup', '--trust')
      joined.done('cleanup', '--trust')
      assert.deepEqual(difference(untouched, clusters.dump()), [])
      assert.notEqual(page().status, 200)
    })
  })
})
