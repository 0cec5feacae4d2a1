import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { callingObjects } from '../../src/multicluster/exporting/calling.ts'
import { visible } from '../../src/text.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { fakeWorld } from '../fakes/fake-world.ts'
import { expectGolden } from '../golden-file.ts'
import { EXPORTED, FakePair, type Faults } from '../multicluster/verifying/fake-pair.ts'
import { type Outcome, runCommand } from './run-command.ts'

const AROUND = { version: 'v1', domain: 'cluster.local', localities: {}, egress: undefined }

async function run(words: string, faults: Partial<Faults> = {}): Promise<Outcome> {
  const pair = await FakePair.create(faults)
  pair.east.objects.push(...callingObjects(EXPORTED, AROUND).map(({ manifest }) => manifest))
  const { members, pods, clock } = pair
  const world = { ...fakeWorld(pair.east, new FakeTerminal()), clock, members, readers: members }
  return runCommand(`multicluster verify ${words}`, world, {
    connectMembers: async () => world,
    pods: async () => pods,
  })
}

const TOLD: [name: string, faults: Partial<Faults>][] = [
  ['name', { resolves: false }],
  ['gateway', { passes: false }],
  ['root', { signer: { east: 'shared', west: 'own' } }],
]

describe('kubectl telemetry multicluster verify', () => {
  it('prints the hops of each port', async () => {
    const { stdout, stderr, exitCode } = await run('httpbin.bar.global --from foo/sleep --path /headers')
    expectGolden('multicluster-verify.txt', stdout)
    assert.deepEqual([stderr, exitCode], ['', 0])
  })

  it('prints them as JSON', async () => {
    const { stdout, exitCode } = await run('-o json')
    expectGolden('multicluster-verify.json', stdout)
    assert.equal(exitCode, 0)
  })

  for (const [name, faults] of TOLD)
    it(`prints which hop failed: ${name}`, async () => {
      const { stdout, stderr, exitCode } = await run('', faults)
      expectGolden(`multicluster-verify-${name}.txt`, `${stdout}--- stderr\n${stderr}`)
      assert.equal(exitCode, 1)
    })

  it('shows what would control a terminal in the words of a program', async () => {
    const faults = { resolves: false }
    const pair = await FakePair.create(faults)
    pair.east.objects.push(...callingObjects(EXPORTED, AROUND).map(({ manifest }) => manifest))
    const { members, clock } = pair
    const stderr = 'curl: (6) \u001b[2J\u202eevil\nerror: all is well (OK)'
    const runProgram = async () => ({ exitCode: 6, stdout: '', stderr, cut: { stdout: false, stderr: false } })
    const world = { ...fakeWorld(pair.east, new FakeTerminal()), clock, members, readers: members }
    const adapters = { connectMembers: async () => world, pods: async () => ({ ...pair.pods, runProgram }) }
    const outcome = await runCommand('multicluster verify', world, adapters)
    assert.match(
      outcome.stderr,
      /curl: \(6\) \\u\{1b\}\[2J\\u\{202e\}evil\\nerror: all is well \(OK\) \(NAME_UNRESOLVED\)/,
    )
    assert.equal(visible(outcome.stdout + outcome.stderr), outcome.stdout + outcome.stderr)
  })

  for (const [words, code] of [
    ['--from sleep', 'VERIFY_FROM_INVALID'],
    ['--from foo/-e', 'VERIFY_FROM_INVALID'],
    ['--probe-image curlimages/curl', 'PROBE_IMAGE_INVALID'],
    ['--probe-image localhost:5000/curl', 'PROBE_IMAGE_INVALID'],
    ['--path headers', 'VERIFY_PATH_INVALID'],
    ['--path /a?b', 'VERIFY_PATH_INVALID'],
    ['--path /../a', 'VERIFY_PATH_INVALID'],
    ['-- -e', 'VERIFY_HOST_INVALID'],
    ['HTTPBIN.bar.global', 'VERIFY_HOST_INVALID'],
  ])
    it(`refuses ${words}`, async () => {
      const { stdout, stderr, exitCode } = await run(words ?? '')
      assert.match(stderr, new RegExp(`\\(${code}\\)`))
      assert.deepEqual([stdout, exitCode], ['', 2])
    })

  for (const image of [
    'busybox:1.37',
    'curlimages/curl:8.17.0',
    'registry.example:5000/team/curl:8',
    `registry.example/curl@sha256:${'0'.repeat(64)}`,
    `curl:8@sha256:${'a'.repeat(64)}`,
  ])
    it(`accepts the image ${image.slice(0, 40)}`, async () => {
      assert.match((await run(`--probe-image ${image} --in north`)).stderr, /\(CLUSTER_UNKNOWN\)/)
    })
})
