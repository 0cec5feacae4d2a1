/** Help texts: what oclif needs to print them whole, and one form for all of them. */
import assert from 'node:assert/strict'
import type { Interfaces } from '@oclif/core'
import { describe, it } from 'mocha'
import { parseDays } from '../../src/flags/cert.ts'
import { configuration } from './run-command.ts'

type Flag = Interfaces.Flag<unknown> & { default?: unknown }

const { commands } = await configuration()
const classes = await Promise.all(commands.map((command) => command.load()))
const flags = classes.flatMap(({ id, flags, baseFlags }) =>
  Object.entries({ ...baseFlags, ...flags } as Record<string, Flag>).map(([name, flag]) => ({
    name: `${id} --${name}`,
    flag,
  })),
)

/** The default that the description ends with: `30s` of `… (default: 30s)`. */
const described = ({ description }: Flag) => /\(default: ([^)]*)\)$/.exec(description ?? '')?.[1]

/** The default in the form of its description: a number is milliseconds. */
function sameForm(text: string | undefined, value: unknown): unknown {
  if (text === undefined) return undefined
  if (Array.isArray(value)) return text.split(' and ')
  return typeof value === 'number' ? parseDays(text, '--any') : text
}

describe('help', () => {
  for (const { id, summary, description, usage, args } of classes) {
    it(`of ${id} has a summary in the imperative mood, and a description that oclif prints whole`, () => {
      assert.match(summary ?? '', /^[A-Z][a-z]+[a-rt-z] .{10,76}[^.]$/)
      // With hideCommandSummaryInDescription oclif prints only the last line.
      assert.match(description ?? '', /^["A-Z][^\n]*\.$/)
      for (const name of Object.keys(args ?? {}))
        assert.ok(/\[flags\]$/.test(String(usage)) && usage !== '<%= command.id %> [flags]', `usage lacks ${name}`)
    })
  }

  it('describes each flag in sentence case, or each value by its name', () => {
    const badly = flags.filter(({ flag }) => !/^([A-Z]|[a-z]+: )[^\n]*[^.]$/.test(flag.description ?? ''))
    assert.deepEqual(
      badly.map(({ name }) => name),
      [],
    )
  })

  it('ends the description of a flag with its real default', () => {
    const withDefault = flags.filter(({ flag }) => flag.type === 'option' && flag.default !== undefined)
    assert.ok(withDefault.length >= 20)
    for (const { name, flag } of withDefault)
      assert.deepEqual(sameForm(described(flag), flag.default), flag.default, name)
  })

  it('shows each default once', () => {
    const twice = commands.flatMap(({ id, flags }) =>
      Object.values(flags)
        .filter((flag) => flag.type === 'option' && flag.default !== undefined)
        .map(({ name }) => `${id} --${name}`),
    )
    assert.deepEqual(twice, [])
  })
})
