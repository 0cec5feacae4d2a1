/** The lab's two clusters: what one reaches of the other, and what can happen to them. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import { plugLinkIn, startApiServer, stopApiServer, unplugLink } from '../../lab/faults.ts'
import { type ClusterNumber, loadBalancer, siteOfCluster } from '../../lab/lab.ts'
import { difference } from '../dump.ts'
import type { Workplace } from '../mesh.ts'
import { podOf } from '../mesh-workloads.ts'
import {
  CLIENT_WITH_CURL,
  CLIENT_WITH_WGET,
  CONTEXTS,
  call,
  endNamespaces,
  httpbin,
  inSleep,
  sleep,
  start,
  TwoClusters,
} from '../two-clusters.ts'

const [FOO, BAR] = ['two-clusters-foo', 'two-clusters-bar']
/** The gateway's own page, which answers without a route. */
const [HEALTH_PORT, HEALTH] = [15021, '/healthz/ready']

const otherOf = (cluster: ClusterNumber): ClusterNumber => (cluster === 1 ? 2 : 1)

interface Service {
  spec: { clusterIP: string; ports: { port: number; nodePort: number }[] }
}

const gatewayService = (workplace: Workplace): Service =>
  JSON.parse(workplace.kubectl('-n', 'istio-system', 'get', 'service', 'istio-ingressgateway', '-o', 'json'))

function nodePortOf(workplace: Workplace): string {
  const { ports } = gatewayService(workplace).spec
  const { nodeAddress } = siteOfCluster(workplace.cluster)
  return `http://${nodeAddress}:${ports.find(({ port }) => port === HEALTH_PORT)?.nodePort}${HEALTH}`
}

describe('two clusters', () => {
  let clusters: TwoClusters
  let earlier: Map<string, string>
  const at = (cluster: ClusterNumber) => (cluster === 1 ? clusters.first : clusters.second)
  /** From a pod without a sidecar: its packets go out as it made them. */
  const from = (cluster: ClusterNumber, url: string) => call(at(cluster), FOO, url, '--connect-timeout', '3').status

  before(async function () {
    this.timeout('20m')
    clusters = await TwoClusters.start()
    for (const cluster of [1, 2] as const) endNamespaces(at(cluster), FOO, BAR) // of a run that was cut off
    earlier = clusters.dump()
    for (const cluster of [1, 2] as const) start(at(cluster), withoutSidecars(sleep(FOO)))
  })

  after(async () => {
    await plugLinkIn()
    for (const cluster of [1, 2] as const) {
      endNamespaces(at(cluster), FOO, BAR)
      await loadBalancer('off', cluster)
    }
    clusters.end()
  })

  it('are two contexts of one kubeconfig', () => {
    const { first } = clusters
    assert.deepEqual(first.kubectl('config', 'get-contexts', '-o', 'name').trim().split('\n'), CONTEXTS)
    const uids = CONTEXTS.map((context) =>
      first.kubectl('--context', context, 'get', 'namespace', 'kube-system', '-o', 'jsonpath={.metadata.uid}'),
    )
    assert.notEqual(uids[0], uids[1])
  })

  it('have meshes of the same version with roots of their own; the second has no add-ons', () => {
    const [one, two] = ([1, 2] as const).map((cluster) => {
      const inMesh = ['-n', 'istio-system', 'get']
      const deployments = at(cluster)
        .kubectl(...inMesh, 'deployments', '-o', 'name')
        .trim()
        .split('\n')
      const image = '-o=jsonpath={.spec.template.spec.containers[0].image}'
      return {
        deployments,
        istiod: at(cluster).kubectl(...inMesh, 'deployment', 'istiod', image),
        root: at(cluster).kubectl(...inMesh, 'configmap', 'istio-ca-root-cert', '-o=jsonpath={.data}'),
      }
    })
    assert.ok(one && two)
    assert.equal(two.istiod, one.istiod)
    assert.notEqual(two.root, one.root)
    assert.deepEqual(two.deployments, ['deployment.apps/istio-ingressgateway', 'deployment.apps/istiod'])
  })

  for (const cluster of [1, 2] as const) {
    const other = otherOf(cluster)
    it(`a pod of cluster ${cluster} reaches node port and load balancer of the other, no pod and no Service of it`, async () => {
      assert.equal(from(cluster, nodePortOf(at(other))), 200)
      await loadBalancer('on', other)
      assert.equal(from(cluster, `http://${siteOfCluster(other).loadBalancerAddress}:${HEALTH_PORT}${HEALTH}`), 200)
      const { address: pod } = podOf(at(other), 'istio-system', 'istio-ingressgateway')
      // The same page by the same pod's address answers inside its cluster.
      assert.equal(from(other, `http://${pod}:${HEALTH_PORT}${HEALTH}`), 200)
      assert.equal(from(cluster, `http://${pod}:${HEALTH_PORT}${HEALTH}`), 0)
      const { clusterIP } = gatewayService(at(other)).spec
      assert.equal(from(other, `http://${clusterIP}:${HEALTH_PORT}${HEALTH}`), 200)
      assert.equal(from(cluster, `http://${clusterIP}:${HEALTH_PORT}${HEALTH}`), 0)
    })
  }

  it('have the page’s pods, which call with curl and wget through their sidecars', () => {
    const { second } = clusters
    start(second, httpbin(BAR))
    start(second, sleep(BAR))
    const { status, body } = call(second, BAR, 'http://httpbin:8000/headers', '-H', 'X-Test: one')
    assert.deepEqual([status, /"X-Test"/.test(body), /"X-Forwarded-Client-Cert"/.test(body)], [200, true, true], body)
    const url = 'http://httpbin:8000/status/418'
    const { stderr, exitCode } = inSleep(second, BAR, 'wget', '-q', '-S', '-O', '-', '-T', '5', url)
    assert.match(stderr, /^ {2}HTTP\/1\.1 418 /m)
    assert.notEqual(exitCode, 0)
    assert.match(inSleep(second, BAR, 'curl', '-sS', '-I', url).stdout, /^HTTP\/1\.1 418 /)
  })

  for (const [image, has, lacks] of [
    [CLIENT_WITH_CURL, 'curl', 'wget'],
    [CLIENT_WITH_WGET, 'wget', 'curl'],
  ] as const)
    it(`have an image with ${has} and without ${lacks}`, () => {
      start(clusters.first, withoutSidecars(sleep(BAR, { image })))
      assert.equal(inSleep(clusters.first, BAR, has, '--version').exitCode, 0)
      assert.match(inSleep(clusters.first, BAR, lacks, '--version').stderr, /executable file not found/)
    })

  it('lose each other while the link is out, and nothing else', async () => {
    await unplugLink()
    assert.deepEqual([from(1, nodePortOf(clusters.second)), from(2, nodePortOf(clusters.first))], [0, 0])
    assert.deepEqual([from(1, nodePortOf(clusters.first)), from(2, nodePortOf(clusters.second))], [200, 200])
    await plugLinkIn()
    assert.deepEqual([from(1, nodePortOf(clusters.second)), from(2, nodePortOf(clusters.first))], [200, 200])
  })

  it('go on while the API server of the second is away', async () => {
    const { first, second } = clusters
    const address = nodePortOf(second)
    await stopApiServer(2)
    try {
      assert.equal(first.run('kubectl', ['--context', 'lab-2', 'get', '--raw=/readyz']).exitCode, 1)
      assert.equal(first.kubectl('--context', 'lab', 'get', '--raw=/readyz'), 'ok')
      assert.equal(from(1, address), 200)
    } finally {
      await startApiServer(2)
    }
    assert.equal(first.kubectl('--context', 'lab-2', 'get', '--raw=/readyz'), 'ok')
  })

  it('are without a way in while the second has no gateway', () => {
    const { second } = clusters
    const scale = (replicas: number) =>
      second.kubectl('-n', 'istio-system', 'scale', 'deployment/istio-ingressgateway', `--replicas=${replicas}`)
    try {
      scale(0)
      const gone = ['--for=delete', '--timeout=60s']
      second.kubectl('-n', 'istio-system', 'wait', 'pods', '-l', 'app=istio-ingressgateway', ...gone)
      assert.equal(from(1, nodePortOf(second)), 0)
    } finally {
      scale(1)
    }
    second.waitForRollout('istio-ingressgateway')
    assert.equal(from(1, nodePortOf(second)), 200)
  })

  it('are afterwards as they were before', async () => {
    for (const cluster of [1, 2] as const) {
      endNamespaces(at(cluster), FOO, BAR)
      await loadBalancer('off', cluster)
    }
    assert.deepEqual(difference(earlier, clusters.dump()), [])
  })
})

/** The same objects in a namespace that gets no sidecars. */
function withoutSidecars(objects: object[]): object[] {
  return objects.map((object) => {
    const { kind, metadata } = object as { kind: string; metadata: { name: string } }
    return kind === 'Namespace' ? { apiVersion: 'v1', kind, metadata: { name: metadata.name } } : object
  })
}
