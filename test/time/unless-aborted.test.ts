import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, it } from 'mocha'
import { unlessAborted } from '../../src/time/unless-aborted.ts'

describe('unlessAborted', () => {
  it('returns the result of the work, and leaves no listener behind', async () => {
    const { signal } = new AbortController()
    assert.equal(await unlessAborted(Promise.resolve('done'), signal), 'done')
    await assert.rejects(unlessAborted(Promise.reject(new Error('broken')), signal), /broken/)
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(getEventListeners(signal, 'abort').length, 0)
  })

  it('stops waiting when the signal is aborted, or was aborted before', async () => {
    const ending = new AbortController()
    const waiting = unlessAborted(new Promise(() => {}), ending.signal)
    ending.abort()
    assert.equal(await waiting, undefined)
    assert.equal(await unlessAborted(new Promise(() => {}), ending.signal), undefined)
  })
})
