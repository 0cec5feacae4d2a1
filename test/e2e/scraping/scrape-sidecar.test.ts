/** The method for Istio before 1.31, which works with newer ones as well: so this runs on whichever the mesh has. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
import { issueLeaf } from '../../../src/certificates/authority.ts'
import { planSidecar } from '../../../src/scraping/methods/sidecar-method.ts'
import { authorityOf, issuing } from '../../certificates/issuing.ts'
import { Workplace } from '../mesh.ts'
import { analysis, inboundChains } from '../proxy-config.ts'
import { addresses, ask, type Certificate, certificateOf, restarted, scraper, settled, shop } from '../scraping.ts'
import { type Named, Plans } from '../scraping-plans.ts'

const NAMESPACE = 'scraped'
const SHOP: Named = { kind: 'Deployment', namespace: NAMESPACE, name: 'shop' }
const TILL: Named = { kind: 'Deployment', namespace: NAMESPACE, name: 'till' }
const VAULT: Named = { kind: 'StatefulSet', namespace: NAMESPACE, name: 'vault' }
const WORKLOADS = [SHOP, TILL, VAULT]
const PATH = '/stats/prometheus'

describe('scraping by a Sidecar, on the real mesh', () => {
  const workplace = new Workplace()
  const plans = new Plans()
  let certificate: Certificate
  let stranger: Certificate
  let chains: Map<number, string[]>[]
  let found: string[]

  const address = ({ name }: Named) => addresses(workplace, NAMESPACE, name)[0] ?? ''
  const at = (workload: Named, port: number, path = PATH) => `${address(workload)}:${port}${path}`
  const read = () =>
    WORKLOADS.map(({ kind, name }) => inboundChains(workplace, NAMESPACE, `${kind.toLowerCase()}/${name}`))
  const policy = (name: string, spec: object) => ({
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: { name, namespace: NAMESPACE },
    spec,
  })
  /** What a workload's port answers to a certificate of the mesh, to another authority's, to none, and in clear. */
  const answers = async (workload: Named, port = 15091) => [
    await settled(200, () => ask(`https://${at(workload, port)}`, certificate)),
    ask(`https://${at(workload, port)}`, stranger).status,
    ask(`https://${at(workload, port)}`).status,
    ask(`http://${at(workload, port)}`).status,
  ]
  const ALONE = [200, 0, 0, 0]

  before(async () => {
    workplace.apply(...shop(NAMESPACE), ...scraper(NAMESPACE))
    restarted(workplace, NAMESPACE)
    certificate = await certificateOf(workplace, NAMESPACE)
    stranger = await strange(certificate)
    chains = read()
    found = analysis(workplace, NAMESPACE)
    for (const workload of WORKLOADS) await plans.carryOut(workload, planSidecar)
    restarted(workplace, NAMESPACE)
  })
  after(async () => {
    await plans.cluster.close()
    workplace.kubectl('delete', 'namespace', NAMESPACE, '--wait=true', '--timeout=90s')
    workplace.end()
  })

  async function strange({ cacert }: Certificate): Promise<Certificate> {
    const now = { now: new Date() }
    const { certificate, key } = await issueLeaf(
      await authorityOf('example.com', 0, now),
      ['example.com'],
      issuing(1, now),
    )
    const files = {
      cert: join(workplace.directory, 'strange.pem'),
      key: join(workplace.directory, 'strange.key'),
      cacert,
    }
    writeFileSync(files.cert, certificate)
    writeFileSync(files.key, key, { mode: 0o600 })
    return files
  }

  for (const workload of WORKLOADS) {
    it(`${workload.kind} ${workload.name} is scraped with a certificate of the mesh, and in no other way`, async () => {
      assert.deepEqual(await answers(workload), ALONE)
    })
  }

  it('the application’s metrics are among them', () => {
    const { body } = ask(`https://${at(SHOP, 15091)}`, certificate)
    assert.match(body, /^prometheus_build_info\{/m)
    assert.match(body, /^envoy_server_live/m)
  })

  it('nothing but the metrics is there: not what ends the agent', () => {
    for (const path of [
      '/quitquitquit',
      '/healthz/ready',
      `${PATH}/../../quitquitquit`,
      `${PATH}%2f..%2f..%2fquitquitquit`,
    ])
      assert.equal(ask(`https://${at(SHOP, 15091, path)}`, certificate, '-X', 'POST', '--path-as-is').status, 403, path)
    assert.equal(ask(`https://${at(SHOP, 15091)}`, certificate).status, 200)
  })

  it('every port of theirs has the filter chains that it had, and answers', () => {
    for (const [index, after] of read().entries()) {
      const others = new Map([...after].filter(([port]) => port !== 15091))
      assert.deepEqual(others, chains[index])
      assert.equal(after.size, others.size + 1)
    }
    assert.equal(ask(`http://${at(SHOP, 8080, '/status/200')}`).status, 200)
    assert.equal(ask(`http://${at(SHOP, 9090, '/metrics')}`).status, 200)
  })

  it('the analyzer finds nothing but the annotation that it does not know', () => {
    const news = analysis(workplace, NAMESPACE).filter((message) => !found.includes(message))
    assert.deepEqual([...new Set(news.map((message) => message.split(' ')[0]))], ['IST0108'])
  })

  for (const mode of ['STRICT', 'DISABLE']) {
    it(`a namespace that says ${mode} goes on to say it for the other ports`, async () => {
      workplace.apply(policy('default', { mtls: { mode } }))
      try {
        const clear = mode === 'STRICT' ? 0 : 200
        assert.equal(await settled(clear, () => ask(`http://${at(SHOP, 8080, '/status/200')}`)), clear)
        assert.deepEqual(await answers(SHOP), ALONE)
      } finally {
        workplace.kubectl('-n', NAMESPACE, 'delete', 'peerauthentication', 'default')
      }
    })
  }

  it('pods that are replaced are scraped without us', async () => {
    workplace.kubectl('-n', NAMESPACE, 'delete', 'pods', '--all', '--wait=true')
    restarted(workplace, NAMESPACE)
    for (const workload of WORKLOADS) assert.deepEqual(await answers(workload), ALONE)
  })

  it('hardened, the ports in clear answer nobody else, and probes go on', async () => {
    assert.deepEqual([ask(`http://${at(SHOP, 15020)}`).status, ask(`http://${at(SHOP, 15090)}`).status], [200, 200])
    await plans.carryOut(SHOP, planSidecar, { harden: true })
    restarted(workplace, NAMESPACE)
    assert.deepEqual(await answers(SHOP), ALONE)
    assert.match(ask(`https://${at(SHOP, 15091)}`, certificate).body, /^prometheus_build_info\{/m)
    assert.deepEqual([ask(`http://${at(SHOP, 15020)}`).status, ask(`http://${at(SHOP, 15090)}`).status], [403, 0])
    assert.equal(ask(`http://${at(SHOP, 15020, '/app-health/httpbin/readyz')}`).status, 200)
  })
})
