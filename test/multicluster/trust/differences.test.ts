/** `--diff` of the commands that change trust: what the next phase would write, without a key. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'mocha'
import { readCertificate } from '../../../src/certificates/authority.ts'
import { type ConnectRequest, connect as reportConnect } from '../../../src/multicluster/connect.ts'
import { rotate as reportRotate } from '../../../src/multicluster/rotate.ts'
import type { TrustWorld } from '../../../src/multicluster/trust/trust-run.ts'
import { renderConnect, renderTrust } from '../../../src/rendering/multicluster/clusters.ts'
import type { FakeTrustCluster } from '../../fakes/fake-trust.ts'
import { expectGolden } from '../../golden-file.ts'
import { connect, REQUEST, type Setup, setUp, shortKeys } from './trust-world.ts'

let keys: string[] = []

before(() => {
  keys = shortKeys(4)
})

const DIFF: ConnectRequest = { ...REQUEST, dryRun: 'server' }

async function connectDiff(world: TrustWorld, request: ConnectRequest = DIFF): Promise<string> {
  return renderConnect(await reportConnect(request, world), 'server', undefined, true)
}

/** Fingerprints are other ones in each run: numbered as they come. Times are left out. */
function numbered(text: string): string {
  const known: string[] = []
  return text.replace(/"\d{4}-\d\d-\d\dT[\d:.]+Z"/g, 'TIME').replace(/\b([0-9A-F]{2}:){31}[0-9A-F]{2}\b/g, (one) => {
    if (!known.includes(one)) known.push(one)
    return `<${known.indexOf(one) + 1}>`
  })
}

function fingerprint(pem: string): string {
  return readCertificate(pem)?.fingerprint256 ?? ''
}

const own = (cluster: FakeTrustCluster) => {
  const secret = cluster.objects.find(({ metadata }) => metadata.name === 'istio-ca-secret')
  return fingerprint(Buffer.from((secret?.data as Record<string, string>)['ca-cert.pem'] ?? '', 'base64').toString())
}

/** The patch of one object. */
function patchOf(text: string, title: string): string {
  return text.split(/^(?=--- )/m).find((one) => one.startsWith(`--- ${title}\t`)) ?? ''
}

const written = ({ west, east }: Setup) => [...west.writes, ...east.writes]

describe('connect --diff', () => {
  it('shows what the first phase writes in each cluster, and writes nothing', async () => {
    const made = setUp(keys)
    const text = await connectDiff(made.world)
    expectGolden('multicluster-connect-diff.txt', numbered(text))
    assert.deepEqual(written(made), [])
    const roots = patchOf(text, 'secret/cacerts in namespace istio-system of cluster west').split('root-cert.pem')[1]
    for (const one of [own(made.west), own(made.east)]) assert.ok(roots?.includes(one))
  })

  it('shows no key', async () => {
    const made = setUp(keys)
    const before = await connectDiff(made.world)
    await connect({ ...REQUEST, renew: 'wait' }, made.world)
    for (const text of [before, await connectDiff(made.world)])
      for (const key of keys) assert.equal(text.includes(Buffer.from(key).toString('base64').slice(0, 60)), false)
  })

  it('keeps the root that it has made for the plan nowhere, and says so', async () => {
    const made = setUp(keys)
    const kept: string[] = []
    const { meshRoots } = made.world
    const world: TrustWorld = {
      ...made.world,
      meshRoots: {
        ...meshRoots,
        find: (domain: string) => meshRoots.find(domain),
        keep: async (authority: { domain: string; certificate: string; key: string }) => {
          kept.push(authority.domain)
          return meshRoots.keep(authority)
        },
      } as TrustWorld['meshRoots'],
    }
    const { result } = await reportConnect(DIFF, world)
    assert.deepEqual([result.problems.map(({ code }) => code), kept], [['MESH_CA_NOT_KEPT'], []])
    await connect(REQUEST, world)
    assert.equal(kept.length, 1)
  })

  it('shows restarts of workloads only where they would restart', async () => {
    const made = setUp(keys)
    const restarts = (text: string) => text.match(/^--- deployment\S* in namespace \S+/gm)?.map((one) => one.slice(4))
    assert.deepEqual(restarts(await connectDiff(made.world, { ...DIFF, renew: 'wait' })), [
      'deployment.apps/istiod in namespace istio-system',
      'deployment.apps/istiod in namespace istio-system',
    ])
    assert.equal(restarts(await connectDiff(made.world))?.length, 6)
  })

  it('shows the new CA when every proxy trusts both roots, and nothing when all is done', async () => {
    const made = setUp(keys)
    await connect({ ...REQUEST, renew: 'wait' }, made.world)
    // Proxies have renewed their certificates.
    for (const cluster of [made.west, made.east]) cluster.renew()
    const text = await connectDiff(made.world)
    const titles = text.match(/^--- \S+/gm)
    assert.deepEqual(titles, ['--- secret/cacerts', '--- secret/cacerts'])
    const patch = patchOf(text, 'secret/cacerts in namespace istio-system of cluster west')
    assert.match(patch, /-\s+- certificate SHA-256 .*\n/)
    assert.match(patch, /ca-key\.pem: '\*\*\* \(after\)'|ca-key\.pem: "\*\*\* \(after\)"|ca-key\.pem: \*\*\* \(after\)/)
    await connect(REQUEST, made.world)
    assert.equal(await connectDiff(made.world), 'no differences')
  })

  it('shows with --finish that the former roots go', async () => {
    const made = setUp(keys)
    await connect(REQUEST, made.world)
    const text = await connectDiff(made.world, { ...DIFF, finish: true })
    const patch = patchOf(text, 'secret/cacerts in namespace istio-system of cluster west')
    for (const one of [own(made.west), own(made.east)]) assert.ok(patch.includes(`-    - certificate SHA-256 ${one}`))
  })
})

describe('rotate --diff', () => {
  it('shows another CA under the same roots', async () => {
    const made = setUp(keys)
    await connect(REQUEST, made.world)
    const before = written(made).length
    const report = await reportRotate({ ...DIFF, ca: false }, made.world)
    const text = renderTrust(report, 'server', undefined, true)
    expectGolden('multicluster-rotate-diff.txt', numbered(text))
    assert.equal(written(made).length, before)
    assert.deepEqual(
      report.result.problems.map(({ code }) => code),
      ['MESH_CA_NOT_KEPT'],
    )
  })
})
