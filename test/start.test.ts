import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, describe, it } from 'mocha'
import { candidates } from '../src/start.ts'

const root = join(import.meta.dirname, '..')

describe('the command that the words select', () => {
  const cases: [string, string[][]][] = [
    ['status', [['status']]],
    ['status -o json', [['status']]],
    ['cert status -o json', [['cert', 'status'], ['cert']]],
    ['port-forward grafana kiali', [['port-forward', 'grafana'], ['port-forward']]],
    ['port-forward svc/httpbin', [['port-forward']]],
    // Only oclif understands its own form of names with two words.
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

/** Runs the result of `npm run build` like a user. */
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

  it('reports wrong flags, and exits with 2', () => {
    const { stderr, status } = run('status', '--nonsense')
    assert.deepEqual(
      [stderr, status],
      ['error: unknown flag: --nonsense (USAGE)\n  try: kubectl telemetry status --help\n', 2],
    )
  })

  it('prints help for the plugin, a command and a topic', () => {
    for (const [words, expected] of [
      [['--help'], /port-forward +Reach add-ons/],
      [[], /port-forward +Reach add-ons/],
      [['cert'], /cert rotate/],
      [['cert', 'rotate', '--help'], /--finish/],
      [['port-forward', '-h'], /\$ kubectl telemetry port-forward grafana -p 3001/],
    ] as const) {
      const { stdout, status } = run(...words)
      assert.match(stdout, expected)
      assert.equal(status, 0)
    }
  })

  it('prints its version, and refuses unknown commands', () => {
    assert.match(run('--version').stdout, /^kubectl-telemetry\/\d/)
    const { stderr, status } = run('sing')
    assert.match(stderr, /^error: there is no command "sing" \(USAGE\)\n {2}try: kubectl telemetry --help\n$/)
    assert.notEqual(status, 0)
  })

  it("runs a command by oclif's form of its name", () => {
    assert.match(run('cert:status').stderr, /KUBECONFIG_MISSING/)
  })

  it('keeps compiled code in the cache directory of the environment', () => {
    run('status')
    assert.deepEqual(readdirSync(join(caches, 'kubectl-telemetry')), ['compiled'])
  })

  describe('compiled code', function () {
    this.timeout(30_000)
    const place = (home: string) => join(home, 'kubectl-telemetry', 'compiled')
    const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8)

    /** Runs a command with this cache directory. @returns whether compiled code was kept there */
    function keepsAt(home: string, umask = 0o022): boolean {
      const env = { ...process.env, KUBECONFIG: join(caches, 'none'), XDG_CACHE_HOME: home }
      const script = `umask ${umask.toString(8)}; exec "$0" "$@"`
      const argv = ['-c', script, process.execPath, join(root, 'bin', 'run.cjs'), 'status']
      const { stderr } = spawnSync('sh', argv, { encoding: 'utf8', env })
      assert.match(stderr, /KUBECONFIG_MISSING/)
      return existsSync(place(home)) && readdirSync(place(home)).some((name) => name.startsWith('v'))
    }

    let home: string
    beforeEach(() => {
      home = mkdtempSync(join(caches, 'home-'))
    })

    for (const umask of [0o000, 0o002, 0o022, 0o077]) {
      it(`is in a directory of its user only, with a umask of ${umask.toString(8).padStart(3, '0')}`, () => {
        assert.equal(keepsAt(home, umask), true)
        assert.deepEqual([modeOf(place(home)), modeOf(join(place(home), '..'))], ['700', '700'])
      })
    }

    it('is made again where others could have changed it', () => {
      mkdirSync(place(home), { recursive: true })
      writeFileSync(join(place(home), 'planted'), '')
      for (const path of [place(home), join(place(home), '..')]) chmodSync(path, 0o775)
      assert.equal(keepsAt(home), true)
      assert.deepEqual([existsSync(join(place(home), 'planted')), modeOf(place(home))], [false, '700'])
      assert.equal(modeOf(join(place(home), '..')), '700')
    })

    it('is not kept below a directory that others may write to, unless only owners may rename there', () => {
      chmodSync(home, 0o777)
      assert.equal(keepsAt(home), false)
      chmodSync(home, 0o775)
      assert.equal(keepsAt(home), false)
      const below = join(home, 'below')
      mkdirSync(below, { mode: 0o700 })
      assert.equal(keepsAt(below), false)
      chmodSync(home, 0o1777)
      assert.equal(keepsAt(home), true)
    })

    it('is not kept behind a symbolic link to the directory of another program', () => {
      const elsewhere = join(home, 'elsewhere')
      mkdirSync(elsewhere)
      for (const name of ['kubectl-telemetry', join('kubectl-telemetry', 'compiled')]) {
        const link = mkdtempSync(join(home, 'link-'))
        if (name.includes('compiled')) mkdirSync(join(link, 'kubectl-telemetry'))
        symlinkSync(elsewhere, join(link, name))
        assert.equal(keepsAt(link), false)
        assert.deepEqual(readdirSync(elsewhere), [])
      }
    })

    it('is kept when the cache directory itself is a symbolic link of its user', () => {
      symlinkSync(home, `${home}-link`)
      assert.equal(keepsAt(`${home}-link`), true)
    })

    it('is not kept in a directory of another user', function () {
      // Only root can make one.
      if (process.getuid?.() !== 0) this.skip()
      mkdirSync(place(home), { recursive: true, mode: 0o700 })
      for (const path of [place(home), join(place(home), '..'), home]) {
        chownSync(path, 65534, 65534)
        assert.equal(keepsAt(home), false, path)
        chownSync(path, 0, 0)
      }
    })
  })
})
