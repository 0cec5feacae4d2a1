/** The method for Istio before 1.31. It works with newer versions too, so this test runs on any version. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
import { issueLeaf } from '../../../src/certificates/authority.ts'
import { planSidecar } from '../../../src/scraping/methods/sidecar-method.ts'
import { authorityOf, issuing } from '../../certificates/issuing.ts'
import { Workplace } from '../mesh.ts'
import { analysis, inboundChains } from '../proxy-config.ts'
import {
  addresses,
  ask,
  awaitStatus,
  type Certificate,
  certificateOf,
  scraper,
  shop,
  waitForRestarts,
} from '../scraping.ts'
import { Plans, type WorkloadName } from '../scraping-plans.ts'

const NAMESPACE = 'scraped'
const SHOP: WorkloadName = { kind: 'Deployment', namespace: NAMESPACE, name: 'shop' }
const TILL: WorkloadName = { kind: 'Deployment', namespace: NAMESPACE, name: 'till' }
const VAULT: WorkloadName = { kind: 'StatefulSet', namespace: NAMESPACE, name: 'vault' }
const WORKLOADS = [SHOP, TILL, VAULT]
const PATH = '/stats/prometheus'

describe('scraping by a Sidecar, on the real mesh', () => {
  const workplace = new Workplace()
  const plans = new Plans()
  let certificate: Certificate
  let stranger: Certificate
  let chains: Map<number, string[]>[]
  let found: string[]

  const address = ({ name }: WorkloadName) => addresses(workplace, NAMESPACE, name)[0] ?? ''
  const at = (workload: WorkloadName, port: number, path = PATH) => `${address(workload)}:${port}${path}`
  const read = () =>
    WORKLOADS.map(({ kind, name }) => inboundChains(workplace, NAMESPACE, `${kind.toLowerCase()}/${name}`))
  const policy = (name: string, spec: object) => ({
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: { name, namespace: NAMESPACE },
    spec,
  })
  /** Statuses of a workload's port with a certificate of the mesh, with one of another CA, without one, and in plaintext. */
  const answers = async (workload: WorkloadName, port = 15091) => [
    await awaitStatus(200, () => ask(`https://${at(workload, port)}`, certificate)),
    ask(`https://${at(workload, port)}`, stranger).status,
    ask(`https://${at(workload, port)}`).status,
    ask(`http://${at(workload, port)}`).status,
  ]
  const ONLY_MESH = [200, 0, 0, 0]

  before(async () => {
    workplace.apply(...shop(NAMESPACE), ...scraper(NAMESPACE))
    waitForRestarts(workplace, NAMESPACE)
    certificate = await certificateOf(workplace, NAMESPACE)
    stranger = await strangersCertificate(certificate)
    chains = read()
    found = analysis(workplace, NAMESPACE)
    for (const workload of WORKLOADS) await plans.applyPlan(workload, planSidecar)
    waitForRestarts(workplace, NAMESPACE)
  })
  after(async () => {
    await plans.cluster.close()
    workplace.kubectl('delete', 'namespace', NAMESPACE, '--wait=true', '--timeout=90s')
    workplace.end()
  })

  async function strangersCertificate({ cacert }: Certificate): Promise<Certificate> {
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
    it(`serves metrics of ${workload.kind} ${workload.name} only to clients with a certificate of the mesh`, async () => {
      assert.deepEqual(await answers(workload), ONLY_MESH)
    })
  }

  it('serves the application’s metrics too', () => {
    const { body } = ask(`https://${at(SHOP, 15091)}`, certificate)
    assert.match(body, /^prometheus_build_info\{/m)
    assert.match(body, /^envoy_server_live/m)
  })

  it('serves nothing but metrics: requests that would end the agent are refused', () => {
    for (const path of [
      '/quitquitquit',
      '/healthz/ready',
      `${PATH}/../../quitquitquit`,
      `${PATH}%2f..%2f..%2fquitquitquit`,
    ])
      assert.equal(ask(`https://${at(SHOP, 15091, path)}`, certificate, '-X', 'POST', '--path-as-is').status, 403, path)
    assert.equal(ask(`https://${at(SHOP, 15091)}`, certificate).status, 200)
  })

  it('keeps the filter chains of the applications’ ports, which still answer', () => {
    for (const [index, after] of read().entries()) {
      const others = new Map([...after].filter(([port]) => port !== 15091))
      assert.deepEqual(others, chains[index])
      assert.equal(after.size, others.size + 1)
    }
    assert.equal(ask(`http://${at(SHOP, 8080, '/status/200')}`).status, 200)
    assert.equal(ask(`http://${at(SHOP, 9090, '/metrics')}`).status, 200)
  })

  it('causes only the message of istioctl analyze about an annotation that it does not know', () => {
    const news = analysis(workplace, NAMESPACE).filter((message) => !found.includes(message))
    assert.deepEqual([...new Set(news.map((message) => message.split(' ')[0]))], ['IST0108'])
  })

  for (const mode of ['STRICT', 'DISABLE']) {
    it(`keeps the namespace’s mode ${mode} for the other ports`, async () => {
      workplace.apply(policy('default', { mtls: { mode } }))
      try {
        const status = mode === 'STRICT' ? 0 : 200
        assert.equal(await awaitStatus(status, () => ask(`http://${at(SHOP, 8080, '/status/200')}`)), status)
        assert.deepEqual(await answers(SHOP), ONLY_MESH)
      } finally {
        workplace.kubectl('-n', NAMESPACE, 'delete', 'peerauthentication', 'default')
      }
    })
  }

  it('serves metrics of replaced pods without another run', async () => {
    workplace.kubectl('-n', NAMESPACE, 'delete', 'pods', '--all', '--wait=true')
    waitForRestarts(workplace, NAMESPACE)
    for (const workload of WORKLOADS) assert.deepEqual(await answers(workload), ONLY_MESH)
  })

  it('closes the plaintext ports to other clients when hardened, and probes still work', async () => {
    assert.deepEqual([ask(`http://${at(SHOP, 15020)}`).status, ask(`http://${at(SHOP, 15090)}`).status], [200, 200])
    await plans.applyPlan(SHOP, planSidecar, { harden: true })
    waitForRestarts(workplace, NAMESPACE)
    assert.deepEqual(await answers(SHOP), ONLY_MESH)
    assert.match(ask(`https://${at(SHOP, 15091)}`, certificate).body, /^prometheus_build_info\{/m)
    assert.deepEqual([ask(`http://${at(SHOP, 15020)}`).status, ask(`http://${at(SHOP, 15090)}`).status], [403, 0])
    assert.equal(ask(`http://${at(SHOP, 15020, '/app-health/httpbin/readyz')}`).status, 200)
  })
})
