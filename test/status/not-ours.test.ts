// What others put into the cluster is no exposure of ours, and hides none.
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { certStatus } from '../../src/certifying/status.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { expose } from '../../src/exposing/expose.ts'
import type { Finding } from '../../src/findings.ts'
import { status } from '../../src/status/status.ts'
import { DAY, held } from '../certifying/certifying.ts'
import { createdObjects, find, fullMesh, requestFor } from '../exposing/exposing.ts'
import { claimed, copied } from '../exposing/planted.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { ingressGateway, service } from '../fakes/mesh.ts'

const REQUEST = { expiresIn: 14 * DAY }
const KINDS = ['Gateway', 'VirtualService', 'EnvoyFilter', 'AuthorizationPolicy', 'Secret']
const OURS = { 'app.kubernetes.io/managed-by': 'kubectl-telemetry', 'kubectl-telemetry/part': 'exposing' }

/** Grafana and Kiali exposed, with both kinds of guards. */
async function exposed(): Promise<FakeWorld> {
  const of = fullMesh()
  await expose({ ...requestFor('grafana'), guard: { cidrs: ['203.0.113.0/24'] } }, of)
  await expose({ ...requestFor('kiali'), guard: { login: { kind: 'basic', users: undefined } } }, of)
  of.prober.serving = () => held(of, 'tls.crt')
  of.prober.probed.length = 0
  return of
}

const ours = ({ cluster }: FakeWorld) =>
  createdObjects(cluster, 'istio-system').filter(({ kind }) => KINDS.includes(kind))
/** A namespace whose name comes first: nothing of ours may depend on the order. */
const plant = ({ cluster }: FakeWorld, ...objects: KubeObject[]) => cluster.objects.unshift(...objects)
const untrusted = (findings: readonly Finding[]) =>
  findings
    .filter(({ code }) => code === 'OBJECT_NOT_TRUSTED')
    .map(({ message }) => message.replace(/ is not trusted.*/, ''))
    .sort()
const others = (findings: readonly Finding[]) =>
  findings.map(({ code }) => code).filter((code) => code !== 'OBJECT_NOT_TRUSTED')

function inClear(gateway: KubeObject): KubeObject {
  const server = { port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['grafana.evil.example'] }
  return { ...gateway, spec: { selector: { istio: 'ingressgateway' }, servers: [server] } }
}

/** A Service with a port like those of the layout `ports`, of our field manager. */
function withPorts(namespace: string): KubeObject {
  const ports = [{ name: 'telemetry-grafana', port: 15031, targetPort: 15031, protocol: 'TCP' }]
  const object = service(namespace, 'mine', {}, { type: 'ClusterIP', selector: { app: 'mine' }, ports })
  const key = 'k:{"port":15031,"protocol":"TCP"}'
  const fieldsV1 = { 'f:spec': { 'f:ports': { [key]: { '.': {}, 'f:name': {}, 'f:port': {} } } } }
  const managedFields = [{ manager: 'istio-telemetry-exposing', operation: 'Apply', fieldsV1 }]
  return { ...object, metadata: { ...object.metadata, managedFields } }
}

describe('status and objects that only look like those of kubectl telemetry', () => {
  for (const [what, make] of [
    ['copies', copied],
    ['copies under the name of our field manager', claimed],
    [
      'copies, and a Gateway in clear',
      (one: KubeObject, namespace: string) =>
        one.kind === 'Gateway' ? inClear(claimed(one, namespace)) : claimed(one, namespace),
    ],
  ] as const)
    it(`lists no exposure of a tenant, asks nothing at it, and reports each object once: ${what}`, async () => {
      const of = await exposed()
      const before = await status(REQUEST, of)
      const asked = of.prober.probed.splice(0)
      const copies = ours(of).map((object) => make(object, 'adversary'))
      plant(of, ...copies, withPorts('adversary'))
      const { problems, ...report } = await status(REQUEST, of)
      const { problems: _, ...expected } = before
      assert.ok(asked.length > 0)
      assert.deepEqual(report, expected)
      assert.deepEqual(of.prober.probed, asked)
      assert.deepEqual(others(problems), others(before.problems))
      assert.deepEqual(
        untrusted(problems),
        [...copies.map(({ kind, metadata }) => `${kind} adversary/${metadata.name}`), 'Service adversary/mine'].sort(),
      )
    })

  it('reads one more list for a namespace of a tenant', async () => {
    const of = await exposed()
    of.cluster.reads.length = 0
    await status(REQUEST, of)
    const reads = of.cluster.reads.splice(0)
    plant(of, ...ours(of).map((object) => claimed(object, 'adversary')))
    await status(REQUEST, of)
    assert.deepEqual(of.cluster.reads.sort(), [...reads, 'list pods'].sort())
  })

  it('finds nothing left over in the namespace of a tenant, and offers no cleanup because of it', async () => {
    const of = await exposed()
    const before = await status(REQUEST, of)
    const copies = ours(of).filter(({ kind }) => kind !== 'Gateway')
    plant(of, ...copies.map((object) => claimed(object, 'adversary')), withPorts('adversary'))
    const { problems } = await status(REQUEST, of)
    assert.deepEqual(others(problems), others(before.problems))
    assert.equal(untrusted(problems).length, copies.length + 1)
  })

  it('reports leftovers, whatever other Gateway has our labels, in their namespace or in another', async () => {
    const of = await exposed()
    const gateway = find(of.cluster, 'Gateway')
    of.cluster.objects.splice(of.cluster.objects.indexOf(gateway), 1)
    const beside = claimed(gateway, 'istio-system')
    plant(of, { ...beside, metadata: { ...beside.metadata, name: 'mine' } }, claimed(gateway, 'adversary'))
    const { problems, gateway: found } = await status(REQUEST, of)
    assert.equal(found, undefined)
    assert.deepEqual(others(problems), ['EXPOSURE_LEFTOVERS'])
    const left = problems.find(({ code }) => code === 'EXPOSURE_LEFTOVERS')
    assert.equal(left?.remedies[0], 'kubectl telemetry cleanup   # removes them')
    assert.deepEqual(untrusted(problems), ['Gateway adversary/kubectl-telemetry', 'Gateway istio-system/mine'])
    const { warnings } = await certStatus(REQUEST, of)
    assert.deepEqual(
      [others(warnings), untrusted(warnings)],
      [['EXPOSURE_LEFTOVERS'], untrusted(problems)],
      'cert status says the same, each once',
    )
  })

  it('judges objects in the namespace of the gateway by name and content', async () => {
    const of = await exposed()
    const before = await status(REQUEST, of)
    const [route] = ours(of).filter(({ kind }) => kind === 'VirtualService')
    assert.ok(route)
    const planted = (name: string, component: string, spec: object): KubeObject => ({
      ...claimed(route, 'istio-system'),
      metadata: {
        ...claimed(route, 'istio-system').metadata,
        name,
        labels: { ...OURS, 'app.kubernetes.io/component': component },
      },
      spec: { ...(route.spec as object), ...spec },
    })
    plant(
      of,
      planted('evil', 'tracing', {}),
      planted('kubectl-telemetry-tracing', 'tracing', { hosts: ['sso.corp.example'] }),
      planted('kubectl-telemetry-prometheus', 'prometheus', { gateways: ['kubectl-telemetry', 'public'] }),
      planted('kubectl-telemetry-evil', 'evil', {}),
    )
    const { addons, problems } = await status(REQUEST, of)
    assert.deepEqual(addons, before.addons)
    assert.deepEqual(others(problems), others(before.problems))
    assert.deepEqual(
      untrusted(problems),
      ['evil', 'kubectl-telemetry-evil', 'kubectl-telemetry-prometheus', 'kubectl-telemetry-tracing'].map(
        (name) => `VirtualService istio-system/${name}`,
      ),
    )
  })

  it('shows the real guard, whatever other policy has our labels', async () => {
    const of = await exposed()
    const before = await status(REQUEST, of)
    const policy = claimed(find(of.cluster, 'AuthorizationPolicy'), 'istio-system')
    const rules = [{ from: [{ source: { notRemoteIpBlocks: ['0.0.0.0/0'] } }] }]
    of.cluster.objects.push({ ...policy, metadata: { ...policy.metadata, name: 'z' }, spec: { rules } })
    const { addons, problems } = await status(REQUEST, of)
    assert.deepEqual(addons, before.addons)
    assert.deepEqual(others(problems), others(before.problems))
    assert.deepEqual(untrusted(problems), ['AuthorizationPolicy istio-system/z'])
  })

  it('reports each object of an exposure whose gateway was uninstalled, as cleanup does', async () => {
    const of = await exposed()
    const [{ metadata } = { metadata: { name: '' } }] = ingressGateway()
    const { objects } = of.cluster
    const rest = objects.filter(
      (one) => one.metadata.name !== metadata.name && !one.metadata.name.startsWith('istio-ingressgateway'),
    )
    objects.splice(0, objects.length, ...rest)
    const { problems, gateway } = await status(REQUEST, of)
    assert.equal(gateway, undefined)
    assert.deepEqual([others(problems), untrusted(problems).length], [[], ours(of).length])
  })
})
