/** The lab's archives, as the system's tar reads them. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { buffer } from 'node:stream/consumers'
import { describe, it } from 'mocha'
import { type TarEntry, tar } from './tar.ts'

const file = (name: string): TarEntry => ({ type: 'file', name, mode: 0o644, content: Buffer.from(name) })
const listed = async (...entries: TarEntry[]) =>
  execFileSync('tar', ['--quoting-style=literal', '-tf', '-'], { input: await buffer(tar(entries)), encoding: 'utf8' })
    .trim()
    .split('\n')

describe('tar', () => {
  it('keeps names of up to 100 bytes, and longer ones that can be divided at a slash', async () => {
    const names = [
      'a',
      'n'.repeat(100),
      `${'p'.repeat(155)}/${'n'.repeat(100)}`,
      `classes/internal/${'n'.repeat(99)}`,
      `${'short/'.repeat(30)}${'ü'.repeat(20)}`,
    ]
    assert.deepEqual(await listed(...names.map(file)), names)
  })

  it('refuses a name that cannot be divided', async () => {
    for (const name of ['n'.repeat(101), `${'p'.repeat(156)}/n`, `p/${'n'.repeat(101)}`])
      await assert.rejects(listed(file(name)), /name is too long/)
  })
})
