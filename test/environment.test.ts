/** The built plugin in environments that people have: one clear error or a sensible way on, never an endless loop, and no file in the working directory. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'mocha'

const plugin = join(import.meta.dirname, '..', 'bin', 'run.cjs')
const CREATE = ['cert', 'create', '--domain', 'example.com']
/** Milliseconds, much longer than a run. An endless loop would reach it. */
const LONGEST = 15_000
/** Who can make disks, and act as another account. */
const isRoot = process.platform === 'linux' && process.getuid?.() === 0

describe('an environment', () => {
  let place: string
  let here: string
  let home: string
  beforeEach(() => {
    place = realpathSync(mkdtempSync(join(tmpdir(), 'environment-')))
    here = join(place, 'here')
    home = join(place, 'home')
    for (const directory of [here, home]) mkdirSync(directory)
  })
  afterEach(() => {
    assert.deepEqual(readdirSync(here), [], 'the working directory')
    rmSync(place, { recursive: true, force: true })
  })

  /** Without the variables of this process, and by a shell. @returns the code of the error, if any */
  function run(words: string[], environment: NodeJS.ProcessEnv, script = '"$@"') {
    const env = { PATH: process.env.PATH, ...environment }
    const argv = ['-c', script, 'sh', process.execPath, plugin, ...words]
    const { stdout, stderr, status, error } = spawnSync('sh', argv, {
      cwd: here,
      env,
      encoding: 'utf8',
      timeout: LONGEST,
    })
    assert.equal(error, undefined, `${error}`)
    assert.doesNotMatch(stderr, /\n +at |node:internal/, 'a stack')
    return { stdout, stderr, status, code: /\(([A-Z_]+)\)/.exec(stderr)?.[1] }
  }
  const key = (data: string) => join(data, 'kubectl-telemetry', 'authorities', 'example.com', 'ca.key')

  const usable: [string, () => NodeJS.ProcessEnv, (() => string)?][] = [
    ['a relative XDG_DATA_HOME counts as none', () => ({ HOME: home, XDG_DATA_HOME: 'data' })],
    ['an empty XDG_DATA_HOME counts as none', () => ({ HOME: home, XDG_DATA_HOME: '' })],
    ['a relative XDG_CACHE_HOME counts as none', () => ({ HOME: home, XDG_CACHE_HOME: 'cache' })],
    ['XDG_CACHE_HOME where no directory can be made', () => ({ HOME: home, XDG_CACHE_HOME: '/proc/nope/cache' })],
    ['XDG_CACHE_HOME below a file', () => ({ HOME: home, XDG_CACHE_HOME: '/dev/null/cache' })],
    [
      'XDG_DATA_HOME, with a HOME where no directory can be made',
      () => ({ HOME: '/proc/nope', XDG_DATA_HOME: home }),
      () => home,
    ],
    ['XDG_DATA_HOME without HOME', () => ({ XDG_DATA_HOME: home }), () => home],
    ['an unknown TERM', () => ({ HOME: home, TERM: 'nothing' })],
    ['NODE_EXTRA_CA_CERTS that is missing', () => ({ HOME: home, NODE_EXTRA_CA_CERTS: '/nowhere' })],
    ['NODE_PENDING_DEPRECATION', () => ({ HOME: home, NODE_PENDING_DEPRECATION: '1' })],
    ['NODE_TLS_REJECT_UNAUTHORIZED', () => ({ HOME: home, NODE_TLS_REJECT_UNAUTHORIZED: '0' })],
  ]
  for (const [name, environment, data] of usable)
    it(`is usable: ${name}`, () => {
      const { stdout, stderr, status } = run(CREATE, { KUBECONFIG: join(place, 'none'), ...environment() })
      assert.equal(status, 0, stderr)
      assert.match(stdout, /CA of example\.com created/)
      const file = key(data?.() ?? join(home, '.local', 'share'))
      assert.equal((statSync(file).mode & 0o777).toString(8), '600')
    })

  for (const umask of ['000', '077', '277'])
    it(`keeps the key to its user, with the umask ${umask}`, () => {
      const { stderr, status } = run(CREATE, { HOME: home }, `umask ${umask}; exec "$@"`)
      assert.equal(status, 0, stderr)
      const file = key(join(home, '.local', 'share'))
      assert.equal(statSync(file).mode & 0o077, 0)
      assert.equal(statSync(dirname(file)).mode & 0o077, 0)
    })

  const refused: [string, () => NodeJS.ProcessEnv][] = [
    ['HOME where no directory can be made', () => ({ HOME: '/proc/nope' })],
    ['XDG_DATA_HOME where no directory can be made', () => ({ HOME: home, XDG_DATA_HOME: '/proc/nope' })],
    ['XDG_DATA_HOME below a file', () => ({ HOME: home, XDG_DATA_HOME: '/dev/null/data' })],
    ['XDG_DATA_HOME that is a link to nowhere', () => ({ HOME: home, XDG_DATA_HOME: join(place, 'link') })],
    ['HOME that nobody can write', () => ({ HOME: '/sys' })],
  ]
  for (const [name, environment] of refused)
    it(`is reported with the variable to set: ${name}`, () => {
      symlinkSync(join(place, 'gone', 'far'), join(place, 'link'))
      const { stderr, status, code } = run(CREATE, { KUBECONFIG: join(place, 'none'), ...environment() })
      assert.deepEqual([code, status], ['DATA_NOT_WRITTEN', 1], stderr)
      assert.match(stderr, /try: export XDG_DATA_HOME=/)
    })

  for (const words of [['--help'], ['status'], ['--version']])
    it(`never makes ${words.join(' ')} loop or write into the working directory`, () => {
      for (const HOME of [undefined, '', 'relative', '/proc/nope', '/dev/null/home']) {
        const { status } = run(words, { ...(HOME === undefined ? {} : { HOME }), KUBECONFIG: join(place, 'none') })
        assert.equal(status, words[0] === 'status' ? 1 : 0, String(HOME))
      }
    })

  it('may have plugins of oclif, which are not loaded', () => {
    const directory = join(home, 'kubectl-telemetry')
    mkdirSync(directory)
    const broken = JSON.stringify({ oclif: { plugins: [{ name: 'planted', type: 'user' }] } })
    writeFileSync(join(directory, 'package.json'), broken)
    const { stderr, status } = run(['--help'], { HOME: home, XDG_DATA_HOME: home })
    assert.deepEqual([stderr, status], ['', 0])
  })

  describe('of a full disk', () => {
    for (const words of [['--help'], ['--version'], CREATE])
      it(`makes ${words.join(' ')} report the answer that could not be written`, () => {
        const { status, code } = run(words, { HOME: home }, '"$@" > /dev/full')
        assert.deepEqual([code, status], ['OUTPUT_FAILED', 1])
      })

    if (isRoot)
      it('is reported with the variable to set', () => {
        const full = `unshare -m sh -c 'mount -t tmpfs -o size=4k none ${home} && exec "$@"' sh "$@"`
        const { stderr, status, code } = run(CREATE, { HOME: place, XDG_DATA_HOME: home }, full)
        assert.deepEqual([code, status], ['DATA_NOT_WRITTEN', 1], stderr)
        assert.match(stderr, /no space left/)
      })
  })

  if (isRoot)
    it('of an account without a name and a home is usable, and is reported where a CA has to be stored', () => {
      // The checkout may be closed to others, so this account may read everything.
      const reading = '--inh-caps=+dac_read_search --ambient-caps=+dac_read_search'
      const as = `setpriv --reuid=54321 --clear-groups ${reading} "$@"`
      for (const directory of [place, here]) chmodSync(directory, 0o755)
      for (const words of [['--version'], ['--help']]) assert.equal(run(words, {}, as).status, 0)
      const { stderr, code } = run(CREATE, {}, as)
      assert.equal(code, 'DATA_NOT_WRITTEN', stderr)
      assert.match(stderr, /HOME is not an absolute path/)
    })
})
