/** Changes the real trust stores, but in a mount namespace: directories of the test cover the system's. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
import { buildOnDemand } from '../../lab/build.ts'
import { goClient } from '../../lab/components.ts'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { installBrowser } from '../../lab/packages.ts'
import { CoveredStores } from '../covered-stores.ts'
import { Workplace } from '../mesh.ts'

const HOST = `grafana.${loadBalancerAddress}.nip.io`
const ASK = `const [host, address] = process.argv.slice(1)
const headers = { host }
require('node:https').get({ host: address, servername: host, headers, agent: false }, (response) => {
  console.log(response.statusCode)
  process.exit()
}).on('error', ({ code }) => { console.log(code) ; process.exit() })`

describe('cert trust, on the real mesh', () => {
  const workplace = new Workplace()
  const stores = new CoveredStores(workplace)
  const isolated = stores.run.bind(stores)
  let client: string
  const databases = [join(stores.home, '.pki', 'nssdb'), join(stores.home, '.mozilla', 'firefox', 'abc.default')]
  const chain = join(workplace.directory, 'chain.pem')

  before(async function () {
    this.timeout(400_000)
    await installBrowser()
    await loadBalancer('on')
    for (const directory of databases) {
      mkdirSync(directory, { recursive: true })
      const made = workplace.run('certutil', ['-d', `sql:${directory}`, '-N', '--empty-password'])
      assert.equal(made.exitCode, 0, made.stderr)
    }
    client = join(await buildOnDemand(goClient), 'go-client')
    const { exitCode, stderr } = workplace.telemetry('expose', 'grafana', '--allow-anonymous', '-y')
    assert.equal(exitCode, 0, stderr)
    writeFileSync(chain, workplace.telemetry('cert', 'export', 'fullchain').stdout)
  })
  after(() => workplace.end())

  /** Lists the clients that accept the gateway's certificate without extra CA options. */
  function verdicts(): Record<string, boolean> {
    const openssl = isolated(['openssl', 'verify', '-x509_strict', '-verify_hostname', HOST, chain])
    const node = isolated([process.execPath, '--use-system-ca', '-e', ASK, HOST, loadBalancerAddress])
    const go = isolated([client, 'system', HOST, '443', loadBalancerAddress])
    const curl = isolated([
      'curl',
      '-sSo',
      '/dev/null',
      '--resolve',
      `${HOST}:443:${loadBalancerAddress}`,
      `https://${HOST}/`,
    ])
    const chromium = isolated([
      'chromium',
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      `--user-data-dir=${join(workplace.directory, 'profile')}`,
      `--host-resolver-rules=MAP ${HOST} ${loadBalancerAddress}`,
      '--dump-dom',
      `https://${HOST}/`,
    ])
    return {
      openssl: openssl.stdout === `${chain}: OK\n`,
      node: node.stdout === '200\n',
      go: go.stdout === '200 HTTP/2.0\n',
      curl: curl.exitCode === 0,
      chromium: chromium.stdout.includes('<title>Grafana</title>'),
    }
  }

  const allClients = (accepts: boolean) => ({
    openssl: accepts,
    node: accepts,
    go: accepts,
    curl: accepts,
    chromium: accepts,
  })

  /** Names of our entries in an NSS database. */
  const entriesIn = (directory: string) =>
    workplace.run('certutil', ['-d', `sql:${directory}`, '-L']).stdout.match(/^kubectl-telemetry-[0-9a-f]{16} +C,,/gm)

  const trustedHere = () => {
    const { stdout } = isolated(['kubectl', 'telemetry', 'cert', 'status', '-o', 'json'])
    return (JSON.parse(stdout) as { certificates: { trusted: boolean }[] }).certificates[0]?.trusted
  }

  it('openssl, Node, Go, curl and Chromium accept the chain after trust, and refuse it before and after trust --remove', () => {
    assert.deepEqual(verdicts(), allClients(false))
    assert.equal(trustedHere(), false)

    const trusted = isolated(['kubectl', 'telemetry', 'cert', 'trust', '-y'])
    assert.equal(trusted.exitCode, 0, trusted.stdout + trusted.stderr)
    assert.deepEqual(verdicts(), allClients(true))
    assert.equal(trustedHere(), true)
    for (const directory of databases) assert.equal(entriesIn(directory)?.length, 1, directory)
    const again = isolated(['kubectl', 'telemetry', 'cert', 'trust', '-y'])
    assert.doesNotMatch(again.stdout, /trusted/)

    const removed = isolated(['kubectl', 'telemetry', 'cert', 'trust', '--remove', '-y'])
    assert.equal(removed.exitCode, 0, removed.stdout + removed.stderr)
    assert.deepEqual(verdicts(), allClients(false))
    assert.equal(trustedHere(), false)
    for (const directory of databases) assert.equal(entriesIn(directory), null, directory)
    const left = workplace.run('find', [stores.copyOf('/'), workplace.directory, '-name', 'kubectl-telemetry-*.*'])
    assert.equal(left.stdout, '')
  }).timeout(240_000)

  it("prints the commands when the system's store is read-only, and exits with 1", () => {
    const { stdout, exitCode } = isolated(['kubectl', 'telemetry', 'cert', 'trust', '-y'], '-o ro')
    assert.equal(exitCode, 1)
    assert.match(
      stdout,
      /^system \(\/usr\/local\/share\/ca-certificates\) NOT DONE: it needs an administrator\n {2}sudo install -m 644 \S+ \S+\n {2}sudo update-ca-certificates$/m,
    )
    assert.equal(isolated(['kubectl', 'telemetry', 'cert', 'trust', '--remove', '-y']).exitCode, 0)
  })
})
