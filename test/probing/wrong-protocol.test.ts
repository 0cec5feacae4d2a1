import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { type WrongProtocol, wrongProtocolIn } from '../../src/probing/wrong-protocol.ts'

const RESET = 'upstream connect error or disconnect/reset before headers. '
const TLS_ERROR = `${RESET}retried and the latest reset reason: remote connection failure, transport failure reason: TLS_error:|268435703:SSL routines:OPENSSL_internal:`

describe('an answer says that one side speaks TLS and the other does not', () => {
  const cases: [string, number, string, WrongProtocol | undefined][] = [
    ['Go', 400, 'Client sent an HTTP request to an HTTPS server.\n', 'tls wanted'],
    ['nginx', 400, '<center>The plain HTTP request was sent to HTTPS port</center>', 'tls wanted'],
    ['Apache', 400, "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />", 'tls wanted'],
    ['Tomcat', 400, 'Bad Request\r\nThis combination of host and port requires TLS.\r\n', 'tls wanted'],
    ['another 400', 400, 'bad request', undefined],
    ['the words with another status', 500, 'Client sent an HTTP request to an HTTPS server.', undefined],
    ['an alert of TLS', 502, `${RESET}reset reason: protocol error`, 'no http'],
    ['an end of the connection', 503, `${RESET}reset reason: connection termination`, 'no http'],
    ['plaintext to TLS', 503, `${TLS_ERROR}WRONG_VERSION_NUMBER:TLS_error_end`, 'no tls'],
    ['a certificate', 503, `${TLS_ERROR}CERTIFICATE_VERIFY_FAILED:TLS_error_end`, 'not trusted'],
    ['nothing that listens', 503, `${RESET}reset reason: remote connection failure`, undefined],
    ['a page of the add-on', 503, 'CERTIFICATE_VERIFY_FAILED', undefined],
    ['no pods', 503, 'no healthy upstream', undefined],
  ]
  for (const [what, status, body, expected] of cases)
    it(`${what}: ${expected ?? 'does not'}`, () => assert.equal(wrongProtocolIn(status, body), expected))
})
