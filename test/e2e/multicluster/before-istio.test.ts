/** A cluster without Istio joins the root of one that has it; then Istio is installed there, and nothing restarts. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
import { istio } from '../../lab/lab.ts'
import type { IstioVersion } from '../../lab/layout.ts'
import { difference, dump } from '../dump.ts'
import { Joined } from '../joined.ts'
import { assertOneError } from '../one-error.ts'
import { podUids } from '../pod-uids.ts'
import { BAR, call, endNamespaces, FOO, httpbin, sleep, start, type TwoClusters } from '../two-clusters.ts'

describe('a cluster without Istio', () => {
  let joined: Joined
  let clusters: TwoClusters
  let version: IstioVersion
  let earlier: Map<string, string>
  /** The root of the first cluster, with its key. */
  let root: string[]

  before(async function () {
    this.timeout('20m')
    joined = await Joined.start()
    clusters = joined.clusters
    version = installed()
    start(clusters.first, sleep(FOO))
    root = rootFiles()
    uninstall()
    earlier = dump(clusters.first)
  })

  after(async function () {
    this.timeout('10m')
    endNamespaces(clusters.first, FOO)
    endNamespaces(clusters.second, BAR)
    uninstall()
    await istio(version, 2)
    clusters.end()
  })

  it('is refused by connect, which names the way', () => {
    assertOneError(joined.run('connect', ...root), 'ISTIO_NOT_FOUND', /--certificates-only/)
  })

  it('gets a CA of files, under the root of the other, in which nothing changes', () => {
    const { first } = clusters
    const out = join(first.directory, 'certificates')
    const made = first.telemetry('multicluster', 'certificates', '--cluster', 'west', ...root, '--out', out)
    assert.equal(made.exitCode, 0, made.stderr)
    const { stdout } = joined.done('connect', '--certificates-only', '--cacerts', `west=${join(out, 'west')}`)
    assert.match(stdout, /^ +istioctl install --context lab-2/m)
    assert.deepEqual(difference(earlier, dump(clusters.first)), [])
  })

  it('signs under it from its start: connect then restarts nothing, and calls arrive', async function () {
    this.timeout('5m')
    await istio(version, 2)
    start(clusters.second, httpbin(BAR, { mode: 'STRICT' }))
    const running = podUids(clusters.first, clusters.second)
    joined.done('connect')
    assert.deepEqual(podUids(clusters.first, clusters.second), running)
    joined.done('export', 'httpbin', '-n', BAR, '--in', 'west', '--from', `${FOO}/sleep`)
    assert.equal(call(clusters.first, FOO, `http://httpbin.${BAR}.global:8000/get`).status, 200)
  })

  it('loses the CA again when Istio is gone', () => {
    joined.done('cleanup')
    assertOneError(joined.run('cleanup', '--trust'), 'OWN_CA_MISSING', /istioctl uninstall/)
    uninstall()
    joined.done('cleanup', '--trust')
    assert.deepEqual(difference(earlier, dump(clusters.first)), [])
    const { exitCode } = clusters.second.run('kubectl', ['-n', 'istio-system', 'get', 'secret', 'cacerts'])
    assert.equal(exitCode, 1)
  })

  function installed(): IstioVersion {
    const image = '-o=jsonpath={.spec.template.spec.containers[0].image}'
    const text = clusters.second.kubectl('-n', 'istio-system', 'get', 'deployment', 'istiod', image)
    return (/:(\d+\.\d+)/.exec(text)?.[1] ?? assert.fail(text)) as IstioVersion
  }

  /** What is of Istio in the second cluster, also the CA that istiod has made: a new cluster has none. */
  function uninstall(): void {
    const { second } = clusters
    const { exitCode, stderr } = second.run('istioctl', ['uninstall', '--purge', '--skip-confirmation'])
    assert.equal(exitCode, 0, stderr)
    second.kubectl('-n', 'istio-system', 'delete', 'secret', 'istio-ca-secret', '--ignore-not-found')
    second.kubectl('-n', 'istio-system', 'wait', 'pods', '--all', '--for=delete', '--timeout=80s')
  }

  function rootFiles(): string[] {
    const { first } = clusters
    const [certificate, key] = ['ca-cert\\.pem', 'ca-key\\.pem'].map((name) => {
      const path = join(first.directory, name.replaceAll('\\', ''))
      const of = ['-n', 'istio-system', 'get', 'secret', 'istio-ca-secret', `-o=jsonpath={.data.${name}}`]
      writeFileSync(path, Buffer.from(first.kubectl(...of), 'base64'), { mode: 0o600 })
      return path
    })
    return ['--root-cert', certificate ?? '', '--root-key', key ?? '']
  }
})
