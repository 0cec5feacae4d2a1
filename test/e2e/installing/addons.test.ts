import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { after, afterEach, before, describe, it } from 'mocha'
import type { UndoResult } from '../../../src/changes/undo.ts'
import { SAMPLES } from '../../../src/installing/catalog.ts'
import type { InstallResult } from '../../../src/installing/result.ts'
import { moduleSources } from '../../lab/build.ts'
import { importAddonImages, addons as labAddons, loadBalancer } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { killAfterWrite } from '../killed-run.ts'
import { Workplace } from '../mesh.ts'

const PACKAGED = new URL('../../../src/samples/', import.meta.url)
const FOUR = ['prometheus', 'grafana', 'kiali', 'jaeger']
/** The record, six objects of Prometheus and five of Jaeger. */
const OBJECTS = 12
const SMALL = ['prometheus', 'jaeger']

describe('the packaged samples', () => {
  it('are those of Istio’s module, to the byte', async () => {
    const compared = await Promise.all(
      ['1.30', '1.31'].map(async (version) => {
        const sources = await moduleSources(`istio-${version}`, 'istio.io/istio')
        // Only the versions that were built here have been downloaded.
        if (sources === '') return undefined
        for (const { file } of SAMPLES) {
          const packaged = readFileSync(new URL(`${version}/${file}.yaml`, PACKAGED))
          assert.ok(
            packaged.equals(readFileSync(join(sources, 'samples', 'addons', `${file}.yaml`))),
            `${version} ${file}`,
          )
        }
        return version
      }),
    )
    assert.ok(compared.includes('1.31'))
  })
})

describe('addons, on a real mesh without add-ons', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(async function () {
    this.timeout('6m') // the first run installs Maven and a JDK where they are missing
    await loadBalancer('on')
    await importAddonImages(['extras/zipkin'])
    const file = (name: string) => fileURLToPath(new URL(`1.31/${name}.yaml`, PACKAGED))
    workplace.kubectl('delete', '--ignore-not-found', ...FOUR.flatMap((name) => ['-f', file(name)]))
    untouched = dump(workplace)
  })
  // Without a cleanup: what is exposed or linked goes, too.
  afterEach(() => {
    const { stderr, exitCode } = workplace.telemetry('addons', 'uninstall', '-y')
    assert.equal(exitCode, 0, stderr)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })
  after(async () => {
    await labAddons(FOUR)
    workplace.end()
  })

  function install(...words: string[]): InstallResult {
    const { stdout, stderr, exitCode } = workplace.telemetry('addons', 'install', ...words, '-y', '-o', 'json')
    assert.equal(exitCode, 0, stdout + stderr)
    return JSON.parse(stdout) as InstallResult
  }
  const telemetry = (...words: string[]) => {
    const outcome = workplace.telemetry(...words)
    assert.equal(outcome.exitCode, 0, outcome.stdout + outcome.stderr)
    return outcome
  }

  // The unit tests kill it after each single write.
  for (const writes of [4, OBJECTS])
    it(`is undone, or completed, when install is killed after ${writes} of ${OBJECTS} writes`, async () => {
      const words = ['addons', 'install', ...SMALL, '-y']
      assert.ok(await killAfterWrite(workplace, words, writes))
      if (writes !== 4) return
      assert.ok(install(...SMALL).addons.every(({ ready }) => ready?.ready === 1))
    })

  for (const writes of [6])
    it(`is undone when uninstall is killed after ${writes} of ${OBJECTS} writes`, async () => {
      install(...SMALL)
      assert.ok(await killAfterWrite(workplace, ['addons', 'uninstall', '-y'], writes))
    })

  it('uninstalls exposed add-ons in one command, also when a run before was killed', async () => {
    install(...SMALL)
    telemetry('expose', 'prometheus', 'tracing', '--auth', 'basic', '-y')
    const planned = telemetry('addons', 'uninstall', '--dry-run=server').stdout
    assert.match(planned, /^gateway\.networking\.istio\.io "kubectl-telemetry" deleted/m)
    // The Gateway and a route.
    assert.ok(await killAfterWrite(workplace, ['addons', 'uninstall', '-y'], 2))
    const { deleted } = JSON.parse(telemetry('addons', 'uninstall', '-y', '-o', 'json').stdout) as UndoResult
    const kinds = deleted.map(({ kind }) => kind)
    assert.ok(kinds.includes('VirtualService') && kinds.indexOf('Secret') < kinds.indexOf('Deployment'), kinds.join())
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })

  it('creates the namespace of -n, and deletes it once nothing else is in it', async () => {
    const place = ['-n', 'addons-new']
    const planned = telemetry('addons', 'install', 'jaeger', ...place, '--dry-run=server')
    assert.match(planned.stdout, /^namespace\/addons-new created/m)
    assert.match(planned.stderr, /\(NOT_REHEARSED\)/)
    assert.equal(install('jaeger', ...place).addons[0]?.ready?.ready, 1)
    const users = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'users', namespace: 'addons-new' } }
    workplace.apply(users)
    const kept = telemetry('addons', 'uninstall', '-y')
    assert.match(kept.stderr, /ConfigMap users.*\(NAMESPACE_KEPT\)/)
    assert.doesNotMatch(kept.stdout, /addons-new" deleted$/m)
    workplace.delete(users)
    assert.match(telemetry('addons', 'uninstall', '-y').stdout, /^namespace "addons-new" deleted/m)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
    // Killed after the namespace was created, and after the first object in it.
    for (const writes of [1, 2])
      assert.ok(await killAfterWrite(workplace, ['addons', 'install', 'jaeger', ...place, '-y'], writes))
  })

  it('replaces an object with a selector of an earlier sample, when it is told to', () => {
    install('jaeger')
    const found = JSON.parse(workplace.kubectl('-n', 'istio-system', 'get', 'deployment', 'jaeger', '-o', 'json'))
    const { name, namespace, labels } = found.metadata
    const { selector, template } = found.spec
    const former = { former: 'yes' }
    const spec = {
      ...found.spec,
      selector: { matchLabels: { ...selector.matchLabels, ...former } },
      template: { ...template, metadata: { labels: { ...template.metadata.labels, ...former } } },
    }
    workplace.delete(found)
    const earlier = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace, labels }, spec }
    workplace.applyAs('istio-telemetry-installing', earlier)
    const refused = workplace.telemetry('addons', 'install', 'jaeger', '-y')
    assert.match(refused.stderr, /Deployment jaeger.*\(FIELD_IMMUTABLE\)/)
    assert.equal(install('jaeger', '--replace').addons[0]?.ready?.ready, 1)
    assert.ok(install('jaeger').objects.every(({ action }) => action === 'unchanged'))
  })

  it('gives Zipkin the place of Jaeger with --replace, after which nothing of either stays', async () => {
    install('jaeger')
    telemetry('expose', 'tracing', '--auth', 'basic', '-y')
    const replace = ['addons', 'install', 'zipkin', '--replace', '-y']
    assert.match(workplace.telemetry(...replace).stderr, /jaeger is exposed: .*\(REPLACED_IN_USE\)/)
    telemetry('cleanup', '-y')
    // The record and Jaeger’s Deployment; then its own Service, its configuration, and one of the shared Services.
    for (const writes of [2, 3]) assert.ok(await killAfterWrite(workplace, replace, writes))
    assert.deepEqual(
      install('zipkin', '--replace').addons.map(({ name, action, ready }) => [name, action, ready?.ready]),
      [
        ['zipkin', 'updated', 1],
        ['jaeger', 'replaced', undefined],
      ],
    )
    const list = telemetry('addons', 'list').stdout
    assert.match(list, /^jaeger +- +not installed/m)
    assert.match(list, /^zipkin +istio-system +deployment\/zipkin +3\.4\.0 +1\/1 +kubectl telemetry/m)
    assert.match(telemetry('addons', 'uninstall', 'jaeger', '-y').stdout, /nothing/)
  })

  it('reports pods that are refused, in the words of Kubernetes', () => {
    const plain = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'addons-refused' } }
    const enforced = {
      ...plain,
      metadata: { ...plain.metadata, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    }
    workplace.apply(enforced)
    try {
      const { stdout, stderr, exitCode } = workplace.telemetry(
        'addons',
        'install',
        'jaeger',
        '-n',
        'addons-refused',
        '-y',
      )
      assert.equal(exitCode, 1)
      assert.match(stdout, /^jaeger +addons-refused +2\.17\.0 +0\/1 +NOT READY$/m)
      assert.match(stderr, /PodSecurity "restricted/)
      telemetry('addons', 'uninstall', '-y', '-n', 'addons-refused')
    } finally {
      workplace.delete(enforced)
    }
  })
})
