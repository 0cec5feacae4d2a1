import assert from 'node:assert/strict'
import {
  appendFile,
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import type { Authority } from '../../src/certificates/authority.ts'
import { DirectoryAuthorityStore } from '../../src/certificates/directory-authority-store.ts'
import { authorityOf } from './issuing.ts'

describe('DirectoryAuthorityStore', () => {
  let first: Authority
  let second: Authority
  let parent: string
  let root: string
  let store: DirectoryAuthorityStore
  before(async () => {
    first = await authorityOf('example.com', 0)
    second = await authorityOf('example.com', 1)
  })
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'kubectl-telemetry-store-'))
    root = join(parent, 'data', 'authorities')
    store = new DirectoryAuthorityStore(root)
  })
  afterEach(() => rm(parent, { recursive: true }))

  const pathOf = (name: string) => join(root, 'example.com', name)
  const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8)

  it('finds nothing at first, and creates no directory', async () => {
    assert.equal(await store.find('example.com'), undefined)
    assert.deepEqual(await readdir(parent), [])
  })

  it('finds a stored CA, also in another run', async () => {
    assert.deepEqual(await store.keep(first), first)
    assert.deepEqual(await new DirectoryAuthorityStore(root).find('example.com'), first)
  })

  it('keeps domains apart', async () => {
    await store.keep(first)
    assert.equal(await store.find('example.org'), undefined)
    assert.equal(await store.find('grafana.example.com'), undefined)
  })

  it('returns the path of the certificate', async () => {
    await store.keep(first)
    assert.equal(await readFile(store.certificatePath('example.com'), 'utf8'), first.certificate)
  })

  for (const umask of [0o000, 0o022, 0o077]) {
    describe(`with a umask of ${umask.toString(8).padStart(3, '0')}`, () => {
      let previous: number
      before(() => {
        previous = process.umask(umask)
      })
      after(() => process.umask(previous))

      it('stores files that only the owner can read', async () => {
        await store.keep(first)
        const modes = await Promise.all(
          [root, join(root, 'example.com'), pathOf('ca.key'), pathOf('ca.crt')].map(modeOf),
        )
        assert.deepEqual(modes, ['700', '700', '600', '600'])
      })
    })
  }

  for (const mode of [0o644, 0o640, 0o604, 0o666]) {
    it(`restricts a key of mode ${mode.toString(8)} before it is used`, async () => {
      await store.keep(first)
      await chmod(pathOf('ca.key'), mode)
      await store.find('example.com')
      assert.equal(await modeOf(pathOf('ca.key')), '600')
    })
  }

  it('does not change a key that its owner may not write to', async () => {
    await store.keep(first)
    await chmod(pathOf('ca.key'), 0o400)
    await store.find('example.com')
    assert.equal(await modeOf(pathOf('ca.key')), '400')
  })

  it('stores the first of two CAs and returns it to the second run', async () => {
    await store.keep(first)
    assert.deepEqual(await store.keep(second), first)
    assert.deepEqual(await store.find('example.com'), first)
  })

  it('returns the same CA to simultaneous runs, and leaves no drafts', async () => {
    for (let round = 0; round < 20; round++) {
      const domain = `round-${round}.example.com`
      const runs = [first, second, first, second].map((authority) =>
        new DirectoryAuthorityStore(root).keep({ ...authority, domain }),
      )
      const kept = await Promise.all(runs)
      assert.equal(new Set(kept.map(({ key }) => key)).size, 1)
      assert.equal(new Set(kept.map(({ certificate }) => certificate)).size, 1)
      assert.deepEqual(await store.find(domain), kept[0])
    }
    assert.deepEqual(
      (await readdir(root)).filter((name) => !name.startsWith('round-')),
      [],
    )
  })

  it('ignores the draft of a killed run', async () => {
    await mkdir(join(root, '.new-killed'), { recursive: true })
    await writeFile(join(root, '.new-killed', 'ca.key'), 'half a ke')
    assert.equal(await store.find('example.com'), undefined)
    assert.deepEqual(await store.keep(first), first)
    assert.deepEqual(await store.find('example.com'), first)
  })

  it('leaves no draft when writing fails, and reports the reason', async () => {
    // Like a full disk at the second of the two files.
    const cannotBeWritten = { ...first, certificate: Symbol('unwritable') as unknown as string }
    await assert.rejects(store.keep(cannotBeWritten), { code: 'ERR_INVALID_ARG_TYPE' })
    assert.deepEqual(await readdir(root), [])
    assert.deepEqual(await store.keep(first), first)
  })

  it('returns the CA of another run when writing fails', async () => {
    await store.keep(first)
    assert.deepEqual(await store.keep({ ...second, key: Symbol('unwritable') as unknown as string }), first)
    assert.deepEqual(await readdir(root), ['example.com'])
  })

  describe('during a rotation', () => {
    const textOf = (name: string) => readFile(pathOf(name), 'utf8')
    const next = () => ({ certificate: second.certificate, key: second.key })
    beforeEach(async () => {
      await store.keep(first)
    })

    it('stores the next CA next to the current one, and both in the file that clients trust', async () => {
      assert.deepEqual(await store.keepNext('example.com', next()), next())
      assert.deepEqual(await new DirectoryAuthorityStore(root).find('example.com'), { ...first, next: next() })
      assert.equal(await textOf('ca.crt'), first.certificate + second.certificate)
      assert.equal(await modeOf(pathOf('next.pem')), '600')
      assert.deepEqual((await readdir(root)).sort(), ['example.com'])
    })

    it('stores the first of two next CAs', async () => {
      const third = await authorityOf('example.com', 2)
      await store.keepNext('example.com', next())
      assert.deepEqual(await store.keepNext('example.com', { certificate: third.certificate, key: third.key }), next())
      assert.equal(await textOf('ca.crt'), first.certificate + second.certificate)
    })

    it('ends with the next CA in place of the current one', async () => {
      await store.keepNext('example.com', next())
      await store.promoteNext('example.com')
      assert.deepEqual(await store.find('example.com'), second)
      assert.deepEqual((await readdir(join(root, 'example.com'))).sort(), ['ca.crt', 'ca.key'])
      assert.equal(await textOf('ca.crt'), second.certificate)
      assert.deepEqual(await Promise.all(['ca.crt', 'ca.key'].map(pathOf).map(modeOf)), ['600', '600'])
      assert.deepEqual((await readdir(root)).sort(), ['example.com'])
    })

    it('does nothing when no rotation has begun', async () => {
      await store.promoteNext('example.com')
      assert.deepEqual(await store.find('example.com'), first)
    })

    it('continues after a run that was interrupted before it wrote the file that clients trust', async () => {
      await writeFile(pathOf('next.pem'), second.certificate + second.key)
      assert.deepEqual((await store.find('example.com'))?.next, next())
      assert.equal(await textOf('ca.crt'), first.certificate + second.certificate)
    })

    it('completes the rotation of a run that was interrupted after it replaced the key', async () => {
      await store.keepNext('example.com', next())
      await writeFile(pathOf('ca.key'), second.key)
      assert.deepEqual(await store.find('example.com'), second)
      assert.equal(await textOf('ca.crt'), second.certificate)
      assert.deepEqual((await readdir(join(root, 'example.com'))).sort(), ['ca.crt', 'ca.key'])
    })

    it('completes the rotation of a run that was interrupted before it removed the last file', async () => {
      await store.keepNext('example.com', next())
      await writeFile(pathOf('ca.key'), second.key)
      await writeFile(pathOf('ca.crt'), second.certificate)
      assert.deepEqual(await store.find('example.com'), second)
      assert.deepEqual((await readdir(join(root, 'example.com'))).sort(), ['ca.crt', 'ca.key'])
    })

    it('has no next CA while its file is half a pair', async () => {
      await writeFile(pathOf('next.pem'), second.certificate)
      assert.deepEqual(await store.find('example.com'), first)
    })
  })

  describe('the record of uses', () => {
    const use = {
      cluster: { uid: 'a1', server: 'https://one:6443', verifiedBy: 'sha256:one' },
      gateway: 'istio-system/istio-ingressgateway',
      hosts: ['grafana.example.com'],
    }
    beforeEach(async () => {
      await store.keep(first)
    })

    it('is empty without a file, also for a domain without a CA', async () => {
      assert.deepEqual(await store.usesOf('example.com'), [])
      assert.deepEqual(await store.usesOf('example.org'), [])
    })

    it('keeps each use once, for its owner only, and is deleted with the CA', async () => {
      await store.recordUse('example.com', use)
      await store.recordUse('example.com', { ...use })
      const more = { ...use, hosts: ['grafana.example.com', 'kiali.example.com'] }
      await store.recordUse('example.com', more)
      await store.recordUse('example.com', use)
      assert.deepEqual(await new DirectoryAuthorityStore(root).usesOf('example.com'), [use, more])
      assert.equal(await modeOf(pathOf('uses.jsonl')), '600')
      await store.remove('example.com')
      assert.deepEqual(await store.usesOf('example.com'), [])
    })

    it('loses nothing to simultaneous runs', async () => {
      const uses = Array.from({ length: 20 }, (_, index) => ({ ...use, hosts: [`a${index}.example.com`] }))
      await Promise.all(uses.map((one) => new DirectoryAuthorityStore(root).recordUse('example.com', one)))
      const kept = (await store.usesOf('example.com')).flatMap(({ hosts }) => hosts)
      assert.deepEqual(kept.sort(), uses.flatMap(({ hosts }) => hosts).sort())
    })

    it('skips what is not a use, and what a killed run cut off', async () => {
      await store.recordUse('example.com', use)
      const wrong = ['{', 'null', '7', '{}', '[]', '{"cluster":null}', '{"cluster":{},"gateway":1,"hosts":[]}']
      const lines = [...wrong, JSON.stringify({ ...use, hosts: [['grafana.example.com']] })]
      await appendFile(pathOf('uses.jsonl'), `${lines.join('\n')}\n${JSON.stringify(use).slice(0, 40)}`)
      const second = { ...use, gateway: 'edge/gateway' }
      await store.recordUse('example.com', second)
      assert.deepEqual(await store.usesOf('example.com'), [use, second])
    })

    it('stays during and after a rotation', async () => {
      await store.recordUse('example.com', use)
      await store.keepNext('example.com', { certificate: second.certificate, key: second.key })
      await store.promoteNext('example.com')
      assert.deepEqual(await store.usesOf('example.com'), [use])
    })
  })

  describe('a domain that is no domain', () => {
    const names = [
      '../outside',
      '..',
      '.',
      '',
      'a/b',
      'a\\b',
      '/etc',
      'x\0',
      'EXAMPLE.com',
      'example.com.',
      'a..b',
      '.new-x',
    ]
    for (const name of [...names, 'x'.repeat(64), `${'x.'.repeat(130)}com`]) {
      it(`reaches no file: ${JSON.stringify(name).slice(0, 30)}`, async () => {
        await store.keep(first)
        const outside = join(root, '..', 'outside')
        await mkdir(outside)
        for (const file of ['ca.crt', 'ca.key']) await writeFile(join(outside, file), 'unchanged', { mode: 0o644 })
        const unreadable = { code: 'CA_UNREADABLE' }
        assert.equal(await store.find(name), undefined)
        assert.deepEqual(await store.usesOf(name), [])
        assert.throws(() => store.certificatePath(name), unreadable)
        await assert.rejects(store.keep({ ...first, domain: name }))
        await assert.rejects(store.keepNext(name, second))
        await assert.rejects(store.remove(name), unreadable)
        assert.deepEqual((await readdir(outside)).sort(), ['ca.crt', 'ca.key'])
        assert.equal(await modeOf(join(outside, 'ca.key')), '644')
        assert.deepEqual(await readdir(root), ['example.com'])
      })
    }
  })

  describe('what somebody else may have put there', () => {
    it('is not read through a symbolic link', async () => {
      await store.keep(first)
      await symlink(join(root, 'example.com'), join(root, 'bank.test'))
      const linked = { code: 'CA_UNREADABLE', message: /bank\.test is a symbolic link/ }
      await assert.rejects(store.find('bank.test'), linked)
      await assert.rejects(store.usesOf('bank.test'), linked)
      assert.deepEqual(
        (await store.list()).map(({ domain }) => domain),
        ['example.com'],
      )
    })

    const uid = process.getuid as () => number
    afterEach(() => {
      process.getuid = uid
    })

    for (const name of ['.', 'ca.key', 'ca.crt', 'uses.jsonl']) {
      it(`is refused: another user owns ${name}`, async function () {
        // Only root can give a file away.
        if (uid() !== 0) this.skip()
        await store.keep(first)
        await writeFile(pathOf('uses.jsonl'), '')
        await Promise.all(['.', 'ca.key', 'ca.crt', 'uses.jsonl'].map((one) => chown(pathOf(one), 1234, 1234)))
        process.getuid = () => 1234
        const read = () => (name === 'uses.jsonl' ? store.usesOf('example.com') : store.find('example.com'))
        await read()
        await chown(pathOf(name), 4321, 1234)
        await assert.rejects(read, { code: 'CA_UNREADABLE', message: /belongs to another user/ })
      })
    }
  })

  describe('refuses with CA_UNREADABLE', () => {
    const unreadable = { name: 'UserError', code: 'CA_UNREADABLE', exitCode: 1 }
    beforeEach(async () => {
      await store.keep(first)
    })

    for (const name of ['ca.crt', 'ca.key']) {
      it(`half a pair: without ${name}`, async () => {
        await rm(pathOf(name))
        await assert.rejects(store.find('example.com'), unreadable)
      })

      it(`to store another CA over half a pair, and keeps the existing file (without ${name})`, async () => {
        await rm(pathOf(name))
        await assert.rejects(store.keep(second), unreadable)
        assert.deepEqual(await readdir(join(root, 'example.com')), [name === 'ca.crt' ? 'ca.key' : 'ca.crt'])
        assert.deepEqual(await readdir(root), ['example.com'])
      })

      it(`an empty file: ${name}`, async () => {
        await writeFile(pathOf(name), '')
        await assert.rejects(store.find('example.com'), unreadable)
      })

      it(`a directory in place of a file: ${name}`, async () => {
        await rm(pathOf(name))
        await mkdir(pathOf(name))
        await assert.rejects(store.find('example.com'), unreadable)
      })
    }

    it("a certificate with another certificate's key", async () => {
      await writeFile(pathOf('ca.key'), second.key)
      await assert.rejects(store.find('example.com'), unreadable)
    })

    it('and suggests how to start again without deleting anything', async () => {
      await rm(pathOf('ca.key'))
      const directory = join(root, 'example.com')
      await assert.rejects(store.find('example.com'), {
        message: `${directory} does not contain a certificate and its key`,
        suggestions: [
          `mv ${directory} ${directory}.broken   # the next run makes a new CA, which clients have to trust`,
        ],
      })
    })
  })
})
