/** The method `sidecar` for pods that have policies and Sidecars of their user. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import type { Scraper } from '../../../src/scraping/methods/planner.ts'
import { planSidecar } from '../../../src/scraping/methods/sidecar-method.ts'
import { difference, dump } from '../dump.ts'
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

const NAMESPACE = 'beside'
const SHOP: WorkloadName = { kind: 'Deployment', namespace: NAMESPACE, name: 'shop' }
const TILL: WorkloadName = { kind: 'Deployment', namespace: NAMESPACE, name: 'till' }
const VAULT: WorkloadName = { kind: 'StatefulSet', namespace: NAMESPACE, name: 'vault' }

function policies(): object[] {
  const metadata = (name: string) => ({ name, namespace: NAMESPACE })
  const security = 'security.istio.io/v1'
  const networking = 'networking.istio.io/v1'
  const egress = [{ hosts: ['./*', 'istio-system/*'] }]
  return [
    // As in most strict meshes, only requests of a list are allowed.
    { apiVersion: security, kind: 'AuthorizationPolicy', metadata: metadata('nothing'), spec: {} },
    {
      apiVersion: security,
      kind: 'AuthorizationPolicy',
      metadata: metadata('pages'),
      spec: { rules: [{ to: [{ operation: { ports: ['8080', '9090'] } }] }] },
    },
    {
      apiVersion: security,
      kind: 'PeerAuthentication',
      metadata: metadata('till'),
      spec: {
        selector: { matchLabels: { app: 'till' } },
        mtls: { mode: 'PERMISSIVE' },
        portLevelMtls: { 9001: { mode: 'DISABLE' } },
      },
    },
    { apiVersion: networking, kind: 'Sidecar', metadata: metadata('default'), spec: { egress } },
    {
      apiVersion: networking,
      kind: 'Sidecar',
      metadata: metadata('vault'),
      spec: {
        workloadSelector: { labels: { app: 'vault' } },
        egress,
        outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' },
      },
    },
  ]
}

describe('scraping by a Sidecar together with the user’s policies and Sidecars, on the real mesh', () => {
  const workplace = new Workplace()
  const plans = new Plans()
  let certificate: Certificate
  let untouched: Map<string, string>
  let chains: Map<number, string[]>[]
  let outbound: string[]

  const workloads = [SHOP, TILL, VAULT]
  const at = ({ name }: WorkloadName, port = 15091, path = '/stats/prometheus') =>
    `${addresses(workplace, NAMESPACE, name)[0]}:${port}${path}`
  const read = () =>
    workloads.map(({ kind, name }) => inboundChains(workplace, NAMESPACE, `${kind.toLowerCase()}/${name}`))
  /** Outbound clusters of each proxy, which the egress of its Sidecar limits. */
  const outboundClusters = () =>
    workloads.map(({ kind, name }) => {
      const words = [
        'proxy-config',
        'clusters',
        `${kind.toLowerCase()}/${name}`,
        '-n',
        NAMESPACE,
        '--direction',
        'outbound',
      ]
      const { stdout, stderr, exitCode } = workplace.run('istioctl', words)
      assert.equal(exitCode, 0, stderr)
      return stdout
    })

  before(async () => {
    workplace.apply(...shop(NAMESPACE), ...scraper(NAMESPACE), ...policies())
    waitForRestarts(workplace, NAMESPACE)
    certificate = await certificateOf(workplace, NAMESPACE)
    untouched = dump(workplace)
    chains = read()
    outbound = outboundClusters()
    for (const workload of workloads) await plans.applyPlan(workload, planSidecar)
    waitForRestarts(workplace, NAMESPACE)
  })
  after(async () => {
    await plans.cluster.close()
    workplace.telemetry('cleanup', '--scraping', '-y')
    workplace.kubectl('delete', 'namespace', NAMESPACE, '--wait=true', '--timeout=90s')
    workplace.end()
  })

  it('serves metrics only to clients with a certificate of the mesh', async () => {
    for (const workload of workloads) {
      assert.equal(await awaitStatus(200, () => ask(`https://${at(workload)}`, certificate)), 200, workload.name)
      assert.equal(ask(`http://${at(workload)}`).status, 0)
      assert.equal(ask(`https://${at(workload)}`).status, 0)
      assert.equal(ask(`https://${at(workload, 15091, '/quitquitquit')}`, certificate, '-X', 'POST').status, 403)
    }
  })

  it('leaves the applications’ ports, their filter chains and the outbound clusters unchanged', () => {
    assert.equal(ask(`http://${at(SHOP, 8080, '/status/200')}`).status, 200)
    for (const [index, after] of read().entries()) {
      const ports = (map?: Map<number, string[]>) => [...(map ?? [])].map(([port, all]) => `${port}: ${all.length}`)
      assert.deepEqual(ports(new Map([...after].filter(([port]) => port !== 15091))), ports(chains[index]))
    }
    assert.deepEqual(outboundClusters(), outbound)
  })

  it('causes no message of istioctl analyze about its objects', () => {
    const about = analysis(workplace, NAMESPACE).filter((message) => /kubectl-telemetry|Sidecar|PeerAuth/.test(message))
    assert.deepEqual(about, [])
  })

  it('lets in only Prometheus when requested, also after a run without that request', async () => {
    const only = (onlyPrometheus: Scraper) => plans.applyPlan(SHOP, planSidecar, { harden: false, onlyPrometheus })
    await only({ namespace: 'istio-system', serviceAccount: 'prometheus', labels: {} })
    assert.equal(await awaitStatus(403, () => ask(`https://${at(SHOP)}`, certificate)), 403)
    await plans.applyPlan(SHOP, planSidecar)
    assert.equal(ask(`https://${at(SHOP)}`, certificate).status, 403)
    await only({ namespace: NAMESPACE, serviceAccount: 'default', labels: {} })
    assert.equal(await awaitStatus(200, () => ask(`https://${at(SHOP)}`, certificate)), 200)
  })

  it('is undone by cleanup --scraping without a difference', () => {
    const { stdout, stderr, exitCode } = workplace.telemetry('cleanup', '--scraping', '-y')
    assert.equal(exitCode, 0, stdout + stderr)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })
})
