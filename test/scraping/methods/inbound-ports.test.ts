import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { Service } from '../../../src/cluster/objects.ts'
import { inboundPorts } from '../../../src/scraping/methods/inbound-ports.ts'
import { meshObject, podOf, service, workload } from '../scenes.ts'

const portsOf = (services: Service[], entries: Parameters<typeof inboundPorts>[3] = []) =>
  inboundPorts(workload().object, [], services, entries)

describe('inboundPorts', () => {
  it('are ports of the pod: by number, by a name in a container, or the port of the Service', () => {
    const ports = [
      { name: 'http', port: 80, targetPort: 'web' },
      { name: 'tcp-raw', port: 81, targetPort: 9000 },
      { name: 'grpc', port: 82 },
      { name: 'http-none', port: 83, targetPort: 'absent' },
    ]
    assert.deepEqual(portsOf([service('web', ports)]), [
      { number: 82, name: 'grpc', protocol: 'GRPC' },
      { number: 8080, name: 'http', protocol: 'HTTP' },
      { number: 9000, name: 'tcp-raw', protocol: 'TCP' },
    ])
  })

  const PROTOCOLS: [object, string][] = [
    [{ name: 'http2-calls' }, 'HTTP2'],
    [{ name: 'HTTPS' }, 'HTTPS'],
    [{ name: 'tls' }, 'TLS'],
    [{ name: 'grpc-web-calls' }, 'GRPC-Web'],
    [{ name: 'mysql-main' }, 'MYSQL'],
    [{ name: 'whatever' }, ''],
    [{}, ''],
    [{ name: 'tcp', appProtocol: 'http' }, 'HTTP'],
    [{ name: 'http', appProtocol: 'kubernetes.io/h2c' }, 'HTTP2'],
    [{ name: 'http', appProtocol: 'example.com/own' }, ''],
  ]
  for (const [said, protocol] of PROTOCOLS)
    it(`${JSON.stringify(said)} is ${protocol || 'detected by Istio'}`, () => {
      assert.equal(portsOf([service('web', [{ port: 7000, ...said }])])[0]?.protocol, protocol)
    })

  it('a server that sends first is TCP, as in Istio', () => {
    assert.equal(portsOf([service('web', [{ port: 3306 }])])[0]?.protocol, 'TCP')
  })

  it('are not UDP, ports of other Services, or names outside the cluster', () => {
    const dns = service('dns', [{ name: 'dns', port: 53, protocol: 'UDP' }])
    const other = service('other', [{ port: 1 }], undefined, { app: 'other' })
    const outside = {
      ...service('outside', [{ port: 2 }]),
      spec: { ...service('outside', [{ port: 2 }]).spec, type: 'ExternalName' },
    }
    assert.deepEqual(portsOf([dns, other, outside]), [])
  })

  it('have the protocol of the oldest of several Services, then of the first by name', () => {
    const late = service('a', [{ name: 'tcp', port: 80, targetPort: 8080 }], '2026-02-01T00:00:00Z')
    const early = service('b', [{ name: 'http', port: 81, targetPort: 8080 }], '2026-01-01T00:00:00Z')
    assert.deepEqual(portsOf([late, early]), [{ number: 8080, name: 'http', protocol: 'HTTP' }])
    const same = service('a', [{ name: 'grpc', port: 82, targetPort: 8080 }], '2026-01-01T00:00:00Z')
    assert.equal(portsOf([late, early, same])[0]?.protocol, 'GRPC')
  })

  it('include those of a Service for one pod of a StatefulSet', () => {
    const labels = { 'statefulset.kubernetes.io/pod-name': 'web-0' }
    const one = service('web-0', [{ name: 'http', port: 7000 }], undefined, labels)
    const found = inboundPorts(workload().object, [podOf({ app: 'web', ...labels })], [one], [])
    assert.deepEqual(
      found.map(({ number }) => number),
      [7000],
    )
  })

  it('include those of ServiceEntries with a workloadSelector', () => {
    const ports = [
      { number: 443, targetPort: 8443, name: 'calls', protocol: 'HTTP2' },
      { number: 5, protocol: 'UDP' },
    ]
    const entry = meshObject('ServiceEntry', 'vm', { workloadSelector: { labels: { app: 'web' } }, ports })
    const elsewhere = meshObject('ServiceEntry', 'out', { ports })
    assert.deepEqual(portsOf([], [entry, elsewhere]), [{ number: 8443, name: 'calls', protocol: 'HTTP2' }])
  })
})
