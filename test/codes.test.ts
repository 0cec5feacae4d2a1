/** The catalogue of codes: each is used, raised in one file, and on the page. */
import assert from 'node:assert/strict'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, it } from 'mocha'
import { CODES, type Code } from '../src/codes.ts'
import { UserError } from '../src/errors.ts'
import { codesPage, isForm, partsOf } from './codes-page.ts'

const SRC = new URL('../src/', import.meta.url)
const PAGE = new URL('../docs/codes.md', import.meta.url)
const FILES = globSync('**/*.ts', { cwd: SRC }).filter((file) => file !== 'codes.ts')
const CATALOGUE = Object.keys(CODES)

/** Raised in more than one file, and right so: none. */
const RAISED_TWICE: Code[] = []

/** What raises a code, and the forms that the catalogue has for it. */
const RAISERS: Record<string, string[]> = {
  // A finding may begin as an error: asFinding().
  'new UserError': ['error', 'interrupt', 'usage', 'fails', 'warns'],
  usageError: ['usage'],
  fails: ['fails'],
  warns: ['warns'],
  notes: ['notes'],
  skipped: ['skips'],
  'code:': ['skips', 'usage', 'fails', 'warns'],
}

interface Raised {
  code: string
  file: string
  by: string
}

/** The codes in the first argument of each call that raises one, or after `code:`. */
function raisedIn(file: string, text: string): Raised[] {
  const calls = [...text.matchAll(/\b(new UserError|usageError|fails|warns|notes|skipped)\(([^,)]*)/g)]
  const fields = [...text.matchAll(/\b(code:)\s*([^,}\n]*)/g)]
  return [...calls, ...fields].flatMap(([, by = '', argument = '']) =>
    [...argument.matchAll(/'([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)'/g)].map(([, code = '']) => ({ code, file, by })),
  )
}

function raised(): Raised[] {
  // Plain JavaScript for a Node that is too old for the rest.
  const start = readFileSync(new URL('../bin/run.cjs', SRC), 'utf8')
  const early = [...start.matchAll(/\(([A-Z]+(?:_[A-Z]+)+)\)\\n/g)].map(([, code = '']) => code)
  return [
    ...FILES.flatMap((file) => raisedIn(file, readFileSync(new URL(file, SRC), 'utf8'))),
    ...early.map((code) => ({ code, file: '../bin/run.cjs', by: 'new UserError' })),
  ]
}

/** Codes and the files that raise them, where there are several. */
function scattered(all: Raised[]): string[] {
  return [...Map.groupBy(all, ({ code }) => code)]
    .map(([code, places]) => [code, [...new Set(places.map(({ file }) => file))].sort()] as const)
    .filter(([, files]) => files.length > 1)
    .map(([code, files]) => `${code}: ${files.join(', ')}`)
}

describe('the catalogue of codes', () => {
  it('has every code that is raised, and each of its codes is raised', () => {
    const used = new Set(raised().map(({ code }) => code))
    assert.deepEqual([...used].filter((code) => !CATALOGUE.includes(code)).sort(), [])
    assert.deepEqual(CATALOGUE.filter((code) => !used.has(code)).sort(), [])
  })

  it('has one meaning for each: it is raised in one file', () => {
    assert.deepEqual(
      scattered(raised()).filter((line) => !RAISED_TWICE.some((code) => line.startsWith(`${code}: `))),
      [],
    )
  })

  it('sees a code that a second file raises', () => {
    const text = "throw new UserError(\n  'PORT_TAKEN',\n  why,\n)\nreturn fails(late ? 'A_B' : 'PORT_TAKEN', why)"
    const found = [...raisedIn('one.ts', text), ...raisedIn('two.ts', "const skip = { code: 'PORT_TAKEN', reason }")]
    assert.deepEqual(scattered(found), ['PORT_TAKEN: one.ts, two.ts'])
  })

  it('says of each how it is raised', () => {
    const wrong = raised().filter(({ code, by }) => {
      const { forms } = partsOf(CODES[code as Code])
      return !forms.some((form) => RAISERS[by]?.includes(form))
    })
    assert.deepEqual(wrong, [])
    assert.deepEqual(
      Object.values(CODES).filter((text) => !partsOf(text).forms.every(isForm)),
      [],
    )
  })

  it('is not got around by a cast', () => {
    assert.deepEqual(
      FILES.filter((file) => /\bas Code\b/.test(readFileSync(new URL(file, SRC), 'utf8'))),
      [],
    )
  })

  it('refuses to compile a code that is not in it', () => {
    // @ts-expect-error
    assert.equal(new UserError('NO_SUCH_CODE', 'this does not compile').code, 'NO_SUCH_CODE')
  })

  it('is docs/codes.md', () => {
    const page = codesPage(CODES)
    if (process.env.UPDATE_GOLDEN) writeFileSync(PAGE, page)
    assert.equal(readFileSync(PAGE, 'utf8'), page, 'docs/codes.md is stale; UPDATE_GOLDEN=1 npm test rewrites it')
  })
})
