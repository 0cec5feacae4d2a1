import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { renderProgress, renderProofs, renderTroubles } from '../../src/rendering/targets.ts'

const pod = (name: string) => ({ namespace: 'shop', name, ip: '10.0.0.1', port: 15092 })
const waiting = (name: string) => ({
  pod: pod(name),
  up: false,
  jobs: [],
  plaintextJobs: [],
  reason: 'no certificate yet',
})
const report = (names: string[]) => ({
  pods: [{ pod: pod('up'), up: true, jobs: ['ours'], plaintextJobs: ['kubernetes-pods'] }, ...names.map(waiting)],
  up: 1,
  total: names.length + 1,
  jobs: [],
})

describe('targets', () => {
  it('are counted in one line, and the first that are waited for named', () => {
    assert.equal(renderProgress(report([]), 1499), '1/1 targets UP over mutual TLS, 1 s')
    assert.equal(
      renderProgress(report(['a', 'b', 'c', 'd', 'e']), 12_000),
      '1/6 targets UP over mutual TLS, 12 s; waiting for shop/a, shop/b, shop/c and 2 more',
    )
  })

  it('that are not UP have a reason, and double scrapes are told', () => {
    assert.deepEqual(renderTroubles(report(['a'])), [
      'shop/up is scraped twice, in clear by kubernetes-pods',
      'shop/a is not UP: no certificate yet',
    ])
  })

  it('that answer to strangers are told of', () => {
    const proof = {
      pod: pod('a'),
      clear: 'answered',
      anonymous: 'refused',
      stranger: 'unchecked',
      plaintextOpen: [],
    } as const
    assert.deepEqual(renderProofs([{ ...proof, plaintextOpen: [], why: ['in clear: HTTP 200'] }]), [
      'shop/a: in clear: HTTP 200',
    ])
  })
})
