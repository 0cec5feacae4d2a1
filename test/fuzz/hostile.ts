/** Values that a tenant may write where the API server lets them: broken, huge, deeply nested, with control characters. Deterministic. */
import { gzipSync } from 'node:zlib'
import { isMap, isSeq, parseDocument } from 'yaml'
import { CERTIFICATES } from './certificates.ts'
import type { Shape } from './fields.ts'
import type { Step } from './recording.ts'

/** A value, and what is wrong with it. */
export interface Hostile {
  what: string
  /** Made when it is needed: there are many, and some are large. */
  make(): unknown
}

const MEGABYTE = 1_000_000
/** Deeper than `isFlat` permits, and not too deep for this fake cluster, which copies its objects. Texts may be nested as deeply as they are long. */
const DEEP = 150
const TEXT_DEEP = 200_000

/** Moves the cursor, sets the title, turns the text around, ends the line. */
export const CONTROLS = '\u001b[2J\u001b]0;x\u0007\u009b31m\u202e\u2028\u200f\u0085x\r\ny\u007f'

const named = (values: Record<string, unknown>): Hostile[] =>
  Object.entries(values).map(([what, value]) => ({ what, make: () => value }))

const BOMB = `a: &a [${'x,'.repeat(20)}]\n${'bcdefghij'.replace(/./g, (one) => `${one}: &${one} [${`*${String.fromCharCode(one.charCodeAt(0) - 1)},`.repeat(20)}]\n`)}`

export const STRINGS = named({
  empty: '',
  blank: ' \t\n',
  controls: CONTROLS,
  'a nul': 'a\u0000b',
  'half a character': '\ud800x\udfff',
  '1 MB': 'x'.repeat(MEGABYTE),
  '1 MB of spaces': `a${' '.repeat(MEGABYTE)}b`,
  '1 MB of slashes': `a${'/'.repeat(MEGABYTE)}b`,
  '1 MB of dots': `a${'.'.repeat(MEGABYTE)}b`,
  '1 MB of labels': `${'a.'.repeat(MEGABYTE / 2)}b!`,
  '1 MB of dashes': `1${'-1'.repeat(MEGABYTE / 2)}-!`,
  '1 MB of digits': '1'.repeat(MEGABYTE),
  '1 MB of lines': 'a\n'.repeat(MEGABYTE / 2),
  '1 MB of blank lines': `a\n${' \n'.repeat(MEGABYTE / 2)}b`,
  '1 MB of comments': '#a\n'.repeat(MEGABYTE / 3),
  '1 MB of colons': `a${':'.repeat(MEGABYTE)}b`,
  '1 MB of brackets': `[${'['.repeat(MEGABYTE)}b`,
  '1 MB of quotes': `a="${'"\''.repeat(MEGABYTE / 2)}b`,
  '1 MB of keys': Array.from({ length: 60_000 }, (_, index) => `key${index}: 1`).join('\n'),
  'broken JSON': '{"a":',
  'null in JSON': 'null',
  'a number in JSON': '5',
  'a list in JSON': '[null,1,{}]',
  'an object in JSON': '{}',
  'a prototype in JSON': '{"__proto__":{"a":1},"constructor":{"prototype":{"b":1}},"fields":{"__proto__":1}}',
  'deep JSON': '['.repeat(TEXT_DEEP) + ']'.repeat(TEXT_DEEP),
  'deep JSON objects': `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`,
  'deep YAML': Array.from({ length: 1_000 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n'),
  'deep YAML lists': `${'- '.repeat(20_000)}a`,
  'aliases of aliases': BOMB,
  'an alias of itself': 'a: &a\n  b: *a\n',
  'a list that has itself': '&a [*a]',
  'YAML with errors': 'a: [\nb: }: x\n\t- "',
  'two documents': 'a: 1\n---\nb: 2\n...\n--- !x\n',
  'a list as a key': '? [a, {b: c}]\n: {? {d: e} : f}\n',
  'merges of nothing': '<<: [1, null, *x]\n<<: 5\na: {<<: a}\n',
  'strange tags': '!!set {a}\n',
  'a prototype in YAML': '__proto__: {a: 1}\nconstructor: {prototype: {b: 1}}\n',
  prototype: '__proto__',
  constructor: 'constructor',
  toString: 'toString',
  'a date too late': '9999999-01-01T00:00:00Z',
  'the last date': '+275760-09-13T00:00:00Z',
  'no date': '2026-13-45T99:99:99Z',
  'an old date': '-271821-04-20T00:00:00Z',
  'no number': 'NaN',
  negative: '-1',
  infinite: '1e309',
  'too large': '99999999999999999999',
  'a large port': '65536',
  'no address': '999.1.1.1:::[::1]%',
  'an address with a zone': 'fe80::1%eth0',
  'a path': '/../../../../api/v1/secrets?x=#y',
  'encoded dots': '/%2e%2e/%00/%zz',
  'no URL': 'http://[:::/x',
  'a URL of a script': 'javascript:alert(1)//',
  command: '$(touch /tmp/fuzzed);`id`\';id;"',
  '__rest of base64': 'AAA=BB====',
  PEM: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
})

const PEMS = named({
  'no content': '',
  'no PEM': 'rubbish',
  'a nul': '\u0000\u0001\u0002',
  controls: CONTROLS,
  'a PEM of rubbish': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
  'an open PEM': '-----BEGIN CERTIFICATE-----\nAAAA',
  'a PEM of a key': '-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n',
  '1 MB of PEM headers': '-----BEGIN CERTIFICATE-----\n'.repeat(35_000),
  '1 MB of dashes': '-'.repeat(MEGABYTE),
  '20,000 empty PEMs': '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n'.repeat(18_000),
  '1 MB in a PEM': `-----BEGIN CERTIFICATE-----\n${'A'.repeat(MEGABYTE)}\n-----END CERTIFICATE-----\n`,
  'nested DER': `-----BEGIN CERTIFICATE-----\n${Buffer.concat(Array.from({ length: 20_000 }, () => Buffer.from([0x30, 0x80]))).toString('base64')}\n-----END CERTIFICATE-----\n`,
  'a length too long in DER': `-----BEGIN CERTIFICATE-----\n${Buffer.from('3084ffffffff30', 'hex').toString('base64')}\n-----END CERTIFICATE-----\n`,
  ...CERTIFICATES,
})

const deep = (wrap: (inner: unknown) => unknown): unknown => {
  let value: unknown = 'end'
  for (let depth = 0; depth < DEEP; depth++) value = wrap(value)
  return value
}

/** For places without a schema. */
export const ANYTHING = named({
  null: null,
  true: true,
  zero: 0,
  negative: -1,
  large: 1e308,
  'empty text': '',
  text: 'x',
  controls: CONTROLS,
  '1 MB': 'x'.repeat(MEGABYTE),
  'empty list': [],
  'list of null': [null],
  'list of lists': [[[]]],
  'list of numbers': [1, 2],
  'list of texts': ['a', ''],
  'empty map': {},
  'map of null': { a: null, 'f:a': null, name: null },
  'map of texts': { a: 'x', 'f:a': 'x', name: 'x', host: 'x' },
  'broken keys': {
    'k:{': {},
    'k:null': {},
    'k:5': {},
    'k:[]': {},
    'k:{"port":null}': {},
    'k:{"__proto__":1}': {},
    'f:': {},
    'v:': {},
  },
  'a prototype': JSON.parse('{"__proto__":{"a":1},"constructor":1,"f:__proto__":{},"hasOwnProperty":1,"toString":2}'),
  'deep lists': deep((inner) => [inner]),
  'deep maps': deep((inner) => ({ a: inner })),
  'deep fields': deep((inner) => ({ 'f:spec': inner })),
  '50,000 items': Array.from({ length: 50_000 }, () => null),
  '50,000 fields': Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`f:${index}`, {}])),
})

const NUMBERS = named({ zero: 0, negative: -1, 'a large port': 65_536, 'the largest': 2_147_483_647 })

/** All values for a field. @param present the value now: a text that has fields of its own is also broken inside */
export function hostileValues(shape: Shape, present: unknown): Hostile[] {
  const key = JSON.stringify([shape, typeof present === 'object' ? '' : present]) ?? shape
  const values = made.get(key) ?? makeValues(shape, present)
  made.set(key, values)
  return values
}

const made = new Map<string, Hostile[]>()

function makeValues(shape: Shape, present: unknown): Hostile[] {
  switch (shape) {
    case 'string':
      return [...STRINGS, ...(typeof present === 'string' ? inside(present) : [])]
    case 'base64':
      return PEMS.map(({ what, make }) => ({ what, make: () => Buffer.from(String(make())).toString('base64') }))
    case 'any':
      return ANYTHING
    case 'number':
      return NUMBERS
    case 'boolean':
      return named({ 'the other': !present })
    case 'list':
      return named({ 'empty list': [] })
    case 'map':
      return named({ 'empty map': {} })
    default:
      return []
  }
}

/** The deep ones are inserted as texts: JSON.stringify is recursive. */
const INNER = ANYTHING.filter(({ what }) => !/MB|50,000|deep/.test(what))
const DEEP_TEXTS: Record<string, string> = {
  'deep lists': '['.repeat(100_000) + ']'.repeat(100_000),
  'deep maps': `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`,
}
/** Packs 100 MB into 100 kB. */
const PACKED = gzipSync(Buffer.alloc(100 * MEGABYTE)).toString('base64')
const MARK = 'a text that is replaced'

/** A JSON or YAML text with a hostile value at each of its places, and without it. JSON is YAML, too. */
function inside(text: string): Hostile[] {
  const content = contentOf(text)
  if (typeof content !== 'object' || content === null) return []
  return placesIn(content).flatMap((path) => {
    const place = path.join('.')
    const print = (value: unknown) => JSON.stringify(replaced(content, path, value))
    return [
      ...INNER.map(({ what, make }) => ({ what: `${place} is ${what}`, make: () => print(make()) })),
      ...Object.entries(DEEP_TEXTS).map(([what, deep]) => ({
        what: `${place} is ${what}`,
        make: () => print(MARK).replace(JSON.stringify(MARK), deep),
      })),
      { what: `${place} is a bomb`, make: () => print({ gzip: PACKED }) },
      { what: `${place} is missing`, make: () => print(undefined) },
    ]
  })
}

function contentOf(text: string): unknown {
  try {
    const document = parseDocument(text)
    return isMap(document.contents) || isSeq(document.contents) ? document.toJS() : undefined
  } catch {
    return undefined
  }
}

const MOST_PLACES = 40

function placesIn(value: unknown, path: Step[] = []): Step[][] {
  if (typeof value !== 'object' || value === null) return path.length === 0 ? [] : [path]
  const inner = Array.isArray(value)
    ? value.slice(0, 2).flatMap((item, index) => placesIn(item, [...path, index]))
    : Object.entries(value).flatMap(([name, item]) => placesIn(item, [...path, name]))
  return [...(path.length === 0 ? [] : [path]), ...inner].slice(0, MOST_PLACES)
}

function replaced(content: unknown, [step, ...rest]: Step[], value: unknown): unknown {
  if (step === undefined) return value
  if (Array.isArray(content)) return content.map((item, index) => (index === step ? replaced(item, rest, value) : item))
  return Object.fromEntries(
    Object.entries(content as object).map(([name, item]) => [name, name === step ? replaced(item, rest, value) : item]),
  )
}
