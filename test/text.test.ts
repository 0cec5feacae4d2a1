import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { parse } from 'yaml'
import { UserError } from '../src/errors.ts'
import { warns } from '../src/findings.ts'
import { renderError } from '../src/rendering/error.ts'
import { renderFindings } from '../src/rendering/findings.ts'
import { renderData, renderDataLine, tableLines } from '../src/rendering/output.ts'
import { isPlainPath, oneLine, visible, withoutCredentials } from '../src/text.ts'

/** Sets a title, clears the screen, goes back to the start of the line, adds a line, and turns the reading order around. */
const HOSTILE = 'a\u001b]0;x\u0007\u001b[2J\r\u007f\u009b2J\u2028\u202e\u2066\u200b\ufeff\nerror: b'
const SHOWN = String.raw`a\u{1b}]0;x\u{7}\u{1b}[2J\r\u{7f}\u{9b}2J\u{2028}\u{202e}\u{2066}\u{200b}\u{feff}\nerror: b`

describe('a text of the cluster', () => {
  it('is one line of characters that are seen', () => assert.equal(oneLine(HOSTILE), SHOWN))

  it('keeps line ends and tabs only where whole pages are written', () => {
    assert.equal(visible('a\n\tb\u001b'), 'a\n\tb\\u{1b}')
  })

  it('keeps letters of other languages and emoji', () => assert.equal(oneLine('Größe 网格 🦜'), 'Größe 网格 🦜'))

  it('is one line in an error, a finding, a remedy and a cell', () => {
    const error = renderError(new UserError('REJECTED', HOSTILE, { suggestions: [HOSTILE] }), undefined)
    assert.equal(error, `error: ${SHOWN} (REJECTED)\n  try: ${SHOWN}`)
    assert.equal(renderFindings([warns('REJECTED', HOSTILE, HOSTILE)]), `warning: ${SHOWN} (REJECTED)\n  try: ${SHOWN}`)
    assert.deepEqual(tableLines([[HOSTILE, 'c']]), [`${SHOWN}  c`])
  })

  it('does not flood the terminal', () => {
    const long = `begin${'x'.repeat(900_000)}end`
    for (const text of [
      renderError(new UserError('REJECTED', long), undefined),
      renderFindings([warns('REJECTED', long, long)]),
      tableLines([[long]]).join(),
    ]) {
      assert.ok(text.length < 20_000)
      assert.match(text, /begin[\s\S]*…[\s\S]*end/)
    }
  })

  for (const format of ['json', 'yaml'] as const) {
    it(`is the same in ${format}, without characters that a terminal obeys`, () => {
      const data = { [HOSTILE]: HOSTILE, list: [HOSTILE, 'plain', '\u009b'], text: 'a\nb\n' }
      const text = renderData(data, format)
      assert.equal(visible(text), text)
      assert.deepEqual(format === 'json' ? JSON.parse(text) : parse(text, { version: '1.1' }), data)
    })
  }

  it('is the same in a line of JSON', () => {
    const line = renderDataLine({ a: HOSTILE })
    assert.equal(oneLine(line), line)
    assert.deepEqual(JSON.parse(line), { a: HOSTILE })
  })
})

describe('withoutCredentials', () => {
  const cases = [
    ['https://me:secret@host/a', 'https://***@host/a'],
    ['cannot connect to http://me:se/cr@et@proxy:3128: refused', 'cannot connect to http://***@proxy:3128: refused'],
    ['Authorization: Basic bWU6c2VjcmV0', 'Authorization: Basic ***'],
    ['"authorization": "Bearer abc"', '"authorization": "Bearer ***"'],
    ['bearer 0123456789abcdef0123 is refused', 'bearer *** is refused'],
    ['token eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhIn0.c2ln', 'token ***'],
    ['no secret "a" in namespace b, https://host/a', 'no secret "a" in namespace b, https://host/a'],
  ] as const
  for (const [text, expected] of cases) it(`makes ${expected}`, () => assert.equal(withoutCredentials(text), expected))

  for (const part of [
    'x',
    'a.',
    'eyJ-',
    'eyJabcdefgh.',
    'a://',
    'a://@',
    'authorization ',
    'Bearer ',
    '-----BEGIN PRIVATE KEY-----',
  ])
    it(`does not look again and again at a megabyte of ${part}`, () => {
      const begun = process.cpuUsage()
      withoutCredentials(part.repeat(1_000_000 / part.length))
      const { user } = process.cpuUsage(begun)
      assert.ok(user < 3_000_000, `${user / 1000} ms`)
    })

  it('is applied to every error', () => {
    assert.equal(new UserError('REJECTED', 'GET https://me:x@h').message, 'GET https://***@h')
  })
})

describe('isPlainPath', () => {
  for (const path of ['', '/', '/kiali', '/kiali/', '/a/b.c/~d-e_f/', '/...'])
    it(`accepts ${JSON.stringify(path)}`, () => assert.ok(isPlainPath(path)))
  for (const path of [
    'a',
    '//a',
    '/..',
    '/../a',
    '/a/./b',
    '/a/..',
    '/a?b',
    '/a#b',
    '/%2e',
    '/a\\b',
    '/$(id)',
    '/’',
    '/a\n',
    "/'",
    '/a b',
  ])
    it(`refuses ${JSON.stringify(path)}`, () => assert.ok(!isPlainPath(path)))
})
