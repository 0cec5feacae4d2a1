import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { Target } from '../../../src/prometheus/target.ts'
import { byJob, explain, judge } from '../../../src/scraping/scraper/targets.ts'

const POD = { namespace: 'shop', name: 'cart-1', ip: '10.1.2.3', port: 15092 }
const SINCE = Date.parse('2026-11-21T12:00:00Z') / 1000
const target = (change: Partial<Target>): Target => ({
  discoveredLabels: {},
  labels: {},
  scrapePool: 'ours',
  scrapeUrl: 'https://10.1.2.3:15092/stats/prometheus',
  lastError: '',
  lastScrape: '2026-11-21T12:00:07.123456789Z',
  health: 'up',
  ...change,
})
const judged = (...targets: Target[]) => judge([POD], targets, SINCE)[0]

describe('the state of a pod in Prometheus', () => {
  it('is UP after a scrape that began after the change', () => {
    assert.deepEqual(judged(target({})), { pod: POD, up: true, jobs: ['ours'], plaintextJobs: [] })
  })

  it('is unknown after a scrape that began before the change', () => {
    const { up, reason } = judged(target({ lastScrape: '2026-11-21T11:59:59Z' })) ?? {}
    assert.deepEqual([up, reason], [false, 'it has not been scraped since the change'])
  })

  it('is unknown if the pod is not discovered, or scraped at another port or as plaintext', () => {
    for (const other of [
      [],
      [target({ scrapeUrl: 'https://10.1.2.3:15091/stats/prometheus' })],
      [target({ scrapeUrl: 'http://10.1.2.3:15092/x' })],
      [target({ scrapeUrl: 'https://10.1.2.30:15092/x' })],
    ])
      assert.equal(judged(...other)?.reason, 'Prometheus has not discovered it yet')
  })

  it('includes jobs that also scrape it as plaintext, but not at ports of the application', () => {
    const clear = target({ scrapePool: 'kubernetes-pods', scrapeUrl: 'http://10.1.2.3:15020/stats/prometheus' })
    const own = target({ scrapePool: 'endpoints', scrapeUrl: 'http://10.1.2.3:8080/metrics' })
    assert.deepEqual(judged(target({}), clear, own)?.plaintextJobs, ['kubernetes-pods'])
  })

  it('works with IPv6', () => {
    const pod = { ...POD, ip: 'fd00::1' }
    assert.equal(judge([pod], [target({ scrapeUrl: 'https://[fd00::1]:15092/stats/prometheus' })], SINCE)[0]?.up, true)
  })

  it('is counted by job, only for jobs that scrape Istio’s metrics of these pods', () => {
    const clear = 'http://10.1.2.3:15020/stats/prometheus'
    const targets = [
      target({}),
      target({ health: 'down' }),
      target({ scrapePool: 'clear', scrapeUrl: clear }),
      target({ scrapePool: 'dropped', scrapeUrl: clear, health: 'unknown' }),
      target({ scrapePool: 'own', scrapeUrl: 'http://10.1.2.3:8080/metrics' }),
      target({ scrapePool: 'others', scrapeUrl: 'https://10.1.2.4:15092/stats/prometheus' }),
    ]
    assert.deepEqual(byJob(targets, [POD]), [
      { name: 'ours', up: 1, total: 2 },
      { name: 'clear', up: 1, total: 1 },
    ])
  })

  // Messages of Prometheus 3.
  const get = 'Get "https://10.1.2.3:15092/stats/prometheus": '
  for (const [error, words] of [
    [
      'unable to use specified client cert (/etc/istio-certs/cert-chain.pem) & key: open /etc/istio-certs/key.pem: no such file or directory',
      /no certificate yet/,
    ],
    [`${get}dial tcp 10.1.2.3:15092: connect: connection refused`, /nothing listens/],
    [`${get}read tcp 10.9.9.9:1->10.1.2.3:15092: read: connection reset by peer`, /second mutual TLS/],
    [`${get}EOF`, /second mutual TLS/],
    [`${get}context deadline exceeded`, /NetworkPolicy/],
    [`${get}dial tcp 10.1.2.3:15092: i/o timeout`, /NetworkPolicy/],
    [`${get}remote error: tls: unknown certificate authority`, /do not trust the same CA/],
    [`${get}remote error: tls: certificate required`, /missing or has expired/],
    [`${get}tls: first record does not look like a TLS handshake`, /serves plaintext/],
    ['server returned HTTP status 503 Service Unavailable', /503/],
    ['something new', /^something new$/],
  ] as const)
    it(`is explained for: ${error.slice(-40)}`, () => assert.match(explain(error), words))
})
