import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { FileQueue } from './file-queue.ts'

/** Lets everything that can go on go on. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('the queue of test files', () => {
  it('hands out the longest first, and before them those whose length is unknown', async () => {
    const queue = new FileQueue(['short', 'new', 'long'], { short: 3, long: 90 }, [])
    assert.deepEqual([await queue.take(), await queue.take(), await queue.take()], ['new', 'long', 'short'])
  })

  it('hands out each file once, and nothing at the end', async () => {
    const queue = new FileQueue(['a', 'b'], {}, [])
    const taken = await Promise.all([queue.take(), queue.take(), queue.take()])
    assert.deepEqual(taken, ['a', 'b', undefined])
  })

  it('holds a file back while one runs that excludes it, and hands out another', async () => {
    const exclusions = [{ reason: 'one port', files: /^port/ }]
    const queue = new FileQueue(['port-1', 'port-2', 'other'], { 'port-1': 3, 'port-2': 2, other: 1 }, exclusions)
    assert.deepEqual([await queue.take(), await queue.take()], ['port-1', 'other'])
    let third: string | undefined
    void queue.take().then((file) => {
      third = file
    })
    queue.ended('other')
    await settled()
    assert.equal(third, undefined)
    queue.ended('port-1')
    await settled()
    assert.equal(third, 'port-2')
  })

  it('says which files nobody took', async () => {
    const queue = new FileQueue(['a', 'b'], {}, [])
    await queue.take()
    assert.deepEqual(queue.left, ['b'])
  })
})
