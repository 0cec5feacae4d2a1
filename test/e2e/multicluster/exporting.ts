/** `multicluster export` and `cleanup` on two connected meshes: `sleep` calls from the first (east), the second (west) serves. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, afterEach, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import type { ExportResult } from '../../../src/multicluster/exporting/result.ts'
import type { MulticlusterStatus } from '../../../src/multicluster/status.ts'
import { loadBalancer, siteOfCluster } from '../../lab/lab.ts'
import { difference } from '../dump.ts'
import { EGRESS, EGRESS_SERVICE, egressGateway, passedConnections, scaleEgress } from '../egress-gateway.ts'
import type { Joined } from '../joined.ts'
import type { Workplace } from '../mesh.ts'
import { assertOneError } from '../one-error.ts'
import { changeCorefile, scaleOnce } from '../touched.ts'
import {
  BAR,
  call,
  endNamespaces,
  entryNodePort,
  FOO,
  httpbin,
  inSleep,
  sleep,
  start,
  type TwoClusters,
  wire,
  withoutNamespace,
} from '../two-clusters.ts'

const HOST = 'httpbin.bar.global'
const HTTPBIN = ['export', 'httpbin', '-n', 'bar', '--from', 'foo/sleep']
const FROM_WEST = [...HTTPBIN, '--in', 'west']
/** Names take up to half a minute in CoreDNS, so most tests tell curl the address. */
const UNNAMED = ['--dns', 'none']
const at = (address = '240.0.0.2') => ['--resolve', `${HOST}:8000:${address}`]
/** 100,000 times `a`. */
const SUM = '6d1cf22d7cc09b085dfc25ee1a1f3ae0265804c607bc2074ad253bcc82fd81ee'

const V2 = httpbin(BAR, { version: 'v2' })

/** Nothing is exported before and after it. httpbin of west and `sleep` of east run already, and their Services stay as they are. */
export function exporting(from: () => Joined): void {
  describe('export, in connected meshes', () => {
    let connected: Joined
    let clusters: TwoClusters
    let untouched: Map<string, string>

    before(() => {
      connected = from()
      clusters = connected.clusters
      const { first, second } = clusters
      start(first, [...httpbin(BAR), ...egressGateway()])
      start(second, [...wire(BAR), ...V2])
      scaleOnce(second, BAR, 'httpbin-v2')
      scaleOnce(first, BAR, 'httpbin')
      scaleOnce(first, EGRESS, 'istio-egressgateway')
      changeCorefile(first, ' ')()
      untouched = clusters.dump()
    })
    after(() => {
      endNamespaces(clusters.first, BAR, EGRESS)
      clusters.second.delete(...withoutNamespace(wire(BAR)), ...deploymentsOf(V2))
    })
    afterEach(() => {
      connected.done('cleanup')
      assert.deepEqual(difference(untouched, clusters.dump()), [])
    })

    const exported = (...words: string[]): ExportResult =>
      JSON.parse(connected.done(...words, '-o', 'json').stdout) as ExportResult
    /** Codes of what `status` finds wrong, but that the former roots are still trusted. */
    const codes = () => {
      const { problems } = JSON.parse(connected.run('status', '-o', 'json').stdout) as MulticlusterStatus
      return problems.map(({ code }) => code).filter((code) => code !== 'FORMER_ROOT_TRUSTED')
    }
    const status = (path = '/get', address?: string) =>
      call(clusters.first, 'foo', `http://${HOST}:8000${path}`, ...at(address)).status

    /** The pods that answer calls of `sleep`, and how often; '' stands for no answer. */
    function answering(count: number): Map<string, number> {
      const one = `curl -s -m 5 ${at().join(' ')} http://${HOST}:8000/hostname | tr -d ' \\n'; echo`
      const { stdout } = inSleep(clusters.first, 'foo', 'sh', '-c', `for i in $(seq ${count}); do ${one}; done`)
      const names = stdout.trimEnd().split('\n')
      const pods = names.map(
        (line) => /"hostname":"(httpbin(?:-v\d)?)-[a-z0-9]+-([a-z0-9]+)"/.exec(line)?.slice(1) ?? ['', ''],
      )
      const groups = Map.groupBy(pods, ([deployment]) => deployment ?? '')
      return new Map([...groups].map(([name, found]) => [name, found.length]))
    }

    const scale = (workplace: Workplace, replicas: 0 | 1) => {
      const deployments = workplace === clusters.first ? ['deploy/httpbin'] : ['deploy/httpbin', 'deploy/httpbin-v2']
      workplace.kubectl('-n', 'bar', 'scale', ...deployments, `--replicas=${replicas}`)
      for (const one of deployments) workplace.kubectl('-n', 'bar', 'rollout', 'status', one, '--timeout=85s')
    }

    it("lets sleep's own wget call the service by its name; a second run changes nothing", () => {
      const [service] = exported(...FROM_WEST).services
      assert.deepEqual([service?.dns, service?.from], ['coredns', 'foo/sleep'])
      assert.deepEqual(
        service?.hops?.map(({ hop, ok }) => `${hop} ${ok}`),
        ['name true', 'sidecar true', 'gateway true', 'identity true', 'call true'],
      )
      const url = `http://${HOST}:8000/headers`
      const { stdout } = inSleep(clusters.first, 'foo', 'wget', '-q', '-O', '-', '-T', '5', url)
      assert.match(
        stdout,
        /By=spiffe:\/\/cluster\.local\/ns\/bar\/sa\/httpbin;.*URI=spiffe:\/\/cluster\.local\/ns\/foo\/sa\/sleep/,
      )
      const again = exported(...FROM_WEST)
      assert.deepEqual([...new Set(again.objects.map(({ action }) => action))], ['unchanged'])
    })

    it('carries TCP: the sum of what was sent comes back', () => {
      exported('export', 'wire', '-n', 'bar', '--in', 'west', '--from', 'foo/sleep', ...UNNAMED)
      const body = `(printf 'upload 100000\\n'; head -c 100000 /dev/zero | tr '\\0' a; sleep 2)`
      const script = `${body} | curl -s -m 8 --resolve wire.bar.global:9000:240.0.0.2 telnet://wire.bar.global:9000`
      assert.match(inSleep(clusters.first, 'foo', 'sh', '-c', script).stdout, new RegExp(`100000 ${SUM}`))
    })

    it('removes one of two services, while the other answers throughout', async () => {
      exported('export', 'wire', '-n', 'bar', '--in', 'west', '--from', 'foo/sleep', ...UNNAMED)
      exported(...FROM_WEST, ...UNNAMED)
      const one = `curl -s -o /dev/null -m 5 -w '%{http_code}\\n' ${at('240.0.0.3').join(' ')} http://${HOST}:8000/get`
      const loop = `for i in $(seq 100); do ${one}; sleep 0.05; done`
      const words = ['-n', 'foo', 'exec', 'deploy/sleep', '-c', 'sleep', '--', 'sh', '-c', loop]
      const calling = spawn('kubectl', words, { env: clusters.first.environment, stdio: ['ignore', 'pipe', 'inherit'] })
      let statuses = ''
      calling.stdout.setEncoding('utf8').on('data', (text: string) => {
        statuses += text
      })
      const ended = once(calling, 'close')
      connected.done('cleanup', 'wire.bar.global')
      await ended
      assert.deepEqual([...new Set(statuses.trim().split('\n'))], ['200'])
    })

    it('exports in both directions, the same name too: each calls the other', () => {
      start(clusters.second, sleep('foo'))
      try {
        const to = ['--dns', 'none']
        exported(...FROM_WEST, ...to)
        exported(...HTTPBIN, '--in', 'east', ...to)
        const pods = [clusters.first, clusters.second].map((workplace) => {
          const { body } = call(workplace, 'foo', `http://${HOST}:8000/hostname`, ...at())
          return /"hostname": "([^"]+)"/.exec(body)?.[1] ?? body
        })
        const own = [clusters.first, clusters.second].map((workplace) =>
          workplace.kubectl(
            '-n',
            'bar',
            'get',
            'pods',
            '-l',
            'app=httpbin',
            '-o',
            'jsonpath={.items[*].metadata.name}',
          ),
        )
        assert.ok(own[1]?.includes(pods[0] ?? '-'), `${pods[0]} of ${own[1]}`)
        assert.ok(own[0]?.includes(pods[1] ?? '-'), `${pods[1]} of ${own[0]}`)
      } finally {
        connected.done('cleanup')
        endNamespaces(clusters.second, 'foo')
      }
    })

    it('calls a service of both clusters under one host, and continues when the pods of either are gone', () => {
      exported(...HTTPBIN, '--in', 'west', '--in', 'east', '--to', 'east', ...UNNAMED)
      const { first, second } = clusters
      assert.ok(answering(40).get('httpbin-v2'), 'no pod of the other cluster answers')
      try {
        scale(second, 0)
        assert.ok((answering(20).get('httpbin') ?? 0) >= 18)
        scale(second, 1)
        scale(first, 0)
        const found = answering(20)
        assert.ok((found.get('httpbin') ?? 0) + (found.get('httpbin-v2') ?? 0) >= 18)
      } finally {
        scale(first, 1)
        scale(second, 1)
      }
    })

    it('makes subsets of versions, between which a VirtualService of a user divides the calls', () => {
      const { services } = exported(...FROM_WEST, '--subsets', 'version', ...UNNAMED)
      assert.deepEqual(services[0]?.subsets, ['v1', 'v2'])
      const route = (subset: string, weight: number) => ({ destination: { host: HOST, subset }, weight })
      const virtualService = {
        apiVersion: 'networking.istio.io/v1',
        kind: 'VirtualService',
        metadata: { name: 'remote', namespace: 'foo' },
        spec: { hosts: [HOST], http: [{ route: [route('v1', 90), route('v2', 10)] }] },
      }
      clusters.first.apply(virtualService)
      try {
        const found = answering(100)
        assert.equal(found.get(''), undefined)
        assert.ok((found.get('httpbin') ?? 0) > 70 && (found.get('httpbin-v2') ?? 0) > 0, JSON.stringify([...found]))
      } finally {
        clusters.first.delete(virtualService)
      }
    })

    it('sends through the egress gateway, and without it nothing passes', () => {
      const { first } = clusters
      exported(...FROM_WEST, '--via-egress', EGRESS_SERVICE, ...UNNAMED)
      assert.equal(status(), 200)
      assert.ok(passedConnections(first) > 0)
      scaleEgress(first, 0)
      try {
        first.kubectl('-n', EGRESS, 'wait', '--for=delete', 'pod', '--all', '--timeout=60s')
        // The kubelet ends the processes a moment later, and until then one connection may be refused and the next one served.
        const answers: number[] = []
        while (answers.slice(-5).filter((one) => one !== 200).length < 5) {
          answers.push(status())
          assert.ok(answers.length < 40, `calls pass by the egress gateway: ${answers.join()}`)
        }
      } finally {
        scaleEgress(first, 1)
      }
    })

    it('lets the sidecars of one namespace answer the name, and restores their pod template', () => {
      const [service] = exported(...FROM_WEST, '--dns', 'proxy', '--into', 'foo').services
      assert.equal(service?.dns, 'proxy')
      assert.equal(call(clusters.first, 'foo', `http://${HOST}:8000/get`).status, 200)
    })

    it('lets nobody in without a certificate, to another service, or by another protocol', () => {
      exported(...FROM_WEST, ...UNNAMED)
      const target = `${siteOfCluster(2).nodeAddress}:${entryNodePort(clusters.second)}`
      const secret = (name: string) => `outbound_.8000_._.${name}.svc.cluster.local`
      const tls = (...words: string[]) =>
        clusters.first.run('openssl', ['s_client', '-connect', target, '-brief', '-ign_eof', ...words], {
          input: 'GET /get HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
        })
      const without = tls('-servername', secret('httpbin.bar'), '-alpn', 'istio')
      assert.match(without.stderr + without.stdout, /certificate required|alert/)
      for (const words of [
        ['-servername', 'outbound_.8080_._.wire.bar.svc.cluster.local', '-alpn', 'istio'],
        ['-servername', HOST, '-alpn', 'istio'],
        ['-servername', secret('httpbin.bar')],
        ['-servername', secret('httpbin.bar'), '-alpn', 'http/1.1'],
      ]) {
        const { stdout, stderr } = tls(...words)
        assert.doesNotMatch(stdout, /HTTP\/1\.1/)
        assert.doesNotMatch(stderr, /Peer certificate/, words.join(' '))
      }
      const { stdout } = clusters.first.run('curl', ['-s', '-m', '5', `http://${target}/get`])
      assert.equal(stdout, '')
    })

    it('fails closed for another identity', () => {
      exported(...FROM_WEST, ...UNNAMED)
      const rule = ['-n', 'istio-system', 'get', 'destinationrule', `kubectl-telemetry-${HOST}`, '-o', 'json']
      const present = clusters.first.kubectl(...rule)
      const spec = JSON.stringify((JSON.parse(present) as { spec: object }).spec).replaceAll('sa/httpbin', 'sa/other')
      const patch = ['-n', 'istio-system', 'patch', 'destinationrule', `kubectl-telemetry-${HOST}`, '--type=merge']
      clusters.first.kubectl(...patch, '-p', `{"spec":${spec}}`)
      for (let tries = 0; status() === 200; tries++) assert.ok(tries < 30, 'another identity is accepted')
      assert.notEqual(status(), 200)
    })

    it('refuses a Service that does not exist, and a block of CoreDNS for the domain; nothing is written', () => {
      assertOneError(connected.run('export', 'nothing', '-n', 'bar', '--in', 'west'), 'SERVICE_MISSING', /cluster west/)
      assertOneError(
        connected.run('export', 'nothing', '-n', 'bar', '--in', 'north'),
        'CLUSTER_UNKNOWN',
        /--in north/,
        2,
      )
      const restore = changeCorefile(clusters.first, 'global:53 {\n  errors\n}\n')
      try {
        assertOneError(connected.run(...FROM_WEST), 'DNS_ZONE_TAKEN', /a block for global already/)
      } finally {
        restore()
      }
    })

    it('uses the cross-network-gateway of somebody else, which stays as it is', () => {
      const { second } = clusters
      const server = {
        port: { number: 15443, name: 'tls', protocol: 'TLS' },
        tls: { mode: 'AUTO_PASSTHROUGH' },
        hosts: ['*.local'],
      }
      const theirs = {
        apiVersion: 'networking.istio.io/v1',
        kind: 'Gateway',
        metadata: { name: 'cross-network-gateway', namespace: 'istio-system' },
        spec: { selector: { istio: 'ingressgateway' }, servers: [server] },
      }
      second.apply(theirs)
      try {
        const given = difference(untouched, clusters.dump())
        const { objects } = exported(...FROM_WEST, ...UNNAMED)
        assert.ok(!objects.some(({ kind }) => kind === 'Gateway'), JSON.stringify(objects))
        assert.equal(status(), 200)
        connected.done('cleanup')
        assert.deepEqual(difference(untouched, clusters.dump()), given)
      } finally {
        second.delete(theirs)
      }
    })

    it('is told by status after another address of the gateway, which the next export takes', async () => {
      await loadBalancer('on', 2)
      exported(...FROM_WEST)
      assert.equal(status(), 200)
      await loadBalancer('off', 2)
      assert.ok(codes().includes('EXPORT_ADDRESS_CHANGED'), codes().join())
      exported(...FROM_WEST)
      assert.equal(status(), 200)
      assert.deepEqual(codes(), [])
    })

    it('is told by status after another service account, which the next export accepts', () => {
      const { second } = clusters
      const other = httpbin(BAR, { version: 'v3', account: 'other' })
      exported(...FROM_WEST)
      start(second, other)
      try {
        assert.ok(codes().includes('EXPORT_IDENTITY_CHANGED'), codes().join())
        const [service] = exported(...FROM_WEST).services
        assert.equal(service?.identities.length, 2)
        assert.deepEqual(codes(), [])
        scale(second, 0)
        assert.equal(answering(5).get('httpbin-v3'), 5)
      } finally {
        scale(second, 1)
        second.delete(...accountsOf(other, 'other'), ...deploymentsOf(other))
      }
    })

    it('enters at a port that an exposed add-on uses, which goes on answering', () => {
      const { first, second } = clusters
      const grafana = () => {
        const { stdout, stderr } = first.telemetry('expose', 'grafana', '--allow-anonymous', '-y', '-o', 'json')
        return (JSON.parse(stdout || stderr) as ExposeResult).exposures?.[0]?.probe?.status
      }
      start(second, sleep(FOO))
      assert.equal(grafana(), 200)
      connected.done('connect', '--port', '443')
      try {
        exported(...HTTPBIN, '--in', 'east', ...UNNAMED)
        assert.equal(call(second, FOO, `http://${HOST}:8000/get`, ...at()).status, 200)
        assert.equal(grafana(), 200)
      } finally {
        connected.done('cleanup')
        connected.done('connect', '--port', '15443')
        first.telemetry('cleanup', '-y')
        endNamespaces(second, FOO)
        // Each port that is added to a Service gets another node port.
        untouched = clusters.dump()
      }
    })

    it('reaches a gateway by its host name, directly and through the egress gateway', () => {
      const { first } = clusters
      const port = entryNodePort(clusters.second)
      first.apply(...nameOfNode())
      connected.done('connect', '--address', `west=west.foo.svc.cluster.local:${port}`)
      try {
        exported(...FROM_WEST, ...UNNAMED)
        assert.equal(status(), 200)
        connected.done('cleanup')
        exported(...FROM_WEST, '--via-egress', EGRESS_SERVICE, ...UNNAMED)
        const earlier = passedConnections(first)
        assert.equal(status(), 200)
        assert.ok(passedConnections(first) >= earlier)
      } finally {
        connected.done('cleanup')
        connected.done('connect', '--address', 'west=auto')
        first.delete(...nameOfNode())
      }
    })
  })
}

const accountsOf = (objects: object[], name: string) =>
  objects.filter((object) => {
    const { kind, metadata } = object as { kind: string; metadata: { name: string } }
    return kind === 'ServiceAccount' && metadata.name === name
  })

/** The node of the second cluster as `west.foo.svc.cluster.local` of the first. */
function nameOfNode(): object[] {
  const metadata = { name: 'west', namespace: FOO }
  const labels = { 'kubernetes.io/service-name': 'west' }
  return [
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { clusterIP: 'None', ports: [{ name: 'tls', port: 443 }] } },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { ...metadata, labels },
      addressType: 'IPv4',
      endpoints: [{ addresses: [siteOfCluster(2).nodeAddress] }],
      ports: [{ name: 'tls', port: 443 }],
    },
  ]
}

const deploymentsOf = (objects: object[]) =>
  objects.filter((object) => (object as { kind: string }).kind === 'Deployment')
