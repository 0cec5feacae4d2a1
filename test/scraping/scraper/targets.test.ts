import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { byJob, inWords, judge, type Target } from '../../../src/scraping/scraper/targets.ts'

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

describe('what Prometheus says of a pod', () => {
  it('is UP by a scrape that began after the change', () => {
    assert.deepEqual(judged(target({})), { pod: POD, up: true, jobs: ['ours'], plaintextJobs: [] })
  })

  it('is nothing yet by one that began before', () => {
    const { up, reason } = judged(target({ lastScrape: '2026-11-21T11:59:59Z' })) ?? {}
    assert.deepEqual([up, reason], [false, 'it has not been scraped since the change'])
  })

  it('is nothing where it is not known, or scraped at another port or in clear', () => {
    for (const other of [
      [],
      [target({ scrapeUrl: 'https://10.1.2.3:15091/stats/prometheus' })],
      [target({ scrapeUrl: 'http://10.1.2.3:15092/x' })],
      [target({ scrapeUrl: 'https://10.1.2.30:15092/x' })],
    ])
      assert.equal(judged(...other)?.reason, 'Prometheus does not know it yet')
  })

  it('tells of jobs that scrape it in clear as well, and not of the application’s own ports', () => {
    const clear = target({ scrapePool: 'kubernetes-pods', scrapeUrl: 'http://10.1.2.3:15020/stats/prometheus' })
    const own = target({ scrapePool: 'endpoints', scrapeUrl: 'http://10.1.2.3:8080/metrics' })
    assert.deepEqual(judged(target({}), clear, own)?.plaintextJobs, ['kubernetes-pods'])
  })

  it('knows IPv6', () => {
    const pod = { ...POD, ip: 'fd00::1' }
    assert.equal(judge([pod], [target({ scrapeUrl: 'https://[fd00::1]:15092/stats/prometheus' })], SINCE)[0]?.up, true)
  })

  it('counts by job, and only jobs that scrape these pods’ metrics of Istio', () => {
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

  // As Prometheus 3 has them.
  const get = 'Get "https://10.1.2.3:15092/stats/prometheus": '
  for (const [error, words] of [
    [
      'unable to use specified client cert (/etc/istio-certs/cert-chain.pem) & key: open /etc/istio-certs/key.pem: no such file or directory',
      /no certificate yet/,
    ],
    [`${get}dial tcp 10.1.2.3:15092: connect: connection refused`, /nothing listens/],
    [`${get}read tcp 10.9.9.9:1->10.1.2.3:15092: read: connection reset by peer`, /spoken twice/],
    [`${get}EOF`, /spoken twice/],
    [`${get}context deadline exceeded`, /NetworkPolicy/],
    [`${get}dial tcp 10.1.2.3:15092: i/o timeout`, /NetworkPolicy/],
    [`${get}remote error: tls: unknown certificate authority`, /does not trust/],
    [`${get}remote error: tls: certificate required`, /missing or has expired/],
    [`${get}tls: first record does not look like a TLS handshake`, /in clear/],
    ['server returned HTTP status 503 Service Unavailable', /503/],
    ['something new', /^something new$/],
  ] as const)
    it(`puts it into words: ${error.slice(-40)}`, () => assert.match(inWords(error), words))
})
