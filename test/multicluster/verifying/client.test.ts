/** What clients in containers say: texts of curl 8, BusyBox 1.37 and GNU wget 1.25. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { type CallEnd, clientsFor, isUsable } from '../../../src/multicluster/verifying/client.ts'

const HTTP = { host: 'httpbin.bar.global', port: 8000, path: '/', http: true }
const TCP = { ...HTTP, http: false }

function ran(exitCode: number, stdout: string, stderr: string) {
  return { exitCode, stdout, stderr, cut: { stdout: false, stderr: false } }
}

function read(target: typeof HTTP, program: string, end: ReturnType<typeof ran>): CallEnd {
  const client = clientsFor(target).find(({ argv }) => argv[0] === program)
  return (client ?? assert.fail(program)).read(end)
}

describe('what a client says over HTTP', () => {
  const cases: [program: string, end: ReturnType<typeof ran>, expected: CallEnd['end'], status?: number][] = [
    ['curl', ran(0, 'HTTP/1.1 200 OK\r\nserver: envoy\r\n\r\n{}', ''), 'answered', 200],
    ['curl', ran(0, 'HTTP/2 404 \r\n\r\n', ''), 'answered', 404],
    [
      'curl',
      ran(0, 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 Forbidden\r\n\r\nRBAC: access denied', ''),
      'answered',
      403,
    ],
    ['curl', ran(6, '', 'curl: (6) Could not resolve host: httpbin.bar.global'), 'unresolved'],
    ['curl', ran(7, '', 'curl: (7) Failed to connect to httpbin.bar.global port 8000: Connection refused'), 'broken'],
    ['curl', ran(28, '', 'curl: (28) Operation timed out after 8002 milliseconds with 0 bytes received'), 'silent'],
    ['curl', ran(52, '', 'curl: (52) Empty reply from server'), 'broken'],
    ['curl', ran(56, '', 'curl: (56) Recv failure: Connection reset by peer'), 'broken'],
    [
      'wget',
      ran(0, '{}', 'Connecting to httpbin.bar.global:8000 (240.0.0.2:8000)\n  HTTP/1.1 200 OK\n  server: envoy\n'),
      'answered',
      200,
    ],
    [
      'wget',
      ran(1, '', '  HTTP/1.1 503 Service Unavailable\nwget: server returned error: HTTP/1.1 503 Service Unavailable'),
      'answered',
      503,
    ],
    ['wget', ran(1, '', 'wget: server returned error: HTTP/1.1 403 Forbidden'), 'answered', 403],
    [
      'wget',
      ran(
        8,
        '',
        'HTTP request sent, awaiting response... \n  HTTP/1.1 301 Moved\n  Location: http://elsewhere/\n  HTTP/1.1 200 OK',
      ),
      'answered',
      301,
    ],
    ['wget', ran(1, '', "wget: bad address 'httpbin.bar.global:8000'"), 'unresolved'],
    ['wget', ran(4, '', 'wget: unable to resolve host address ‘httpbin.bar.global’'), 'unresolved'],
    ['wget', ran(1, '', 'wget: download timed out'), 'silent'],
    ['wget', ran(4, '', 'Read error (Connection timed out) in headers.\nGiving up.'), 'silent'],
    ['wget', ran(1, '', "wget: can't connect to remote host (240.0.0.2): Connection refused"), 'broken'],
    ['wget', ran(1, '', 'wget: error getting response: Connection reset by peer'), 'broken'],
  ]
  for (const [program, end, expected, status] of cases)
    it(`${program} ${end.exitCode}: ${(end.stderr || end.stdout).split('\n')[0]?.trim()}`, () => {
      const call = read(HTTP, program, end)
      assert.equal(call.end, expected)
      assert.equal(call.end === 'answered' ? call.status : undefined, status)
    })

  it('keeps the body of an answer, in which a sidecar gives its reasons', () => {
    assert.equal(
      read(HTTP, 'curl', ran(0, 'HTTP/1.1 503 S\r\na: b\r\n\r\nno healthy upstream\n', '')).said,
      'no healthy upstream',
    )
    assert.equal(read(HTTP, 'wget', ran(8, 'no healthy upstream', '  HTTP/1.1 503 S\n')).said, 'no healthy upstream')
  })

  it('is an answer only at the beginning of a line: a body can quote one', () => {
    const body = ran(0, 'HTTP/1.1 404 Not Found\r\n\r\nHTTP/1.1 200 OK', '')
    const call = read(HTTP, 'curl', body)
    assert.equal(call.end === 'answered' && call.status, 404)
    assert.equal(read(HTTP, 'wget', ran(1, 'HTTP/1.1 200 OK', 'wget: bad address')).end, 'unresolved')
  })
})

describe('what a client says of a port without HTTP', () => {
  const cases: [program: string, end: ReturnType<typeof ran>, expected: CallEnd['end']][] = [
    ['curl', ran(28, '', 'curl: (28) Operation timed out'), 'opened'],
    ['curl', ran(8, '', 'curl: (8) Got a 080 ftp-server response when 220 was expected'), 'opened'],
    ['curl', ran(6, '', 'curl: (6) Could not resolve host: httpbin.bar.global'), 'unresolved'],
    ['curl', ran(56, '', 'curl: (56) response reading failed (errno: 104)'), 'broken'],
    ['wget', ran(1, '', 'wget: download timed out'), 'opened'],
    ['wget', ran(1, '', "wget: bad address 'httpbin.bar.global:8000'"), 'unresolved'],
    ['nc', ran(0, '', ''), 'opened'],
    ['nc', ran(1, '', "nc: bad address 'httpbin.bar.global'"), 'unresolved'],
    ['nc', ran(1, '', 'nc: timed out'), 'opened'],
  ]
  for (const [program, end, expected] of cases)
    it(`${program} ${end.exitCode}: ${end.stderr}`, () => assert.equal(read(TCP, program, end).end, expected))

  it('comes from clients that wait for the server to speak first', () => {
    assert.deepEqual(
      clientsFor(TCP).map(({ argv }) => argv.at(-1)),
      ['ftp://httpbin.bar.global:8000/', 'ftp://httpbin.bar.global:8000/', '8000'],
    )
  })
})

describe('a host that somebody has planted', () => {
  it('is never an option of a client', () => {
    for (const host of ['-e', '--help', '-o/etc/passwd'])
      for (const http of [true, false])
        for (const { argv } of clientsFor({ ...HTTP, host, http })) assert.ok(!argv.includes(host), argv.join(' '))
  })
})

describe('a client that is of no use', () => {
  const cases: [end: ReturnType<typeof ran>, usable: boolean][] = [
    [ran(0, '', ''), true],
    [ran(6, '', 'curl: (6) Could not resolve host'), true],
    [ran(1, '', 'wget: bad address'), true],
    [ran(1, '', 'curl: (1) Protocol "ftp" not supported'), false],
    [ran(2, '', 'curl: option --nothing: is unknown'), true],
    [ran(1, '', 'wget: unrecognized option: S\nBusyBox v1.30.1'), false],
    [ran(1, '', 'wget: invalid option -- t'), false],
    [ran(127, '', 'sh: wget: not found'), false],
    [ran(139, '', ''), false],
  ]
  for (const [end, usable] of cases)
    it(`${end.exitCode} ${end.stderr}: ${usable ? 'is used' : 'the next one is tried'}`, () =>
      assert.equal(isUsable(end), usable))
})
