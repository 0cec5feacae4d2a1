import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'mocha'
import { outside, sampleFiles } from '../../src/adapters.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { QUICK_START, requireSamples, SAMPLES } from '../../src/installing/catalog.ts'
import { install } from '../../src/installing/install.ts'
import { requireOrigin } from '../../src/installing/source/origin.ts'
import { renderInstall } from '../../src/rendering/addons.ts'
import { fakeOutside, RELEASES } from '../fakes/fake-outside.ts'
import { RollingCluster } from '../fakes/workloads.ts'
import { expectGolden } from '../golden-file.ts'
import { installing, installingFrom, istiod, mesh, namespace, needsOf, uninstalling } from './installing.ts'

const packaged = (file: string) => sampleFiles().read('1.31', file)
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const titles = (objects: readonly KubeObject[]) => objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`)

/** A mesh, and a folder and two servers with the samples of Istio 1.31. */
async function world(cluster = mesh()) {
  const files = fakeOutside()
  for (const { file } of SAMPLES) {
    const text = await packaged(file)
    files.disk.files.set(`istio/samples/addons/${file}.yaml`, text)
    files.web.pages.set(`https://example.com/addons/${file}.yaml`, text)
    files.web.pages.set(`${RELEASES}1.31.0/samples/addons/${file}.yaml`, text)
  }
  return { cluster, outside: files }
}

function recordIn({ objects }: { objects: KubeObject[] }): Record<string, Record<string, unknown>> {
  const record = objects.find(({ metadata }) => metadata.name === 'kubectl-telemetry-addons')
  return Object.fromEntries(
    Object.entries((record?.data ?? {}) as Record<string, string>).map(([name, text]) => [name, JSON.parse(text)]),
  )
}

describe('addons install --from', () => {
  for (const [from, source] of [
    ['istio/samples/addons', { kind: 'directory', from: 'istio/samples/addons' }],
    ['https://example.com/addons/', { kind: 'url', from: 'https://example.com/addons/' }],
    ['release', { kind: 'release', version: '1.31.0', from: `${RELEASES}1.31.0/samples/addons/` }],
  ] as const)
    it(`${from} installs what is there, as it installs the packaged ones`, async () => {
      const fromPackage = mesh()
      await installing(fromPackage, undefined)
      const there = await world()
      const { result } = await installingFrom(there, undefined, from)
      const { sha256: whole, ...known } = result.source
      assert.deepEqual(result.warnings, [])
      const read = await Promise.all(['prometheus', 'grafana', 'kiali', 'jaeger'].map(packaged))
      assert.deepEqual([known, whole], [source, sha256(read.join(''))])
      assert.deepEqual(
        result.addons.map((one) => [one.name, one.action, one.sha256]),
        QUICK_START.map((name, index) => [name, 'installed', sha256(read[index] ?? '')]),
      )
      const withoutRecord = ({ objects }: RollingCluster) =>
        objects
          .filter(({ metadata }) => metadata.name !== 'kubectl-telemetry-addons')
          .map(({ kind, metadata, spec, data }) => ({ kind, name: metadata.name, labels: metadata.labels, spec, data }))
      assert.deepEqual(withoutRecord(there.cluster), withoutRecord(fromPackage))
    })

  it('a second time changes nothing', async () => {
    const there = await world()
    await installingFrom(there, ['zipkin', 'loki'], 'https://example.com/addons/?token=secret')
    const before = structuredClone(there.cluster.objects)
    await installingFrom(there, ['zipkin', 'loki'], 'https://example.com/addons/?token=secret', { yes: false })
    assert.deepEqual(there.cluster.objects, before)
  })

  it('records a URL without its query, and nothing of this machine', async () => {
    const there = await world()
    there.outside.web.pages.set('https://example.com/x.yaml?token=secret', await packaged('extras/zipkin'))
    await installingFrom(there, ['zipkin'], 'https://example.com/x.yaml?token=secret')
    await installingFrom(there, ['loki'], 'istio/samples/addons/loki.yaml')
    const { zipkin, loki } = recordIn(there.cluster)
    assert.deepEqual(
      [zipkin?.source, zipkin?.from, loki?.source, loki?.from],
      ['url', 'https://example.com/x.yaml', 'file', undefined],
    )
    assert.doesNotMatch(JSON.stringify(there.cluster.objects), /secret"|istio\/samples\/addons\//)
  })

  it('one file is for one add-on', async () => {
    const there = await world()
    for (const from of ['istio/samples/addons/grafana.yaml', 'https://example.com/addons/grafana.yaml']) {
      await assert.rejects(installingFrom(there, undefined, from), { code: 'SOURCE_FOR_ONE_ADDON', exitCode: 2 })
      await assert.rejects(installingFrom(there, ['grafana', 'loki'], from), { code: 'SOURCE_FOR_ONE_ADDON' })
    }
    const { result } = await installingFrom(there, ['grafana'], 'istio/samples/addons/grafana.yaml')
    assert.deepEqual([result.source.kind, result.addons[0]?.action], ['file', 'installed'])
  })

  it('says where the samples come from, and their digests', async () => {
    const there = await world()
    const report = await installingFrom(there, ['zipkin', 'loki'], 'release')
    expectGolden('addons-install-from.txt', renderInstall(report, 'none', undefined, false))
  })

  it('removes what an earlier sample had, if it is ours', async () => {
    const there = await world()
    const text = await packaged('extras/zipkin')
    const more = `${text}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: zipkin-more}\ndata: {a: b}\n`
    there.outside.disk.files.set('zipkin.yaml', more)
    await installingFrom(there, ['zipkin'], 'zipkin.yaml')
    assert.ok(titles(there.cluster.objects).includes('ConfigMap/zipkin-more'))
    await installing(there.cluster, ['zipkin'])
    assert.ok(!titles(there.cluster.objects).includes('ConfigMap/zipkin-more'))
    assert.deepEqual(
      [recordIn(there.cluster).zipkin?.source, recordIn(there.cluster).zipkin?.istio],
      ['packaged', '1.31'],
    )
  })

  it('is undone: also objects that no packaged sample has, if they are ours', async () => {
    const there = await world()
    const more = (name: string) => `\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: ${name}}, data: {a: b}}\n`
    there.outside.disk.files.set(
      'zipkin.yaml',
      `${await packaged('extras/zipkin')}${more('zipkin-more')}${more('users')}`,
    )
    await installingFrom(there, ['zipkin'], 'zipkin.yaml')
    const users = there.cluster.objects.find(({ metadata }) => metadata.name === 'users') as KubeObject
    users.metadata.labels = {}
    await uninstalling(there.cluster, ['zipkin'])
    assert.deepEqual(titles(there.cluster.objects), [...titles(mesh().objects), 'ConfigMap/users'])
  })

  it('asks with what counts in the whole cluster', async () => {
    const there = await world()
    const role =
      '{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: all}, rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]}'
    const binding =
      '{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: all}, roleRef: {kind: ClusterRole, name: cluster-admin}, subjects: [{kind: ServiceAccount, name: zipkin, namespace: istio-system}]}'
    there.outside.disk.files.set('zipkin.yaml', `${role}\n---\n${binding}\n`)
    const question = 'Install zipkin into namespace istio-system?'
    const needs = { ...needsOf(there.cluster, { [question]: false }), outside: there.outside }
    const request = { samples: requireSamples(['zipkin']), from: requireOrigin('zipkin.yaml'), timeout: 1, yes: false }
    const { result } = await install({ ...request, dryRun: 'none' }, needs)
    assert.deepEqual(needs.terminal.notes.slice(1), [
      '  ClusterRole all: create, in the whole cluster, with every right',
      '  ClusterRoleBinding all: create, in the whole cluster: ServiceAccount zipkin gets the rights of ClusterRole cluster-admin',
    ])
    assert.deepEqual(
      result.warnings.map(({ code }) => code),
      ['SAMPLE_RIGHTS', 'SAMPLE_OTHER_IMAGE'],
    )
    assert.match(
      result.warnings[0]?.message ?? '',
      /all has every right; .* grants ClusterRole cluster-admin, which is not in/,
    )
  })

  describe('--sha256', () => {
    it('accepts the required file', async () => {
      const there = await world()
      const digest = sha256(await packaged('loki'))
      await installingFrom(there, ['loki'], 'istio/samples/addons', { sha256: [{ sha256: digest }] })
      const { result } = await installing(there.cluster, ['loki'], { sha256: [{ addon: 'loki', sha256: digest }] })
      assert.equal(result.addons[0]?.action, 'unchanged')
    })

    it('refuses another file, and names both digests', async () => {
      const there = await world()
      const wanted = 'a'.repeat(64)
      const request = { sha256: [{ addon: 'loki', sha256: wanted }] }
      await assert.rejects(
        installingFrom(there, ['loki'], 'https://example.com/addons/', request),
        ({ code, message }) => {
          assert.ok(message.includes(wanted) && message.includes('https://example.com/addons/loki.yaml'))
          return code === 'SHA256_DIFFERS'
        },
      )
      await assert.rejects(installing(there.cluster, ['loki'], request), { code: 'SHA256_DIFFERS' })
      assert.deepEqual(there.cluster.writes, [])
    })
  })

  for (const [what, from, words, code] of [
    ['a path that does not exist', 'nowhere', ['loki'], 'SAMPLE_UNREADABLE'],
    ['a folder without the file', 'istio/samples', ['loki'], 'SAMPLE_UNREADABLE'],
    ['a file that is no text', 'binary.yaml', ['loki'], 'SAMPLE_UNREADABLE'],
    ['a file that is too large', 'large.yaml', ['loki'], 'SAMPLE_UNREADABLE'],
    ['a folder of a server without the file', 'https://example.com/', undefined, 'SAMPLE_NOT_FETCHED'],
    ['a web page', 'https://example.com/page', ['loki'], 'SAMPLE_INVALID'],
    ['a folder with one bad file', 'partly', ['prometheus', 'loki'], 'SAMPLE_INVALID'],
  ] as const)
    it(`refuses ${what}, and writes nothing`, async () => {
      const there = await world()
      const { disk, web } = there.outside
      disk.files.set('binary.yaml', Buffer.from([0x61, 0xff, 0xfe]))
      disk.files.set('large.yaml', ' '.repeat(3 * 1024 * 1024))
      disk.files.set('partly/prometheus.yaml', await packaged('prometheus'))
      disk.files.set('partly/loki.yaml', '{apiVersion: v1, kind: Secret, metadata: {name: loki}}')
      web.pages.set('https://example.com/page', { type: 'text/html', body: Buffer.from('<p>Log in</p>') })
      await assert.rejects(installingFrom(there, words && [...words], from), { code })
      assert.deepEqual(there.cluster.writes, [])
    })

  for (const [version, path] of [
    ['1.31.0', '1.31.0'],
    ['v1.30.2-distroless', '1.30.2'],
    ['1.32.0-rc.1-debug', '1.32.0-rc.1'],
  ] as const)
    it(`release is ${path} for istiod ${version}`, async () => {
      const there = await world(new RollingCluster([istiod(version), namespace('istio-system')]))
      const url = `${RELEASES}${path}/samples/addons/extras/zipkin.yaml`
      there.outside.web.pages.set(url, await packaged('extras/zipkin'))
      await installingFrom(there, ['zipkin'], 'release')
      assert.deepEqual(there.outside.web.requests, [url])
    })

  for (const version of ['1.31', 'latest', '1.31.0/../../evil', '1.31.0?x', '1.31-alpha.1234abc'])
    it(`release is refused for istiod ${version}`, async () => {
      const there = await world(new RollingCluster([istiod(version), namespace('istio-system')]))
      await assert.rejects(installingFrom(there, ['zipkin'], 'release'), { code: 'RELEASE_UNKNOWN' })
      assert.deepEqual(there.outside.web.requests, [])
    })

  it('reads real files and asks real servers', async () => {
    const text = await packaged('extras/zipkin')
    const asked: string[] = []
    const server = createServer(({ url = '' }, response) => {
      asked.push(url)
      response.writeHead(url.endsWith('/extras/zipkin.yaml') ? 200 : 404).end(text)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const folder = await mkdtemp(join(tmpdir(), 'samples-'))
    try {
      await mkdir(join(folder, 'extras'))
      await writeFile(join(folder, 'extras', 'zipkin.yaml'), text)
      const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
      const there = { outside: { ...outside(), releases: base } }
      for (const from of [folder, join(folder, 'extras', 'zipkin.yaml'), `${base}addons/`, 'release']) {
        const { result } = await installingFrom({ ...there, cluster: mesh() }, ['zipkin'], from)
        assert.deepEqual([from, result.addons[0]?.sha256], [from, sha256(text)])
      }
      assert.deepEqual(asked, ['/addons/extras/zipkin.yaml', '/1.31.0/samples/addons/extras/zipkin.yaml'])
      for (const from of [join(folder, 'nothing'), '/dev/zero'])
        await assert.rejects(installingFrom({ ...there, cluster: mesh() }, ['zipkin'], from), {
          code: 'SAMPLE_UNREADABLE',
        })
    } finally {
      server.closeAllConnections()
      server.close()
      await rm(folder, { recursive: true })
    }
  })
})
