import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect, createServer, type Server } from 'node:tls'
import { promisify } from 'node:util'
import { after, before, describe, it } from 'mocha'
import { type Authority, issueLeaf } from '../../../src/certificates/authority.ts'
import { buildOnDemand } from '../../lab/build.ts'
import { goClient } from '../../lab/components.ts'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { Workplace } from '../mesh.ts'

const DOMAIN = `${loadBalancerAddress}.nip.io`
const HOST = `grafana.${DOMAIN}`
const FOREIGN = 'grafana.bank.example'

/** The error of a Node client; undefined when it trusts the server. */
function nodeVerdict(ca: string, host: string, address: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, servername: host, ca }, () => {
      socket.destroy()
      resolve(undefined)
    })
    socket.once('error', (error) => resolve(error.message))
  })
}

describe('the served certificate, on the real mesh', () => {
  const workplace = new Workplace()
  const ca = join(workplace.environment.XDG_DATA_HOME ?? '', 'kubectl-telemetry', 'authorities', DOMAIN, 'ca.crt')
  let client: string
  const chain = join(workplace.directory, 'served.pem')
  let foreign: Server
  let foreignPort: number

  before(async () => {
    await loadBalancer('on')
    const { exitCode, stderr } = workplace.telemetry('expose', 'grafana', '--allow-anonymous', '-y')
    assert.equal(exitCode, 0, stderr)
    client = join(await buildOnDemand(goClient), 'go-client')
    const served = workplace.run('openssl', [
      's_client',
      '-connect',
      `${loadBalancerAddress}:443`,
      '-servername',
      HOST,
      '-showcerts',
    ])
    writeFileSync(chain, served.stdout)
    foreign = await serveForeign()
    foreignPort = (foreign.address() as { port: number }).port
  })

  after(() => {
    foreign?.close()
    workplace.end()
  })

  /** A server with a certificate that our CA signed for another domain than its own. */
  async function serveForeign(): Promise<Server> {
    const authority: Authority = {
      domain: DOMAIN,
      certificate: readFileSync(ca, 'utf8'),
      key: readFileSync(ca.replace('.crt', '.key'), 'utf8'),
    }
    const generateKey = async () =>
      generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    const leaf = await issueLeaf(authority, [FOREIGN], { now: new Date(), random: randomBytes, generateKey })
    writeFileSync(join(workplace.directory, 'foreign.pem'), leaf.certificate)
    const server = createServer({ cert: leaf.certificate, key: leaf.key }).on('tlsClientError', () => {})
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
  }

  it('is accepted by openssl verify -x509_strict', () => {
    const { stdout, stderr } = workplace.run('openssl', [
      'verify',
      '-x509_strict',
      '-CAfile',
      ca,
      '-verify_hostname',
      HOST,
      chain,
    ])
    assert.equal(stdout, `${chain}: OK\n`, stderr)
  })

  it('is accepted by openssl s_client -verify_hostname', () => {
    const words = [
      's_client',
      '-connect',
      `${loadBalancerAddress}:443`,
      '-servername',
      HOST,
      '-CAfile',
      ca,
      '-verify_hostname',
      HOST,
      '-verify_return_error',
      '-brief',
    ]
    const { stderr, exitCode } = workplace.run('openssl', words)
    assert.equal(exitCode, 0, stderr)
    assert.match(stderr, new RegExp(`Verification: OK[\\s\\S]*Verified peername: ${HOST}`))
  })

  it('is accepted by Node', async () => {
    assert.equal(await nodeVerdict(readFileSync(ca, 'utf8'), HOST, loadBalancerAddress, 443), undefined)
  })

  it('is accepted by Go, which gets 200 over HTTP/2', () => {
    const { stdout, stderr } = workplace.run(client, [ca, HOST, '443', loadBalancerAddress])
    assert.equal(stdout, '200 HTTP/2.0\n', stderr)
  })

  describe('for another domain, signed by the same CA,', () => {
    it('is refused by openssl', () => {
      const { stderr, exitCode } = workplace.run('openssl', [
        'verify',
        '-x509_strict',
        '-CAfile',
        ca,
        join(workplace.directory, 'foreign.pem'),
      ])
      assert.notEqual(exitCode, 0)
      assert.match(stderr, /permitted subtree violation/)
    })

    it('is refused by Node', async () => {
      assert.equal(
        await nodeVerdict(readFileSync(ca, 'utf8'), FOREIGN, '127.0.0.1', foreignPort),
        'permitted subtree violation',
      )
    })

    it('is refused by Go', async () => {
      // Not workplace.run: it would block this process, and with it the server.
      const words = [ca, FOREIGN, String(foreignPort), '127.0.0.1']
      await assert.rejects(promisify(execFile)(client, words), /not permitted by any constraint/)
    })
  })
})
