/** Samples that are not in the package: from a folder and from a server, which may answer anything. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
import type { InstallResult } from '../../../src/installing/result.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { assertOneError } from '../one-error.ts'
import { runPlugin } from '../plugin-runs.ts'

const JAEGER = readFileSync(new URL('../../../src/samples/1.31/jaeger.yaml', import.meta.url), 'utf8')
/** With an object that no packaged sample has. */
const EXTENDED = `${JAEGER}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: jaeger-extension}, data: {a: b}}\n`
const SHA256 = createHash('sha256').update(EXTENDED).digest('hex')
/** Others may have an add-on's names in istio-system, but not here. */
const NAMESPACE = 'addons-from'

const PAGES: Record<string, (response: ServerResponse) => void> = {
  '/addons/jaeger.yaml': (response) => response.end(EXTENDED),
  '/moved/jaeger.yaml': (response) => response.writeHead(302, { location: '/addons/jaeger.yaml' }).end(),
  '/page/jaeger.yaml': (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>Log in</p>'),
  '/circle/jaeger.yaml': (response) => response.writeHead(301, { location: '/circle/b' }).end(),
  '/circle/b': (response) => response.writeHead(301, { location: '/circle/jaeger.yaml' }).end(),
  '/away/jaeger.yaml': (response) => response.writeHead(302, { location: 'http://example.com/jaeger.yaml' }).end(),
  '/endless/jaeger.yaml': (response) => {
    const more = () => void (response.write('# and so on\n'.repeat(1_000)) && setImmediate(more))
    response.on('drain', more)
    more()
  },
  '/exploding/jaeger.yaml': (response) =>
    response.end(
      ['a0: &a0 ha', ...Array.from({ length: 40 }, (_, at) => `a${at + 1}: &a${at + 1} [*a${at}, *a${at}]`)].join('\n'),
    ),
  '/secret/jaeger.yaml': (response) =>
    response.end(`${JAEGER}\n---\n{apiVersion: v1, kind: Secret, metadata: {name: jaeger}}\n`),
  '/elsewhere/jaeger.yaml': (response) => response.end(JAEGER.replaceAll('istio-system', 'kube-system')),
}

describe('addons install --from, on a real mesh', () => {
  const workplace = new Workplace()
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } }
  const folder = join(workplace.directory, 'addons')
  const server = createServer(({ url = '' }, response) => {
    const page = PAGES[url]
    if (page === undefined) response.writeHead(404).end()
    else page(response)
  })
  let base = ''
  let untouched: Map<string, string>

  before(async () => {
    mkdirSync(folder)
    writeFileSync(join(folder, 'jaeger.yaml'), EXTENDED)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    workplace.apply(namespace)
    untouched = dump(workplace)
  })
  after(() => {
    server.closeAllConnections()
    server.close()
    try {
      assert.deepEqual(difference(untouched, dump(workplace)), [])
    } finally {
      workplace.delete(namespace)
      workplace.end()
    }
  })

  const install = (from: string, ...words: string[]) =>
    runPlugin(workplace, 'addons', 'install', 'jaeger', '-n', NAMESPACE, '--from', from, '-y', ...words)

  it('installs from a folder, required by its SHA-256; the same file from a server changes no add-on', async () => {
    const results: InstallResult[] = []
    for (const from of [folder, join(folder, 'jaeger.yaml'), `${base}/moved/`]) {
      const { stdout, stderr, exitCode } = await install(from, '--sha256', SHA256, '-o', 'json')
      assert.equal(exitCode, 0, stdout + stderr)
      results.push(JSON.parse(stdout) as InstallResult)
    }
    assert.deepEqual(
      results.map(({ source, addons: [jaeger] }) => [
        source.kind,
        jaeger?.action,
        jaeger?.sha256,
        jaeger?.ready?.ready,
      ]),
      [
        ['directory', 'installed', SHA256, 1],
        ['file', 'unchanged', SHA256, 1],
        ['url', 'unchanged', SHA256, 1],
      ],
    )
    const { stderr, exitCode } = workplace.telemetry('addons', 'uninstall', 'jaeger', '-n', NAMESPACE, '-y')
    assert.equal(exitCode, 0, stderr)
  })

  it('says which image cannot be pulled, long before the time limit', async () => {
    const from = join(workplace.directory, 'unpullable')
    mkdirSync(from)
    writeFileSync(join(from, 'jaeger.yaml'), JAEGER.replace(/(image: .*jaeger:)[\w.]+/, '$1v0.0.0-nosuch'))
    const started = Date.now()
    const { stdout, stderr, exitCode } = await install(from, '--timeout', '5m')
    assert.equal(exitCode, 1, stdout + stderr)
    assert.match(stdout, /^jaeger +addons-from +v0\.0\.0-nosuch +0\/1 +NOT READY$/m)
    assert.match(stderr, /(ErrImagePull|ImagePullBackOff): .*jaeger:v0\.0\.0-nosuch/)
    assert.ok(Date.now() - started < 120_000)
    workplace.telemetry('addons', 'uninstall', 'jaeger', '-n', NAMESPACE, '-y')
  })

  for (const [path, code, why] of [
    ['/nowhere/', 'SAMPLE_NOT_FETCHED', /answers 404/],
    ['/page/', 'SAMPLE_INVALID', /web page/],
    ['/circle/', 'SAMPLE_NOT_FETCHED', /in a circle/],
    ['/away/', 'SAMPLE_NOT_FETCHED', /not followed/],
    ['/endless/', 'SAMPLE_NOT_FETCHED', /more than 2 MiB/],
    ['/exploding/', 'SAMPLE_INVALID', /aliases/],
    ['/secret/', 'SAMPLE_INVALID', /Secret jaeger/],
    ['/elsewhere/', 'SAMPLE_INVALID', /kube-system/],
  ] as const)
    it(`answers ${path} with one error, ${code}`, async () =>
      assertOneError(await install(`${base}${path}`), code, why))

  it('answers a folder without the file, a wrong digest and a server elsewhere without TLS with one error each', async () => {
    assertOneError(await install(workplace.directory), 'SAMPLE_UNREADABLE', /jaeger\.yaml/)
    assertOneError(await install(folder, '--sha256', 'a'.repeat(64)), 'SHA256_DIFFERS', new RegExp(SHA256))
    assertOneError(await install('http://example.com/addons/'), 'SOURCE_INVALID', /https/, 2)
  })
})
