/** `addons install --from`: a file in which one place is hostile. What is accepted is written where it may be, and removed again. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { type Outcome, runCommand } from '../commands/run-command.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { fakeWorld } from '../fakes/fake-world.ts'
import { mesh } from '../installing/installing.ts'
import { lot } from './cases.ts'
import { valueAt, withValue } from './fields.ts'
import { ANYTHING, STRINGS } from './hostile.ts'
import type { Step } from './recording.ts'

/** Characters that move the cursor, hide text or turn it around. */
const CONTROLS = /(?![\t\n])[\p{Cc}\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u
const MOST_OUTPUT = 300_000
const MOST_TIME = 8_000

const place = { name: 'zipkin', namespace: 'istio-system', labels: { app: 'zipkin' }, annotations: { note: 'x' } }
const rbac = 'rbac.authorization.k8s.io'
const container = { name: 'zipkin', image: 'docker.io/openzipkin/zipkin-slim:3.4.0', env: [{ name: 'A', value: 'b' }] }
const template = { metadata: { labels: { app: 'zipkin' } }, spec: { containers: [container], volumes: [] } }
// No replicas: the fake cluster would make as many pods as the file says.
const workload = { selector: { matchLabels: { app: 'zipkin' } }, template }

/** One object of each kind that a sample may have. */
const FILE: KubeObject[] = [
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: place },
  { apiVersion: 'v1', kind: 'ConfigMap', metadata: place, data: { 'config.yaml': 'a: {b: [c]}' } },
  {
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRole',
    metadata: { name: 'zipkin' },
    rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['list'] }],
  },
  {
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name: 'zipkin' },
    subjects: [{ kind: 'ServiceAccount', name: 'zipkin', namespace: 'istio-system' }],
    roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'zipkin' },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: place,
    spec: { selector: { app: 'zipkin' }, ports: [{ port: 9411 }] },
  },
  { apiVersion: 'apps/v1', kind: 'Deployment', metadata: place, spec: workload },
  { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: place, spec: { ...workload, serviceName: 'zipkin' } },
]

/** Every place in an object, the whole included. */
function placesIn(value: unknown, path: Step[] = []): Step[][] {
  if (typeof value !== 'object' || value === null) return [path]
  const inner = Array.isArray(value) ? value.entries() : Object.entries(value)
  return [path, ...[...inner].flatMap(([step, item]) => placesIn(item, [...path, step]))]
}

const VALUES = [...ANYTHING, ...STRINGS, { what: 'missing', make: () => undefined }]

/** The API server has a schema for specs, which the fake one has not: a value of another type is refused there, in the rehearsal. */
function fits(object: KubeObject, path: Step[], value: unknown): boolean {
  if (path[0] !== 'spec' || value === undefined) return true
  const typeOf = (one: unknown) => (Array.isArray(one) ? 'list' : typeof one)
  return typeOf(value) === typeOf(valueAt(object, path))
}

/** The text of the file with another value at a place. JSON is YAML, too. */
function fileWith(index: number, path: Step[], value: unknown): string {
  const objects: unknown[] = FILE.map((one, at) => {
    if (at !== index) return one
    return path.length === 0 ? value : withValue(one, path, value)
  })
  return objects.map((one) => `--- ${JSON.stringify(one) ?? ''}`).join('\n')
}

const titles = (objects: readonly KubeObject[]) =>
  objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`).sort()

async function faultsOf(file: string): Promise<string[]> {
  const cluster = mesh()
  const world = fakeWorld(cluster, new FakeTerminal())
  const before = titles(cluster.objects)
  const started = process.cpuUsage()
  const install = await runCommand(`addons install zipkin --from ${file} --timeout 1s -y`, world)
  const { user, system } = process.cpuUsage(started)
  const elsewhere = cluster.objects.filter(
    ({ kind, metadata }) =>
      !['istio-system', undefined].includes(metadata.namespace) ||
      !/^(ServiceAccount|ConfigMap|ClusterRole|ClusterRoleBinding|Service|Deployment|StatefulSet|Namespace)$/.test(
        kind,
      ),
  )
  const uninstall = await runCommand('addons uninstall -y', world)
  const left = titles(cluster.objects).filter((one) => !before.includes(one))
  return [
    ...judged(install),
    ...judged(uninstall),
    ...(user + system > MOST_TIME * 1_000 ? [`takes ${Math.round((user + system) / 1_000)} ms`] : []),
    ...(elsewhere.length > 0 ? [`writes ${titles(elsewhere).join()}`] : []),
    ...(left.length > 0 ? [`leaves ${left.join().slice(0, 200)}`] : []),
  ]
}

function judged({ stdout, stderr, exitCode }: Outcome): string[] {
  const output = stdout + stderr
  const control = CONTROLS.exec(output)?.[0]
  return [
    ...(/\bBUG\b/.test(output) ? [output.slice(0, 600)] : []),
    ...([0, 1].includes(exitCode) ? [] : [`exit code ${exitCode}`]),
    ...(control === undefined ? [] : [`prints U+${control.codePointAt(0)?.toString(16)}`]),
    ...(output.length > MOST_OUTPUT ? [`prints ${output.length} characters`] : []),
  ]
}

describe('hostile files for addons install --from', function () {
  this.timeout(0)
  const directory = mkdtempSync(join(tmpdir(), 'telemetry-fuzz-'))
  const file = join(directory, 'zipkin.yaml')
  after(() => rmSync(directory, { recursive: true }))

  it('are refused with one error, or installed and uninstalled without a difference', async () => {
    const { FUZZ_VALUES = '1' } = process.env
    const faults: string[] = []
    const cases = FILE.flatMap((one, index) =>
      placesIn(one).flatMap((path) =>
        VALUES.map((value) => ({ index, path, value, name: `${one.kind} ${path.join('.')} = ${value.what}` }))
          .toSorted((a, b) => lot(a.name) - lot(b.name))
          .slice(0, Number(FUZZ_VALUES))
          .filter(({ value }) => fits(one, path, value.make())),
      ),
    )
    for (const { index, path, value, name } of cases) {
      writeFileSync(file, fileWith(index, path, value.make()))
      faults.push(...(await faultsOf(file)).map((fault) => `${name}: ${fault}`))
    }
    assert.deepEqual(faults, [])
    assert.ok(cases.length > 60, `${cases.length} cases`)
  })

  it('are found: what is installed is seen, and so is what stays', async () => {
    writeFileSync(file, fileWith(0, ['metadata', 'name'], 'zipkin'))
    assert.deepEqual(await faultsOf(file), [])
    assert.deepEqual(judged({ stdout: '\u001b[2J', stderr: '', exitCode: 3 }), ['exit code 3', 'prints U+1b'])
  })
})
