import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../../src/cluster/cluster.ts'
import { findExports } from '../../../src/multicluster/exporting/find.ts'
import { succeeded } from '../../../src/multicluster/exporting/result.ts'
import { renderExport, renderExportCleanup } from '../../../src/rendering/multicluster/export.ts'
import { ingressGateway } from '../../fakes/mesh.ts'
import { expectGolden } from '../../golden-file.ts'
import {
  COREFILE,
  cleaning,
  connected,
  corefileOf,
  exporting,
  exportWorld,
  httpbin,
  objectsOf,
  sleep,
  state,
} from './export-world.ts'

const specOf = (object: KubeObject | undefined) => object?.spec as Record<string, unknown>

describe('multicluster export', () => {
  it('opens exactly the service in its cluster, and gives callers a name, an address and the server names', async () => {
    const world = exportWorld()
    const report = await exporting(world)
    expectGolden('multicluster-export.txt', renderExport(report, 'none', undefined, false))
    expectGolden('multicluster-export.json', renderExport(report, 'none', 'json', false))
    assert.equal(succeeded(report.result), true)
    assert.deepEqual(
      objectsOf(world.west, 'Gateway').map(({ spec }) => spec),
      [
        {
          selector: { app: 'istio-ingressgateway', istio: 'ingressgateway' },
          servers: [
            {
              hosts: ['httpbin.bar.svc.cluster.local'],
              port: { name: 'tls-multicluster', number: 15443, protocol: 'TLS' },
              tls: { mode: 'AUTO_PASSTHROUGH' },
            },
          ],
        },
      ],
    )
    const [rule] = objectsOf(world.east, 'DestinationRule')
    const tls = (port: number) => ({
      mode: 'ISTIO_MUTUAL',
      sni: `outbound_.${port}_._.httpbin.bar.svc.cluster.local`,
      subjectAltNames: ['spiffe://west.example/ns/bar/sa/httpbin'],
    })
    assert.deepEqual(specOf(rule).trafficPolicy, {
      portLevelSettings: [8000, 9000].map((number) => ({ port: { number }, tls: tls(number) })),
    })
    const [entry] = objectsOf(world.east, 'ServiceEntry')
    assert.equal(entry?.metadata.namespace, 'istio-system')
    assert.deepEqual(specOf(entry).endpoints, [
      { address: '192.0.2.10', ports: { 'http-8000': 15443, 'tcp-9000': 15443 }, labels: { cluster: 'west' } },
    ])
    assert.match(
      corefileOf(world.east),
      /httpbin\.bar\.global:53 \{\n {4}errors\n {4}hosts \{\n {8}240\.0\.0\.2 httpbin/,
    )
    assert.equal(corefileOf(world.west), COREFILE)
  })

  it('writes the rule before the entry: sidecars would send plaintext', async () => {
    const world = exportWorld()
    await exporting(world)
    const written = world.east.writes.map(({ object }) => object.split('/')[0])
    assert.deepEqual(written.slice(0, 2), ['DestinationRule', 'ServiceEntry'])
  })

  it('changes nothing in a second run', async () => {
    const world = exportWorld()
    await exporting(world)
    const writes = [world.west.writes.length, world.east.writes.length]
    const { result } = await exporting(world)
    assert.deepEqual([world.west.writes.length, world.east.writes.length], writes)
    assert.deepEqual([...new Set(result.objects.map(({ action }) => action))], ['unchanged'])
  })

  it('writes nothing with --dry-run and --diff', async () => {
    const world = exportWorld()
    for (const dryRun of ['client', 'server'] as const) {
      const report = await exporting(world, { dryRun })
      assert.equal(report.result.outcome, 'planned')
      if (dryRun === 'server')
        expectGolden('multicluster-export-diff.txt', renderExport(report, dryRun, undefined, true))
      else expectGolden('multicluster-export-dry-run.yaml', renderExport(report, dryRun, 'yaml', false))
    }
    assert.deepEqual([...world.west.writes, ...world.east.writes], [])
  })

  it('asks once for all clusters, with the cluster before each object', async () => {
    const world = exportWorld(undefined, undefined, { 'Export bar/httpbin?': false })
    const { result } = await exporting(world, { yes: false })
    assert.equal(result.outcome, 'declined')
    assert.deepEqual(world.terminal.notes, [
      '  west: Gateway istio-system/kubectl-telemetry-multicluster: create',
      '  east: DestinationRule istio-system/kubectl-telemetry-httpbin.bar.global: create',
      '  east: ServiceEntry istio-system/kubectl-telemetry-httpbin.bar.global: create',
      '  east: ConfigMap kube-system/coredns: change',
    ])
    assert.deepEqual([...world.west.writes, ...world.east.writes], [])
  })

  it('lets the list of hosts grow and shrink', async () => {
    const world = exportWorld()
    await exporting(world)
    await exporting(world, { host: 'web.shop.example' })
    const hosts = () => JSON.stringify(specOf(objectsOf(world.west, 'Gateway')[0]).servers)
    assert.match(hosts(), /\["httpbin.bar.svc.cluster.local"\]/)
    assert.match(corefileOf(world.east), /240\.0\.0\.2 httpbin\.bar\.global\n {8}240\.0\.0\.3 web\.shop\.example/)
    await cleaning(world, 'web.shop.example')
    assert.match(hosts(), /httpbin/, 'another host leads there')
    assert.doesNotMatch(corefileOf(world.east), /web/)
    await cleaning(world, 'httpbin.bar.global')
    assert.deepEqual(objectsOf(world.west, 'Gateway'), [])
    assert.equal(corefileOf(world.east), COREFILE)
  })

  it('exports in both directions at once, the same name too', async () => {
    const world = exportWorld(
      connected('west', '192.0.2.10', [...httpbin(), ...sleep()]),
      connected('east', '192.0.2.20', [...httpbin(), ...sleep()]),
    )
    const before = [state(world.west), state(world.east)]
    await exporting(world, { in: ['west'] })
    await exporting(world, { in: ['east'] })
    const identity = (cluster: typeof world.west) => JSON.stringify(specOf(objectsOf(cluster, 'DestinationRule')[0]))
    assert.match(identity(world.west), /east\.example/)
    assert.match(identity(world.east), /west\.example/)
    await cleaning(world, 'httpbin.bar.global')
    assert.deepEqual([state(world.west), state(world.east)], before)
  })

  it('makes one entry for a service of two clusters, with localities and a subset for each', async () => {
    const world = exportWorld(undefined, connected('east', '192.0.2.20', [...httpbin(), ...sleep()]))
    const { result } = await exporting(world, { in: ['west', 'east'], to: ['east'] })
    const [entry] = objectsOf(world.east, 'ServiceEntry')
    assert.deepEqual(specOf(entry).endpoints, [
      {
        address: '192.0.2.10',
        ports: { 'http-8000': 15443, 'tcp-9000': 15443 },
        labels: { cluster: 'west' },
        locality: 'west',
      },
      {
        address: '10.90.0.7',
        ports: { 'http-8000': 15443, 'tcp-9000': 15443 },
        labels: { cluster: 'east' },
        locality: 'east',
      },
    ])
    assert.deepEqual(result.services[0]?.subsets, ['west', 'east'])
    const rule = JSON.stringify(objectsOf(world.east, 'DestinationRule')[0])
    assert.match(rule, /outlierDetection/)
    assert.match(rule, /"name":"west","labels":\{"cluster":"west"\}/)
    assert.deepEqual(result.services[0]?.identities, [
      'spiffe://east.example/ns/bar/sa/httpbin',
      'spiffe://west.example/ns/bar/sa/httpbin',
    ])
  })

  it('makes subsets of versions, with a rule that only the gateway sees', async () => {
    const world = exportWorld()
    await exporting(world, { subsets: 'version' })
    const [served] = objectsOf(world.west, 'DestinationRule')
    assert.equal(served?.metadata.name, 'kubectl-telemetry-export-httpbin.bar')
    assert.deepEqual(served?.spec, {
      host: 'httpbin.bar.svc.cluster.local',
      exportTo: ['.'],
      subsets: [{ name: 'v1', labels: { version: 'v1' } }],
    })
    const rule = JSON.stringify(objectsOf(world.east, 'DestinationRule')[0]?.spec)
    for (const port of [8000, 9000]) assert.match(rule, new RegExp(`outbound_.${port}_.v1_.httpbin`))
  })

  it('keeps an address, and takes the lowest free one', async () => {
    const others = (...addresses: string[]): KubeObject => ({
      apiVersion: 'networking.istio.io/v1',
      kind: 'ServiceEntry',
      metadata: { name: 'other', namespace: 'shop' },
      spec: { hosts: ['other.example'], addresses },
    })
    const world = exportWorld(
      undefined,
      connected('east', '192.0.2.20', [...sleep(), others('240.0.0.2', '240.0.0.4/31')]),
    )
    const address = async () => (await exporting(world)).result.services[0]?.address
    assert.equal(await address(), '240.0.0.3')
    world.east.objects.splice(
      world.east.objects.findIndex(({ metadata }) => metadata.name === 'other'),
      1,
    )
    assert.equal(await address(), '240.0.0.3')
  })

  it('removes what was at an egress gateway when callers do not send through it any more', async () => {
    const egress = ingressGateway('istio-system', 'istio-egressgateway', [])
    const world = exportWorld(undefined, connected('east', '192.0.2.20', [...sleep(), ...egress]))
    await exporting(world, { via: { namespace: 'istio-system', name: 'istio-egressgateway' } })
    const { called } = await findExports({ name: 'east', cluster: world.east })
    assert.deepEqual(
      [called[0]?.via, called[0]?.from],
      [
        { namespace: 'istio-system', name: 'istio-egressgateway' },
        [{ cluster: 'west', address: '192.0.2.10', port: 15443 }],
      ],
    )
    assert.equal(objectsOf(world.east, 'Gateway').length, 1)
    await exporting(world)
    const kinds = ['Gateway', 'VirtualService', 'ServiceEntry', 'DestinationRule']
    assert.deepEqual(
      kinds.map((kind) => objectsOf(world.east, kind).length),
      [0, 0, 1, 1],
    )
  })

  it('says what was removed', async () => {
    const world = exportWorld()
    await exporting(world)
    expectGolden('multicluster-cleanup.txt', renderExportCleanup(await cleaning(world), 'none', undefined))
    assert.match(renderExportCleanup(await cleaning(world), 'none', undefined), /^nothing to remove/)
  })
})
