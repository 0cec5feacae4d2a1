/** `multicluster certificates`: files, modes, and what is not overwritten. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { certificatesIn } from '../../src/certificates/facts.ts'
import { leadsTo } from '../../src/certificates/mesh-authority.ts'
import type { UserError } from '../../src/errors.ts'
import { makeCertificates } from '../../src/multicluster/certificates.ts'
import { FakeCluster } from '../fakes/fake-cluster.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { fakeWorld } from '../fakes/fake-world.ts'

const REQUEST = { clusters: ['west', 'east'], out: 'certificates', namespace: 'istio-system' }

describe('the files of certificates', () => {
  it("have the names of Istio's tools, and keys that only their owner reads", async () => {
    const world = fakeWorld(new FakeCluster([]), new FakeTerminal())
    const result = await makeCertificates(REQUEST, world)
    const text = (path: string) => String(world.files.get(`certificates/${path}`)?.data)
    assert.deepEqual(
      [...world.files].map(([path, { mode }]) => `${path} ${mode.toString(8)}`),
      [
        ...['west', 'east'].flatMap((name) => [
          `certificates/${name}/ca-cert.pem 644`,
          `certificates/${name}/ca-key.pem 600`,
          `certificates/${name}/cert-chain.pem 644`,
          `certificates/${name}/root-cert.pem 644`,
        ]),
        'certificates/root-cert.pem 644',
        'certificates/root-key.pem 600',
      ],
    )
    for (const name of ['west', 'east']) {
      const chain = certificatesIn(text(`${name}/cert-chain.pem`))
      // The root is not in the chain: clients have it, and Envoy would send it with each handshake.
      assert.equal(chain.length, 1)
      assert.equal(leadsTo(chain, [text('root-cert.pem')]), true)
      assert.equal(text(`${name}/root-cert.pem`), text('root-cert.pem'))
    }
    assert.equal(result.made, true)
  })

  it('are under the root that the user gives, whose key is not written again', async () => {
    const world = fakeWorld(new FakeCluster([]), new FakeTerminal())
    await makeCertificates(REQUEST, world)
    const of = (path: string) => String(world.files.get(`certificates/${path}`)?.data)
    const root = { certificate: of('root-cert.pem'), key: of('root-key.pem'), certificateName: 'c', keyName: 'k' }
    const result = await makeCertificates({ ...REQUEST, clusters: ['south'], root }, world)
    assert.deepEqual([result.made, result.files.length], [false, 4])
    assert.equal(leadsTo(certificatesIn(of('south/ca-cert.pem')), [root.certificate]), true)
  })

  it('are never overwritten: then none is written', async () => {
    const world = fakeWorld(new FakeCluster([]), new FakeTerminal())
    await makeCertificates({ ...REQUEST, clusters: ['east'] }, world)
    const before = [...world.files.keys()]
    await assert.rejects(makeCertificates(REQUEST, world), (error: UserError) => error.code === 'FILE_EXISTS')
    assert.deepEqual([...world.files.keys()], before)
  })
})
