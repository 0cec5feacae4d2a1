import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'mocha'
import { candidates } from '../src/start.ts'

const root = join(import.meta.dirname, '..')

describe('which command is meant', () => {
  const cases: [string, string[][]][] = [
    ['status', [['status']]],
    ['status -o json', [['status']]],
    ['cert status -o json', [['cert', 'status'], ['cert']]],
    ['port-forward grafana kiali', [['port-forward', 'grafana'], ['port-forward']]],
    ['port-forward svc/httpbin', [['port-forward']]],
    // oclif's own way to write names of two words is left to oclif.
    ['cert:status', []],
    ['', []],
    ['--version', []],
    ['-n x status', []],
    ['../../etc/passwd', []],
    ['status --help', []],
    ['cert status -h', []],
    ['status -- --help', [['status']]],
  ]
  for (const [words, expected] of cases) {
    it(words || 'nothing', () => assert.deepEqual(candidates(words.split(' ')), expected))
  }
})

/** What `npm run build` made, as a user runs it. */
describe('the built plugin', () => {
  const caches = mkdtempSync(join(tmpdir(), 'start-'))
  after(() => rmSync(caches, { recursive: true }))
  const run = (...words: string[]) => {
    const env = { ...process.env, KUBECONFIG: join(caches, 'none'), XDG_CACHE_HOME: caches }
    const argv = [join(root, 'bin', 'run.cjs'), ...words]
    const { stdout, stderr, status } = spawnSync(process.execPath, argv, { encoding: 'utf8', env })
    return { stdout, stderr, status }
  }

  for (const name of [
    'cert status',
    'cleanup',
    'expose grafana',
    'port-forward',
    'scrape-secure',
    'scrape-secure status',
    'status',
  ]) {
    it(`runs ${name}`, () => {
      const { stderr, status } = run(...name.split(' '))
      assert.deepEqual([/\(([A-Z_]+)\)/.exec(stderr)?.[1], status], ['KUBECONFIG_MISSING', 1], stderr)
    })
  }

  it('says what is wrong with flags, and exits with 2', () => {
    const { stderr, status } = run('status', '--nonsense')
    assert.deepEqual([stderr, status], ['error: Nonexistent flag: --nonsense (USAGE)\n  try: --help\n', 2])
  })

  it('has help for all, for a command and for a topic', () => {
    for (const [words, expected] of [
      [['--help'], /port-forward +reach add-ons/],
      [[], /port-forward +reach add-ons/],
      [['cert'], /cert rotate/],
      [['cert', 'rotate', '--help'], /--finish/],
      [['port-forward', '-h'], /\$ kubectl telemetry port-forward grafana -p 3001/],
    ] as const) {
      const { stdout, status } = run(...words)
      assert.match(stdout, expected)
      assert.equal(status, 0)
    }
  })

  it('tells its version, and what is no command', () => {
    assert.match(run('--version').stdout, /^kubectl-telemetry\/\d/)
    const { stderr, status } = run('sing')
    assert.match(stderr, /command sing not found/)
    assert.notEqual(status, 0)
  })

  it('runs a command named as oclif names it', () => {
    assert.match(run('cert:status').stderr, /KUBECONFIG_MISSING/)
  })

  it('keeps compiled code in the directory it was told', () => {
    run('status')
    assert.deepEqual(readdirSync(join(caches, 'kubectl-telemetry')), ['compiled'])
  })
})
