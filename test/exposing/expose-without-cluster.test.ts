import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { requireAddons } from '../../src/addons/catalog.ts'
import { AbsentCluster } from '../../src/cluster/absent-cluster.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import { expose } from '../../src/exposing/expose.ts'
import type { ExposeRequest } from '../../src/exposing/request.ts'
import type { Dependencies } from '../../src/world.ts'
import { fullMesh, refusal, request } from './exposing.ts'

const ABSENT = new UserError('KUBECONFIG_MISSING', 'no kubeconfig found at /home/me/.kube/config')
const CLIENT: ExposeRequest = { ...request, addons: requireAddons([]), dryRun: 'client', domain: 'example.com' }

const nowhere = (why = ABSENT): Dependencies => ({ ...fullMesh(), cluster: new AbsentCluster(why) })
/** Without values that differ in each run. */
const shape = (manifests: KubeObject[]) => manifests.map((one) => (one.kind === 'Secret' ? { ...one, data: {} } : one))
/** Also without the consent, which names who would be let in: nobody knows that without a cluster. */
const shapeWithoutConsent = (manifests: KubeObject[]) =>
  shape(manifests).map(({ metadata: { annotations: _, ...metadata }, ...one }) => ({ ...one, metadata }))

describe('expose --dry-run=client without a cluster', () => {
  it('prints the manifests for a cluster with Istio’s own gateway and samples', async () => {
    const assumed = await expose(CLIENT, nowhere())
    const asked = await expose(CLIENT, fullMesh())
    assert.deepEqual(shapeWithoutConsent(assumed.manifests), shapeWithoutConsent(asked.manifests))
    assert.match(JSON.stringify(assumed.manifests), /"unknown access over HTTPS"/)
    assert.deepEqual(
      assumed.result.warnings.map(({ code }) => code),
      ['CLUSTER_ABSENT', 'CA_NOT_KEPT'],
    )
  })

  it('uses the gateway and the namespace of the flags', async () => {
    const named = { namespace: 'monitoring', gateway: { namespace: 'istio-ingress', name: 'istio-ingress' } }
    const { manifests } = await expose({ ...CLIENT, ...named }, nowhere())
    assert.deepEqual([...new Set(manifests.map(({ metadata }) => metadata.namespace))], ['istio-ingress'])
    const gateway = manifests.find(({ kind }) => kind === 'Gateway')
    assert.deepEqual((gateway?.spec as { selector: object }).selector, { app: 'istio-ingress', istio: 'ingress' })
    assert.match(JSON.stringify(manifests), /grafana\.monitoring\.svc\.cluster\.local/)
  })

  it('works when the cluster cannot be reached', async () => {
    const { manifests } = await expose(CLIENT, nowhere(new UserError('CLUSTER_UNREACHABLE', 'no route to host')))
    assert.equal(manifests.length, 6)
  })

  it('adds the ports to the Service that it assumes', async () => {
    const { manifests } = await expose({ ...CLIENT, layout: 'ports' }, nowhere())
    const service = manifests.find(({ kind }) => kind === 'Service')
    assert.deepEqual(service?.metadata, { name: 'istio-ingressgateway', namespace: 'istio-system' })
    assert.equal((service?.spec as { ports: object[] }).ports.length, 4)
  })

  it('needs a domain', async () => {
    const error = await refusal(expose({ ...CLIENT, domain: undefined }, nowhere()))
    assert.equal(error.code, 'DOMAIN_REQUIRED')
    assert.match(error.message, /no kubeconfig found/)
  })

  it('works only with --dry-run=client', async () => {
    for (const dryRun of ['none', 'server'] as const)
      assert.equal(await refusal(expose({ ...CLIENT, dryRun }, nowhere())), ABSENT)
  })

  it('does not hide any other failure', async () => {
    const forbidden = new UserError('FORBIDDEN', 'not allowed to list services')
    assert.equal(await refusal(expose(CLIENT, nowhere(forbidden))), forbidden)
  })
})
