/** What this machine trusts is changed for real, but in a mount namespace: directories of the test's lie over the system's. */
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { installPackages } from '../../lab/packages.ts'
import { type Outcome, Workplace } from '../mesh.ts'

const HOST = `grafana.${loadBalancerAddress}.nip.io`
const LAID_OVER = ['/etc/ssl', '/usr/local/share/ca-certificates']
const ASK = `const [host, address] = process.argv.slice(1)
const headers = { host }
require('node:https').get({ host: address, servername: host, headers, agent: false }, (response) => {
  console.log(response.statusCode)
  process.exit()
}).on('error', ({ code }) => { console.log(code) ; process.exit() })`

describe('trusting the authority, on the real mesh', () => {
  const workplace = new Workplace()
  const home = join(workplace.directory, 'home')
  const goClient = join(workplace.directory, 'go-client')
  const databases = [join(home, '.pki', 'nssdb'), join(home, '.mozilla', 'firefox', 'abc.default')]
  const chain = join(workplace.directory, 'chain.pem')

  before(async function () {
    this.timeout(400_000)
    await installPackages({ chromium: '/usr/bin/chromium', 'libnss3-tools': '/usr/bin/certutil' })
    await loadBalancer('on')
    for (const place of LAID_OVER) cpSync(place, overlayOf(place), { recursive: true, verbatimSymlinks: true })
    for (const directory of databases) {
      mkdirSync(directory, { recursive: true })
      const made = workplace.run('certutil', ['-d', `sql:${directory}`, '-N', '--empty-password'])
      assert.equal(made.exitCode, 0, made.stderr)
    }
    const client = new URL('../go-client', import.meta.url).pathname
    const built = workplace.run('go', ['build', '-C', client, '-o', goClient, '.'])
    assert.equal(built.exitCode, 0, built.stderr)
    const { exitCode, stderr } = workplace.telemetry('expose', 'grafana', '--allow-anonymous', '-y')
    assert.equal(exitCode, 0, stderr)
    writeFileSync(chain, workplace.telemetry('cert', 'export', 'fullchain').stdout)
  })
  after(() => workplace.end())

  const overlayOf = (place: string) => join(workplace.directory, 'overlay', place)

  /** Runs a command where our directories lie over the system's. */
  function isolated(words: string[], options = ''): Outcome {
    const mounts = LAID_OVER.map((place) => `mount --bind ${options} '${overlayOf(place)}' ${place}`)
    const script = [...mounts, 'exec "$@"'].join(' && ')
    return workplace.run('unshare', ['-m', 'sh', '-c', script, 'sh', ...words], { environment: { HOME: home } })
  }

  /** Who accepts what the gateway serves, without being told of any authority. */
  function verdicts(): Record<string, boolean> {
    const openssl = isolated(['openssl', 'verify', '-x509_strict', '-verify_hostname', HOST, chain])
    const node = isolated([process.execPath, '--use-system-ca', '-e', ASK, HOST, loadBalancerAddress])
    const go = isolated([goClient, 'system', HOST, '443', loadBalancerAddress])
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

  const everyone = (accepts: boolean) => ({
    openssl: accepts,
    node: accepts,
    go: accepts,
    curl: accepts,
    chromium: accepts,
  })

  /** How a database of NSS names ours. */
  const listed = (directory: string) =>
    workplace.run('certutil', ['-d', `sql:${directory}`, '-L']).stdout.match(/^kubectl-telemetry-[0-9a-f]{16} +C,,/gm)

  const trustedHere = () => {
    const { stdout } = isolated(['kubectl', 'telemetry', 'cert', 'status', '-o', 'json'])
    return (JSON.parse(stdout) as { certificates: { trusted: boolean }[] }).certificates[0]?.trusted
  }

  it('openssl, Node, Go, curl and Chromium accept the chain after trust, and refuse it before and after trust --remove', () => {
    assert.deepEqual(verdicts(), everyone(false))
    assert.equal(trustedHere(), false)

    const trusted = isolated(['kubectl', 'telemetry', 'cert', 'trust', '-y'])
    assert.equal(trusted.exitCode, 0, trusted.stdout + trusted.stderr)
    assert.deepEqual(verdicts(), everyone(true))
    assert.equal(trustedHere(), true)
    for (const directory of databases) assert.equal(listed(directory)?.length, 1, directory)
    const again = isolated(['kubectl', 'telemetry', 'cert', 'trust', '-y'])
    assert.doesNotMatch(again.stdout, /trusted/)

    const removed = isolated(['kubectl', 'telemetry', 'cert', 'trust', '--remove', '-y'])
    assert.equal(removed.exitCode, 0, removed.stdout + removed.stderr)
    assert.deepEqual(verdicts(), everyone(false))
    assert.equal(trustedHere(), false)
    for (const directory of databases) assert.equal(listed(directory), null, directory)
    const left = workplace.run('find', [overlayOf('/'), workplace.directory, '-name', 'kubectl-telemetry-*.*'])
    assert.equal(left.stdout, '')
  }).timeout(240_000)

  it('prints the commands where the system cannot be written to, and exits with 1', () => {
    const { stdout, exitCode } = isolated(['kubectl', 'telemetry', 'cert', 'trust', '-y'], '-o ro')
    assert.equal(exitCode, 1)
    assert.match(
      stdout,
      /^system \(\/usr\/local\/share\/ca-certificates\) NOT DONE: it needs an administrator\n {2}sudo install -m 644 \S+ \S+\n {2}sudo update-ca-certificates\n/,
    )
    assert.equal(isolated(['kubectl', 'telemetry', 'cert', 'trust', '--remove', '-y']).exitCode, 0)
  })
})
