import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { bugError, stackOf } from '../src/bug.ts'
import { runCommand } from './commands/run-command.ts'
import { FakeCluster } from './fakes/fake-cluster.ts'
import { FakeTerminal } from './fakes/fake-terminal.ts'
import { fakeWorld } from './fakes/fake-world.ts'

describe('a fault of our own', () => {
  it('is one error with a code, the first line of what was thrown, and where to report it', () => {
    const { code, message, exitCode, suggestions } = bugError(new TypeError('x is not iterable\nand more'))
    assert.deepEqual([code, exitCode], ['BUG', 1])
    assert.equal(message, 'kubectl telemetry failed by a fault of its own: TypeError: x is not iterable')
    assert.match(suggestions.join('\n'), /^-v [\s\S]*report it/)
    assert.match(bugError('a text').message, /: a text$/)
  })

  it('shows where it was thrown only with -v', () => {
    const error = new TypeError('x')
    assert.equal(stackOf(error, ['status']), '')
    assert.match(stackOf(error, ['status', '-v']), /^TypeError: x\n {4}at /)
    assert.notEqual(stackOf(error, ['status', '--verbose']), '')
    assert.equal(stackOf(error, ['status', '--', '-v']), '')
  })

  for (const [argv, stack] of [
    ['status', false],
    ['status -v', true],
  ] as const) {
    it(`ends ${argv} with exit code 1 and one error`, async () => {
      const { stdout, stderr, exitCode } = await runCommand(argv, broken())
      const [error, ...more] = stderr.slice(stderr.indexOf('error: ')).trimEnd().split('\n')
      assert.equal(error, 'error: kubectl telemetry failed by a fault of its own: TypeError: no such field (BUG)')
      assert.ok(more.every((line) => line.startsWith('  try: ')))
      assert.deepEqual([stdout, exitCode, /\n {4}at /.test(stderr)], ['', 1, stack])
    })
  }

  it('is data where data was asked for', async () => {
    const { stdout, exitCode } = await runCommand('status -o json', broken())
    assert.deepEqual([JSON.parse(stdout).error.code, exitCode], ['BUG', 1])
  })

  function broken() {
    const one = fakeWorld(new FakeCluster([]), new FakeTerminal())
    one.cluster.servedVersions = () => Promise.reject(new TypeError('no such field'))
    return one
  }
})
