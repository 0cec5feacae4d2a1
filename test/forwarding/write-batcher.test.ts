import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, it } from 'mocha'
import { WriteBatcher } from '../../src/forwarding/write-batcher.ts'

const KIB = 1024

/** A socket that records the bytes of each write(2). */
class Kernel extends Writable {
  readonly pieces: Buffer[] = []
  /** Ends the pending write; until then the socket is full. */
  go: (() => void) | undefined
  full = false

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#take([chunk], done)
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.#take(
      chunks.map(({ chunk }) => chunk),
      done,
    )
  }

  get lengths(): number[] {
    return this.pieces.map(({ length }) => length)
  }

  #take(chunks: Buffer[], done: () => void): void {
    this.pieces.push(Buffer.concat(chunks))
    if (this.full) this.go = done
    else done()
  }
}

function gathering(): { kernel: Kernel; write: (length: number, fill: number) => boolean; flush: () => void } {
  const kernel = new Kernel({ highWaterMark: 64 * KIB })
  const one = new WriteBatcher(kernel)
  return { kernel, write: (length, fill) => one.write(Buffer.alloc(length, fill)), flush: () => one.flush() }
}

describe('WriteBatcher', () => {
  it('writes a short piece at once', () => {
    const { kernel, write } = gathering()
    write(100, 1)
    write(200, 2)
    assert.deepEqual(kernel.lengths, [100, 200])
  })

  it('joins the pieces of one turn into one write, in order', async () => {
    const { kernel, write } = gathering()
    write(16 * KIB, 1)
    write(8, 2)
    write(16 * KIB, 3)
    assert.deepEqual(kernel.lengths, [])
    await turn()
    assert.deepEqual(kernel.lengths, [32 * KIB + 8])
    assert.deepEqual([...new Set(kernel.pieces[0])], [1, 2, 3])
    write(100, 4)
    assert.equal(kernel.lengths.at(-1), 100)
  })

  it('writes before the turn ends when the batch is full', () => {
    const { kernel, write } = gathering()
    for (let count = 0; count < 9; count++) write(16 * KIB, count)
    assert.deepEqual(kernel.lengths, [64 * KIB, 64 * KIB])
  })

  it('writes the held bytes on flush and when the socket ends', async () => {
    const { kernel, write, flush } = gathering()
    write(16 * KIB, 1)
    flush()
    assert.deepEqual(kernel.lengths, [16 * KIB])
    write(16 * KIB, 2)
    kernel.end()
    assert.deepEqual(kernel.lengths, [16 * KIB, 16 * KIB])
    await turn()
  })

  it('reports a full buffer, and when it has room again', async () => {
    const { kernel, write } = gathering()
    kernel.full = true
    const answers = Array.from({ length: 9 }, (_, count) => write(16 * KIB, count))
    assert.deepEqual(answers, [...Array(7).fill(true), false, false])
    const drained = new Promise((resolve) => kernel.once('drain', resolve))
    kernel.full = false
    await turn()
    kernel.go?.()
    await drained
    assert.equal(kernel.writableLength, 0)
  })
})
