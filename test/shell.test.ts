import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, it } from 'mocha'
import { sh, shellCommand } from '../src/shell.ts'

describe('shellCommand', () => {
  it('leaves plain words unchanged', () => assert.equal(shellCommand(['a-b', '/c/d=e:f,g']), 'a-b /c/d=e:f,g'))

  it('quotes words so that a shell takes them literally', () => {
    const words = ["it's", '$(id)', '`id`', 'a b', '', ';', '"', '\\', '*', '~', '#']
    const printed = execFileSync('sh', ['-c', `printf '%s\\0' ${shellCommand(words)}`], { encoding: 'utf8' })
    assert.deepEqual(printed.split('\0').slice(0, -1), words)
  })

  const unseen = ['a\nb', '\x1b]0;x\x07', '\u009b2J', '\u202egpj', "it's\n$(id)`id`'; id #", '\u200bcafe', '\\\n']

  it('shows characters that are not seen, on one line, and bash reads the same words', () => {
    const line = shellCommand(unseen)
    assert.match(line, /^[\x20-\x7e]+$/)
    const printed = execFileSync('bash', ['-c', `printf '%s\\0' ${line}`], { encoding: 'utf8' })
    assert.deepEqual(printed.split('\0').slice(0, -1), unseen)
  })

  it("executes nothing in a shell that does not know $'…'", () => {
    const printed = execFileSync('dash', ['-c', `printf '%s\\0' ${shellCommand(unseen)}`], { encoding: 'utf8' })
    assert.equal(printed.split('\0').length - 1, unseen.length)
    assert.doesNotMatch(printed, /uid=/)
  })
})

describe('sh', () => {
  it('quotes the values of a command, and only them', () => {
    assert.equal(
      sh`kubectl -n ${'a b'} get secret/${'$(id)'} # comment`,
      "kubectl -n 'a b' get secret/'$(id)' # comment",
    )
  })

  it('takes a list for several words', () => assert.equal(sh`expose ${['a', 'b;c']}`, "expose a 'b;c'"))
})
