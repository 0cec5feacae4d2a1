// Envoy matches with RE2 over the whole method and the whole path (without the query); for what is used here JavaScript's
// regular expressions say the same.
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { allowedRequests } from '../../src/addons/allowed-requests.ts'
import { addon } from './addon-objects.ts'

const { allowed = [] } = addon('prometheus')
const whole = (expression: string) => new RegExp(`^(?:${expression})$`, 's')
const passes = (method: string, path: string, rules = allowed) =>
  rules.some((rule) => whole(rule.methods).test(method) && whole(rule.path).test(path))

const READING = ['GET', 'HEAD', 'OPTIONS']
const WRITING = ['POST', 'PUT', 'DELETE', 'PATCH', 'CONNECT', 'TRACE', 'get', 'GETX', '']

const PAGES = `/ /alerts /query /graph /status /tsdb-status /flags /config /rules /targets /service-discovery
/alertmanager-discovery /agent /federate /version /metrics /manifest.json /favicon.ico /favicon.svg /-/ready /-/healthy
/assets/index-B2x.js /static/css/main.css /classic/static/js/x.js /consoles/node.html /api/v1/status/buildinfo
/api/v1/label/__name__/values /api/v1/targets /api/v1/metadata /api/v1/alerts /api/v1/rules`.split(/\s+/)

const QUERIES = `/api/v1/query /api/v1/query_range /api/v1/query_exemplars /api/v1/format_query /api/v1/parse_query
/api/v1/series /api/v1/labels`.split(/\s+/)

const MIGHTY =
  `/-/quit /-/reload /-%2Fquit /-%2freload //-/quit //-/reload /%2F-/quit /./-/quit /x/../-/quit /-/quit/ /-/
/-/readyX /-/ready/../quit /-/healthy/-/quit /debug/pprof/ /debug/pprof/heap /x /alerts/ /queryX /manifestXjson /faviconXico`.split(
    /\s+/,
  )

const CHANGING =
  `/api/v1/admin/tsdb/delete_series /api/v1/admin/tsdb/clean_tombstones /api/v1/admin/tsdb/snapshot /api/v1/write
/api/v1/read /api/v1/otlp/v1/metrics /api/v1/query/ /api/v1/query/../admin/tsdb/snapshot /api/v1/queryX /api/v1/query_rangeX
/x/api/v1/query /api/v2/query //api/v1/query / /graph /api/v1/targets`.split(/\s+/)

describe("Prometheus' allow-list", () => {
  for (const path of [...PAGES, ...QUERIES]) {
    it(`lets ${path} be read`, () => {
      assert.deepEqual(
        READING.filter((method) => !passes(method, path)),
        [],
      )
    })
  }

  for (const path of QUERIES) {
    it(`lets ${path} be asked by POST, for queries too long for a URL`, () => assert.ok(passes('POST', path)))
  }

  for (const path of [...PAGES, ...CHANGING]) {
    it(`lets ${path} be written to by no method`, () => {
      assert.deepEqual(
        WRITING.filter((method) => passes(method, path)),
        [],
      )
    })
  }

  for (const path of QUERIES) {
    it(`lets ${path} be changed by no method`, () => {
      assert.deepEqual(
        WRITING.filter((method) => method !== 'POST' && passes(method, path)),
        [],
      )
    })
  }

  for (const path of MIGHTY) {
    it(`keeps ${path} from every method`, () => {
      assert.deepEqual(
        [...READING, ...WRITING].filter((method) => passes(method, path)),
        [],
      )
    })
  }

  it('has nothing that RE2 does not know or reads otherwise: look-around, back references, possessive or lazy quantifiers', () => {
    for (const { methods, path } of allowed)
      assert.doesNotMatch(methods + path, /\(\?|\\[1-9bBdDsSwWkpPuxc]|[*+?}][+?]|\^|\$/)
  })
})

describe("Prometheus' allow-list, below a path", () => {
  const below = allowedRequests('prometheus', '/metrics.d/prom/') ?? []
  const at = (path: string) => `/metrics.d/prom${path}`

  it('lets the same pages be read there', () => {
    for (const path of ['', ...PAGES, ...QUERIES]) assert.ok(passes('GET', at(path), below), path)
    for (const path of QUERIES) assert.ok(passes('POST', at(path), below), path)
  })

  it('keeps everything else, also where it is without the path', () => {
    for (const path of [...MIGHTY, ...MIGHTY.map(at), ...PAGES, '/metricsxd/prom/graph', '/metrics.d/prometheus']) {
      assert.ok(!passes('GET', path, below), path)
    }
    for (const path of [...CHANGING, ...CHANGING.map(at)]) assert.ok(!passes('POST', path, below), path)
  })
})
