import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { Dependencies } from '../../src/world.ts'
import type { Outcome } from '../commands/run-command.ts'
import type { Case } from './cases.ts'
import { fuzz } from './fuzzing.ts'
import { CONTROLS } from './hostile.ts'
import { judge } from './judging.ts'
import { FieldReads, recording } from './recording.ts'
import { type Scene, worldIn } from './scenes.ts'

const CONFIG_MAP = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'one', namespace: 'tenant', annotations: { record: '{}' } },
}
const CONFIG_MAPS = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap' }
const scene: Scene = { name: 'small', objects: [CONFIG_MAP], authorities: new Map(), groups: {} }
const PATH = ['metadata', 'annotations', 'record']

/** What is wrong with a program that does this with the annotation. */
function faultsOf(program: (text: string, world: Dependencies) => Promise<string>, value: unknown): Promise<string[]> {
  const run = async (world: Dependencies): Promise<Outcome> => {
    const [read] = await world.cluster.list(CONFIG_MAPS)
    const stdout = await program(read?.metadata.annotations?.record ?? '', world)
    return { stdout, stderr: '', exitCode: 0 }
  }
  const one: Case = {
    operation: { name: 'read', scenes: ['small'], run },
    scene,
    field: { kind: 'ConfigMap', namespace: 'tenant', name: 'one', path: PATH },
    alike: '',
    hostile: { what: 'hostile', make: () => value },
  }
  return judge(one, new Set(['write ConfigMap tenant/one']))
}

const writing =
  (namespace: string) =>
  async (_: string, { cluster }: Dependencies) => {
    const manifest = { ...CONFIG_MAP, metadata: { name: 'one', namespace } }
    await cluster.apply(CONFIG_MAPS, manifest, { manager: 'x' })
    return ''
  }

describe('fuzzing', () => {
  it('finds what a program reads: fields that are there, and fields that are not', async () => {
    const reads = new FieldReads()
    const [read] = await recording(worldIn(scene).cluster, reads).list(CONFIG_MAPS)
    assert.ok(read)
    assert.deepEqual([read.metadata.annotations?.record, read.metadata.labels?.app], ['{}', undefined])
    const paths = [...reads.fields.values()].map(({ path }) => path.join('.'))
    assert.deepEqual(paths, ['metadata', 'metadata.annotations', 'metadata.annotations.record', 'metadata.labels'])
  })

  const faults: [string, Parameters<typeof faultsOf>[0], unknown, RegExp | undefined][] = [
    ['a program that is right', async (text) => text, 'x', undefined],
    ['an exception', async (text) => JSON.parse(text), '{', /^throws SyntaxError/],
    ['control characters', async (text) => text, CONTROLS, /^prints U\+1b/],
    ['floods', async (text) => text.repeat(400_000), 'x', /^prints 400000 characters/],
    ['nothing in writes that are planned', writing('tenant'), 'x', undefined],
    ['writes elsewhere', writing('kube-system'), 'x', /^writes write ConfigMap kube-system\/one/],
  ]
  for (const [name, program, value, fault] of faults)
    it(`reports ${name}`, async () => {
      const [first] = await faultsOf(program, value)
      if (fault === undefined) assert.equal(first, undefined)
      else assert.match(first ?? '', fault)
    })

  it('finds no fault of a command in a cluster with hostile values', async () => {
    const { FUZZ_VALUES = '1', FUZZ_OPERATIONS = '1' } = process.env
    const { cases, faults } = await fuzz({ values: Number(FUZZ_VALUES), operations: Number(FUZZ_OPERATIONS) })
    assert.deepEqual(faults, [])
    assert.ok(cases > 300, `${cases} cases`)
  }).timeout(0)
})
