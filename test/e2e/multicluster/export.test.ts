/** `multicluster export` and `cleanup` on two real meshes, each with pods of its own. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, afterEach, before, describe, it } from 'mocha'
import type { ExportResult } from '../../../src/multicluster/exporting/result.ts'
import { siteOfCluster } from '../../lab/lab.ts'
import { Connected } from '../connected.ts'
import { difference } from '../dump.ts'
import { call, endNamespaces, httpbin, inSleep, sleep, start, type TwoClusters, wire } from '../two-clusters.ts'

const HTTPBIN = ['export', 'httpbin', '-n', 'bar', '--in', 'west']
const HOST = 'httpbin.bar.global'
/** Where no name leads to an address, curl is told it. */
const at = (address: string, host = HOST, port = 8000) => ['--resolve', `${host}:${port}:${address}`]
const URL_OF_HEADERS = `http://${HOST}:8000/headers`
const CALLER = 'spiffe://cluster.local/ns/foo/sa/sleep'

/** Bytes that a client sends as they are: curl's telnet only minds 0xFF. */
const BODY = 'a'.repeat(100_000)
const SUM_OF_BODY = 'f3336ba4bf2d4d8cb2ed4ad1d3d1ea0c3b1d1d1d'

describe('multicluster export, on two meshes', () => {
  let connected: Connected
  let clusters: TwoClusters
  let untouched: Map<string, string>

  before(async function () {
    this.timeout('20m')
    connected = await Connected.start()
    clusters = connected.clusters
    const { first, second } = clusters
    start(first, sleep('foo'))
    start(second, [...httpbin('bar'), ...wire('bar').slice(1)])
    untouched = clusters.dump()
  })
  after(async function () {
    this.timeout('10m')
    connected.done('cleanup')
    assert.deepEqual(difference(untouched, clusters.dump()), [])
    endNamespaces(clusters.first, 'foo', 'bar')
    endNamespaces(clusters.second, 'bar', 'foo')
    await connected.end()
  })
  afterEach(() => {
    connected.done('cleanup')
    assert.deepEqual(difference(untouched, clusters.dump()), [])
  })

  const exported = (...words: string[]): ExportResult =>
    JSON.parse(connected.done(...words, '-o', 'json').stdout) as ExportResult
  const status = (url: string, ...more: string[]) => call(clusters.first, 'foo', url, ...more).status

  it("lets sleep's own wget call the service by its name, with both identities, and restores the Corefile", () => {
    const { services } = exported(...HTTPBIN)
    assert.equal(services[0]?.dns, 'coredns')
    const { stdout } = inSleep(clusters.first, 'foo', 'wget', '-q', '-O', '-', '-T', '5', URL_OF_HEADERS)
    assert.match(stdout, new RegExp(`By=spiffe://cluster.local/ns/bar/sa/httpbin;.*URI=${CALLER}`))
    const again = exported(...HTTPBIN)
    assert.deepEqual([...new Set(again.objects.map(({ action }) => action))], ['unchanged'])
  })
})
