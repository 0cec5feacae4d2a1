import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { StatusLine } from '../../src/terminal/status-line.ts'

const CLEAR = '\u001b[2K'

/** The visible text of a terminal after some output. */
class Screen {
  readonly columns = 20
  lines = ['']

  write(text: string): void {
    for (const part of text.replaceAll(CLEAR, '\f').split(/([\n\r\f])/)) {
      if (part === '\n') this.lines.push('')
      else if (part === '\f') this.lines[this.lines.length - 1] = ''
      else if (part !== '\r') this.lines[this.lines.length - 1] += part
    }
  }
}

describe('StatusLine', () => {
  it('is overwritten, and removed at the end', () => {
    const screen = new Screen()
    const line = new StatusLine(screen)
    line.show('1 connection')
    line.show('2')
    assert.deepEqual(screen.lines, ['2'])
    line.hide()
    assert.deepEqual(screen.lines, [''])
  })

  it('stays below other output', () => {
    const screen = new Screen()
    const line = new StatusLine(screen)
    line.show('status')
    line.above(() => screen.write('said\n'))
    assert.deepEqual(screen.lines, ['said', 'status'])
  })

  it('writes nothing without a status', () => {
    const screen = new Screen()
    const line = new StatusLine(screen)
    line.above(() => screen.write('said\n'))
    line.hide()
    assert.deepEqual(screen.lines, ['said', ''])
  })

  it('never wraps', () => {
    const screen = new Screen()
    new StatusLine(screen).show('x'.repeat(50))
    assert.deepEqual(screen.lines, ['x'.repeat(19)])
  })
})
