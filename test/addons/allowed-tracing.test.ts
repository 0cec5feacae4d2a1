// As in allowed.test.ts, JavaScript's regular expressions say the same as RE2 here.
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { allowedRequests } from '../../src/addons/allowed-requests.ts'
import { ADDON_NAMES } from '../../src/addons/catalog.ts'

const whole = (expression: string) => new RegExp(`^(?:${expression})$`, 's')
const allows = (pagePath: string) => {
  const allowed = allowedRequests('tracing', pagePath) ?? []
  return (request: string) => {
    const [method = '', path = ''] = request.split(' ')
    return allowed.some((rule) => whole(rule.methods).test(method) && whole(rule.path).test(path))
  }
}

/** By product: the path of its page, what the page needs, and what must not get through. */
const PRODUCTS: [string, string, string[], string[]][] = [
  [
    'Jaeger below a path',
    '/jaeger/',
    [
      ...['', 'search', 'trace/9bfe8376', 'dependencies', 'monitor', 'static/index-B2x.js', 'api/services'].map(
        (path) => `GET /jaeger/${path}`,
      ),
      'GET /',
      'GET /jaeger/api/services/shop%2Fcart/operations',
      'GET /jaeger/api/traces/9bfe8376',
      'GET /jaeger/api/v3/traces',
      'GET /jaeger/api/metrics/latencies',
      'HEAD /jaeger/',
      'OPTIONS /jaeger/api/traces',
      'POST /jaeger/api/transform',
    ],
    [
      'POST /jaeger/api/archive/9bfe8376',
      'POST /jaeger/api%2Farchive/9bfe8376',
      'POST /jaeger//api/archive/9bfe8376',
      'POST /jaeger/api/transform/../archive/9bfe8376',
      'POST /jaeger/%2e%2e/api/transform',
      'POST /jaeger/api/traces',
      'POST /jaeger.api_v2.QueryService/ArchiveTrace',
      'PUT /jaeger/api/archive/1',
      'DELETE /jaeger/api/traces/1',
      'PATCH /jaeger/',
      'post /jaeger/api/archive/1',
    ],
  ],
  ['Jaeger', '/', ['GET /search', 'POST /api/transform', 'POST /graphql'], ['POST /api/archive/1', 'POST /api/traces']],
  [
    'Zipkin',
    '/zipkin/',
    [
      'GET /',
      'GET /zipkin',
      'GET /zipkin/',
      'GET /zipkin/traces/9bfe8376',
      'GET /zipkin/dependency',
      'GET /zipkin/config.json',
      'GET /zipkin/static/js/index.js',
      'GET /zipkin/api/v2/services',
      'GET /api/v2/traces',
      'GET /api/v2/trace/9bfe8376',
      'GET /health',
      'HEAD /zipkin/',
      'OPTIONS /api/v2/traces',
    ],
    [
      'POST /api/v2/spans',
      'POST /api/v1/spans',
      'POST /zipkin/api/v2/spans',
      'POST /zipkin/',
      'PUT /api/v2/spans',
      'DELETE /api/v2/traces',
      'POST /zipkin2.proto3.SpanService/Report',
      'GET /actuator/heapdump',
      'GET /actuator/env',
      'POST /actuator/loggers/ROOT',
      'GET /zipkin/..%2factuator/heapdump',
      'GET /zipkin/%2e%2e/actuator/heapdump',
      'GET //actuator/env',
      'GET /metrics',
    ],
  ],
  [
    'SkyWalking',
    '/',
    ['GET /', 'GET /static/js/app.js', 'POST /graphql', 'GET /zipkin/api/v2/traces'],
    ['POST /', 'POST /v3/segments', 'POST /graphql/', 'PUT /graphql', 'POST /browser/perfData', 'DELETE /graphql'],
  ],
]

describe('the allow-lists of tracing', () => {
  for (const [product, page, needed, others] of PRODUCTS) {
    it(`let ${product} be read`, () => {
      assert.deepEqual(
        needed.filter((request) => !allows(page)(request)),
        [],
      )
    })

    it(`keep all else from ${product}`, () => {
      assert.deepEqual(
        others.filter((request) => allows(page)(request)),
        [],
      )
    })
  }

  it('have nothing that RE2 does not know or reads otherwise', () => {
    for (const page of ['/', '/zipkin/', '/jaeger/'])
      for (const { methods, path } of allowedRequests('tracing', page) ?? [])
        assert.doesNotMatch(methods + path, /\(\?|\\[1-9bBdDsSwWkpPuxc]|[*+?}][+?]|\^\(|\$/)
  })

  it('do not restrict add-ons that check each request themselves', () => {
    const free = ADDON_NAMES.filter((name) => allowedRequests(name, '/') === undefined)
    assert.deepEqual(free, ['grafana', 'kiali'])
  })
})
