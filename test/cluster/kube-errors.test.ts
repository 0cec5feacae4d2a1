import assert from 'node:assert/strict'
import { before, describe, it } from 'mocha'
import { networkError, type Peer, type Status, statusError } from '../../src/cluster/kube-errors.ts'
import { DAY } from '../certificates/issuing.ts'
import { clientCertificate, clusterAuthority } from './pki.ts'

const PEER: Peer = { server: 'https://server.test', context: 'lab' }

describe('statusError', () => {
  const cases: [string, Status, string, string][] = [
    [
      'a refusal, with the verb and the resource',
      { code: 403, message: 'pods is forbidden: User "jane" cannot list resource "pods"' },
      'FORBIDDEN',
      'not allowed to list pods: pods is forbidden: User "jane" cannot list resource "pods"',
    ],
    [
      'what is not there',
      { code: 404, message: 'pods "x" not found' },
      'NOT_FOUND',
      'cannot list pods: pods "x" not found',
    ],
    [
      'an object that does not fit (422)',
      { code: 422, message: 'spec.ports: Required value' },
      'REJECTED',
      'the API server rejects it (list pods): spec.ports: Required value',
    ],
    [
      'a webhook that says no (400)',
      { code: 400, message: 'admission webhook denied it' },
      'REJECTED',
      'the API server rejects it (list pods): admission webhook denied it',
    ],
    [
      'a failure of the server',
      { code: 500, message: 'etcd is gone' },
      'SERVER_FAILED',
      'the API server failed to list pods: etcd is gone',
    ],
    ['an unknown status', { code: 418 }, 'SERVER_FAILED', 'the API server failed to list pods: HTTP 418'],
    ['a refusal without a message', { code: 403 }, 'FORBIDDEN', 'not allowed to list pods: HTTP 403'],
    [
      'a conflict of versions',
      { code: 409, message: 'the object has been modified' },
      'CONFLICT',
      'cannot list pods: the object has been modified',
    ],
    ['a conflict without a message', { code: 409 }, 'CONFLICT', 'cannot list pods: it was changed in the meantime'],
    [
      'a conflict about something else than fields',
      { code: 409, message: 'uid differs', details: { causes: [{ reason: 'Other', field: 'x' }] } },
      'CONFLICT',
      'cannot list pods: uid differs',
    ],
  ]
  for (const [name, status, code, message] of cases) {
    it(`reports ${name}`, () => {
      const { code: got, message: said, exitCode } = statusError(status, 'list pods', PEER)
      assert.deepEqual([got, said, exitCode], [code, message, 1])
    })
  }

  it('lists every field of other managers, with its manager', () => {
    const causes = [
      { reason: 'FieldManagerConflict', message: 'conflict with "helm" using v1', field: '.spec.selector' },
      { reason: 'Other', message: 'not a conflict', field: '.spec.other' },
      { reason: 'FieldManagerConflict', message: 'conflict with "argo"', field: '.spec.servers' },
    ]
    const error = statusError({ code: 409, message: 'conflicts', details: { causes } }, 'apply gateway/x', PEER)
    assert.equal(error.code, 'FIELD_CONFLICT')
    assert.equal(
      error.message,
      'cannot apply gateway/x: other field managers own .spec.selector (conflict with "helm" using v1); .spec.servers (conflict with "argo"); nothing was overwritten',
    )
  })
})

describe('statusError for 401', () => {
  const plain = 'the API server at https://server.test does not accept the credentials of context "lab"'
  let expired: string
  let valid: string
  before(async () => {
    const authority = await clusterAuthority()
    expired = (await clientCertificate(authority, new Date('2026-10-31T23:00:00Z'))).certificate
    valid = (await clientCertificate(authority, new Date(Date.now() + DAY))).certificate
  })
  const message = (clientCertificate?: string) => {
    const error = statusError({ code: 401, message: 'Unauthorized' }, 'list pods', { ...PEER, clientCertificate })
    assert.equal(error.code, 'UNAUTHENTICATED')
    return error.message
  }

  it('reports an expired client certificate', () => {
    assert.equal(message(expired), `${plain}: its client certificate expired on 2026-10-31`)
  })

  it('does not mention a valid certificate', () => assert.equal(message(valid), plain))

  it('does not mention a missing or unreadable certificate', () => {
    assert.equal(message(), plain)
    assert.equal(message('garbage'), plain)
  })
})

describe('networkError', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED ::1:6443'), { code: 'ECONNREFUSED' })
  const timeout = (code: string) => Object.assign(new Error('Headers Timeout Error'), { code })
  const cases: [string, Error, string][] = [
    ['its own message', refused, 'connect ECONNREFUSED ::1:6443'],
    [
      'the cause within',
      new Error('fetch failed', { cause: new Error('other', { cause: refused }) }),
      'connect ECONNREFUSED ::1:6443',
    ],
    [
      'the first of several tries',
      new AggregateError([refused, new Error('second')], ''),
      'connect ECONNREFUSED ::1:6443',
    ],
    ['a timeout before the answer', timeout('UND_ERR_HEADERS_TIMEOUT'), 'no answer in time'],
    ['a timeout in the middle of the answer', timeout('UND_ERR_BODY_TIMEOUT'), 'no answer in time'],
    ['the message of another timeout', timeout('UND_ERR_CONNECT_TIMEOUT'), 'Headers Timeout Error'],
  ]
  for (const [name, cause, why] of cases) {
    it(`reports ${name}, the server and the context`, () => {
      const error = networkError(cause, PEER)
      assert.equal(error.code, 'CLUSTER_UNREACHABLE')
      assert.equal(error.message, `the API server at https://server.test (context "lab") cannot be reached: ${why}`)
      assert.equal(error.cause, cause)
      assert.ok(error.suggestions.includes('--context NAME'))
    })
  }
})
