import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
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

  it('finds nothing at first, and makes no directory to look', async () => {
    assert.equal(await store.find('example.com'), undefined)
    assert.deepEqual(await readdir(parent), [])
  })

  it('finds what was kept, in another run too', async () => {
    assert.deepEqual(await store.keep(first), first)
    assert.deepEqual(await new DirectoryAuthorityStore(root).find('example.com'), first)
  })

  it('keeps domains apart', async () => {
    await store.keep(first)
    assert.equal(await store.find('example.org'), undefined)
    assert.equal(await store.find('grafana.example.com'), undefined)
  })

  it('tells where the certificate is', async () => {
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

      it('lets nobody else read what it keeps', async () => {
        await store.keep(first)
        const modes = await Promise.all(
          [root, join(root, 'example.com'), pathOf('ca.key'), pathOf('ca.crt')].map(modeOf),
        )
        assert.deepEqual(modes, ['700', '700', '600', '600'])
      })
    })
  }

  for (const mode of [0o644, 0o640, 0o604, 0o666]) {
    it(`closes a key of mode ${mode.toString(8)} before it is used`, async () => {
      await store.keep(first)
      await chmod(pathOf('ca.key'), mode)
      await store.find('example.com')
      assert.equal(await modeOf(pathOf('ca.key')), '600')
    })
  }

  it('leaves a key alone that its owner may not write to', async () => {
    await store.keep(first)
    await chmod(pathOf('ca.key'), 0o400)
    await store.find('example.com')
    assert.equal(await modeOf(pathOf('ca.key')), '400')
  })

  it('keeps the first of two authorities and hands it to the second run', async () => {
    await store.keep(first)
    assert.deepEqual(await store.keep(second), first)
    assert.deepEqual(await store.find('example.com'), first)
  })

  it('agrees on one winner when runs keep at the same time, and leaves no drafts', async () => {
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

  it('lets a draft that a killed run left do no harm', async () => {
    await mkdir(join(root, '.new-killed'), { recursive: true })
    await writeFile(join(root, '.new-killed', 'ca.key'), 'half a ke')
    assert.equal(await store.find('example.com'), undefined)
    assert.deepEqual(await store.keep(first), first)
    assert.deepEqual(await store.find('example.com'), first)
  })

  it('leaves no draft when writing fails, and says why', async () => {
    // What the disk does when it is full, at the second of the two files.
    const cannotBeWritten = { ...first, certificate: Symbol('unwritable') as unknown as string }
    await assert.rejects(store.keep(cannotBeWritten), { code: 'ERR_INVALID_ARG_TYPE' })
    assert.deepEqual(await readdir(root), [])
    assert.deepEqual(await store.keep(first), first)
  })

  it('hands out what another run has kept when writing fails', async () => {
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

    it('has the next authority beside the first, and both in the file that clients trust', async () => {
      assert.deepEqual(await store.keepNext('example.com', next()), next())
      assert.deepEqual(await new DirectoryAuthorityStore(root).find('example.com'), { ...first, next: next() })
      assert.equal(await textOf('ca.crt'), first.certificate + second.certificate)
      assert.equal(await modeOf(pathOf('next.pem')), '600')
      assert.deepEqual((await readdir(root)).sort(), ['example.com'])
    })

    it('keeps the first of two next authorities', async () => {
      const third = await authorityOf('example.com', 2)
      await store.keepNext('example.com', next())
      assert.deepEqual(await store.keepNext('example.com', { certificate: third.certificate, key: third.key }), next())
      assert.equal(await textOf('ca.crt'), first.certificate + second.certificate)
    })

    it('ends with the next one in the place of the first', async () => {
      await store.keepNext('example.com', next())
      await store.promoteNext('example.com')
      assert.deepEqual(await store.find('example.com'), second)
      assert.deepEqual((await readdir(join(root, 'example.com'))).sort(), ['ca.crt', 'ca.key'])
      assert.equal(await textOf('ca.crt'), second.certificate)
      assert.deepEqual(await Promise.all(['ca.crt', 'ca.key'].map(pathOf).map(modeOf)), ['600', '600'])
      assert.deepEqual((await readdir(root)).sort(), ['example.com'])
    })

    it('has nothing to end when none has begun', async () => {
      await store.promoteNext('example.com')
      assert.deepEqual(await store.find('example.com'), first)
    })

    it('goes on after a run that ended before it wrote what clients trust', async () => {
      await writeFile(pathOf('next.pem'), second.certificate + second.key)
      assert.deepEqual((await store.find('example.com'))?.next, next())
      assert.equal(await textOf('ca.crt'), first.certificate + second.certificate)
    })

    it('is ended for a run that was cut off once the next key was in its place', async () => {
      await store.keepNext('example.com', next())
      await writeFile(pathOf('ca.key'), second.key)
      assert.deepEqual(await store.find('example.com'), second)
      assert.equal(await textOf('ca.crt'), second.certificate)
      assert.deepEqual((await readdir(join(root, 'example.com'))).sort(), ['ca.crt', 'ca.key'])
    })

    it('is ended for a run that was cut off before the last file went', async () => {
      await store.keepNext('example.com', next())
      await writeFile(pathOf('ca.key'), second.key)
      await writeFile(pathOf('ca.crt'), second.certificate)
      assert.deepEqual(await store.find('example.com'), second)
      assert.deepEqual((await readdir(join(root, 'example.com'))).sort(), ['ca.crt', 'ca.key'])
    })

    it('has no next authority while its file is half a pair', async () => {
      await writeFile(pathOf('next.pem'), second.certificate)
      assert.deepEqual(await store.find('example.com'), first)
    })
  })

  describe('refuses with AUTHORITY_UNREADABLE', () => {
    const unreadable = { name: 'UserError', code: 'AUTHORITY_UNREADABLE', exitCode: 1 }
    beforeEach(async () => {
      await store.keep(first)
    })

    for (const name of ['ca.crt', 'ca.key']) {
      it(`half a pair: without ${name}`, async () => {
        await rm(pathOf(name))
        await assert.rejects(store.find('example.com'), unreadable)
      })

      it(`to keep another authority in place of half a pair, and leaves what is there (without ${name})`, async () => {
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

    it("a certificate beside another one's key", async () => {
      await writeFile(pathOf('ca.key'), second.key)
      await assert.rejects(store.find('example.com'), unreadable)
    })

    it('and tells how to start anew, without deleting anything', async () => {
      await rm(pathOf('ca.key'))
      const directory = join(root, 'example.com')
      await assert.rejects(store.find('example.com'), {
        message: `${directory} does not hold a certificate and its key`,
        suggestions: [
          `mv ${directory} ${directory}.broken   # a new authority is then made; clients have to trust that one`,
        ],
      })
    })
  })
})
