import assert from 'node:assert/strict'
import { Args, Flags, Parser } from '@oclif/core'
import { type ParseError, usageErrorOf } from '../../src/flags/parse-errors.ts'

const SPEC = {
  args: { what: Args.option({ options: ['ca', 'pkcs12'] as const })({ required: true, description: 'long' }) },
  flags: {
    output: Flags.string({ options: ['json', 'yaml'] }),
    insecure: Flags.boolean(),
    secret: Flags.string({ exclusive: ['insecure'] }),
    cert: Flags.string({ dependsOn: ['key'] }),
    key: Flags.string({ multiple: true }),
  },
  strict: true,
}

/** What oclif itself throws. */
async function errorFor(...words: string[]): Promise<ParseError> {
  return Parser.parse(words, SPEC).then(
    () => assert.fail('nothing was wrong'),
    (error: ParseError) => error,
  )
}

describe('usageErrorOf', () => {
  for (const [words, message] of [
    [[], 'an argument is missing: one of ca, pkcs12'],
    [['crt'], 'crt is not one of ca, pkcs12'],
    [['ca', 'more', 'words'], 'unexpected argument: more, words'],
    [['ca', '--nonsense'], 'unknown flag: --nonsense'],
    [['ca', '--secret'], '--secret needs a value'],
    [['ca', '--output', 'xml'], '--output xml is not one of json, yaml'],
    [['ca', '--insecure', '--secret', 'a'], '--insecure and --secret exclude each other'],
    [['ca', '--cert', 'a'], '--cert needs --key'],
    [
      ['ca', '--cert', 'a', '--insecure', '--secret', 'a'],
      '--insecure and --secret exclude each other; --cert needs --key',
    ],
  ] as const) {
    it(`says in one sentence what is wrong with: ${words.join(' ') || 'nothing'}`, async () => {
      const error = usageErrorOf(await errorFor(...words), 'cert:export')
      assert.deepEqual([error?.message, error?.code, error?.exitCode], [message, 'USAGE', 2])
      assert.equal(error?.suggestions.at(-1), 'kubectl telemetry cert export --help')
    })
  }

  it('suggests the first value of a missing argument', async () => {
    const { suggestions } = usageErrorOf(await errorFor(), 'cert:export') ?? {}
    assert.equal(suggestions?.[0], 'kubectl telemetry cert export ca')
  })

  it('ignores other errors', () => {
    assert.equal(usageErrorOf(new Error('x'), 'status'), undefined)
  })
})
