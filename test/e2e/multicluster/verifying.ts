/** `multicluster verify` on two real meshes: each way in which a call can fail is told apart from the others. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleepFor } from 'node:timers/promises'
import { after, before, describe, it } from 'mocha'
import type { VerifyResult } from '../../../src/multicluster/verifying/result.ts'
import { plugLinkIn, unplugLink } from '../../lab/faults.ts'
import { loadBalancer, siteOfCluster } from '../../lab/lab.ts'
import { type Joined, WEST } from '../joined.ts'
import { waitUntilReady } from '../mesh-workloads.ts'
import { RBAC, rule, telemetryWith } from '../rights.ts'
import { BAR, CLIENT, CLIENT_WITH_WGET, FOO, start, wire, withoutNamespace } from '../two-clusters.ts'

const HOST = `httpbin.${BAR}.global`
const WIRE_HOST = `wire.${BAR}.global`
const SNI = `outbound_.8000_._.httpbin.${BAR}.svc.cluster.local`
const HTTPBIN_ID = `spiffe://cluster.local/ns/${BAR}/sa/httpbin`
const MANAGER = 'istio-telemetry-multicluster'
const labels = (part: string) => ({
  'app.kubernetes.io/managed-by': 'kubectl-telemetry',
  'kubectl-telemetry/part': part,
})
const OK = {
  sidecar: 'name ok, sidecar',
  gateway: 'name ok, sidecar ok, gateway',
  identity: 'name ok, sidecar ok, gateway ok, identity',
}
const ALL_OK = `${OK.identity} ok, call ok`

/** Runs of `verify` from `sleep`, in two meshes. */
class Verifying {
  readonly joined: Joined

  constructor(joined: Joined) {
    this.joined = joined
  }

  verified(...words: string[]): VerifyResult {
    const from = words.includes('--from') ? [] : ['--from', `${FOO}/sleep`]
    const host = words[0]?.endsWith('.global') ? [] : [HOST]
    const { stdout, exitCode } = this.joined.run('verify', ...host, ...words, ...from, '-o', 'json')
    const result = JSON.parse(stdout) as VerifyResult
    assert.equal(exitCode, result.outcome === 'verified' ? 0 : 1, stdout)
    return result
  }

  /** Until proxies have a change of the configuration. */
  async eventually(expected: string, ...words: string[]): Promise<VerifyResult> {
    for (let tries = 0; ; tries++) {
      const result = this.verified(...words)
      if (told(result) === expected || tries === 16) {
        assert.equal(told(result), expected, JSON.stringify(result, null, 1))
        return result
      }
      await sleepFor(500)
    }
  }
}

/** `name ok, sidecar FAILED SIDECAR_LACKS_HOST` of one port, the first one unless it is said. */
function told({ services, problems }: VerifyResult, port?: number): string {
  const all = services.flatMap((one) => one.hops)
  const hops = all.filter((one) => one.port === (port ?? all[0]?.port))
  const words = hops.map(({ hop, ok }) => `${hop} ${ok ? 'ok' : 'FAILED'}`)
  return [...words, ...problems.map(({ code }) => code)].join(', ')
}

/** What it says of exports between meshes without a common root. The pods of the page run, and nothing is exported. */
export function verifyingBefore(at: () => Joined): void {
  describe('verify, before the meshes have a common root', () => {
    let verifying: Verifying

    before(async () => {
      verifying = new Verifying(at())
      const { first } = at().clusters
      await loadBalancer('on', 2)
      start(first, [aliased()])
      exportByHand()
    })
    after(async () => {
      const { first, second } = at().clusters
      const [calling, serving] = byHand()
      first.delete(...calling, aliased())
      second.delete(...serving)
      await loadBalancer('off', 2)
    })

    it('names the name, where nothing resolves it', () => {
      assert.equal(told(verifying.verified()), 'name FAILED, NAME_UNRESOLVED')
    })

    it('names the root, and the command that gives them one', async () => {
      const { problems } = await verifying.eventually(
        `${OK.identity} FAILED, OTHER_ROOT`,
        ...['--from', `${FOO}/aliased`],
      )
      assert.match(
        problems[0]?.message ?? '',
        new RegExp(`${FOO}/aliased does not trust the root of the pods of ${BAR}/httpbin`),
      )
      assert.match(problems[0]?.remedies[0] ?? '', /multicluster connect --context east=lab --context west=lab-2/)
    })

    it('needs to be told which of several workloads calls', () => {
      const { stderr, exitCode } = at().run('verify', HOST)
      assert.match(stderr, /CALLER_UNCLEAR[\s\S]*--from foo\/aliased/)
      assert.equal(exitCode, 1)
    })

    function exportByHand(): void {
      const [calling, serving] = byHand()
      at().clusters.first.applyAs(MANAGER, ...calling)
      at().clusters.second.applyAs(MANAGER, ...serving)
    }
  })
}

/** Of connected meshes, in which httpbin is exported from west. */
export function verifyingConnected(at: () => Joined): void {
  describe('verify, of connected meshes', () => {
    let verifying: Verifying
    const callers = () => [withoutClient(), withWget()]

    before(() => {
      verifying = new Verifying(at())
      const { first, second } = at().clusters
      start(first, callers())
      start(second, wire(BAR))
      at().done('export', 'wire', '-n', BAR, '--in', WEST, '--dns', 'coredns')
    })

    after(async () => {
      const { first, second } = at().clusters
      await plugLinkIn()
      at().done('cleanup', WIRE_HOST)
      first.delete(...callers())
      second.delete(...withoutNamespace(wire(BAR)))
    })

    it('shows five hops that are ok', async () => {
      const { services } = await verifying.eventually(ALL_OK, '--path', '/headers')
      assert.deepEqual([services[0]?.in, services[0]?.to, services[0]?.from], [[WEST], 'east', `${FOO}/sleep`])
      const texts = services[0]?.hops.map(({ text }) => text) ?? []
      assert.equal(texts[3], HTTPBIN_ID)
      assert.equal(texts[4], `200 from http://${HOST}:8000/headers`)
    })

    it('shows them to people', () => {
      const { stdout, stderr, exitCode } = at().run('verify', HOST, '--from', `${FOO}/sleep`)
      assert.match(stdout, new RegExp(`^${HOST}  east -> west, from ${FOO}/sleep\\n  PORT  HOP`))
      assert.match(stdout, /8000 {2}call {6}ok/)
      assert.deepEqual([stderr, exitCode], ['', 0])
    })

    it('opens a connection to a port without HTTP, and sends nothing', () => {
      const result = verifying.verified(WIRE_HOST)
      assert.equal(told(result, 9000), ALL_OK)
      assert.equal(told(result, 8080), ALL_OK)
      assert.match(result.services[0]?.hops.at(-1)?.text ?? '', /the application was sent nothing/)
    })

    it('names the sidecar that does not have the host', async () => {
      const egress = [{ hosts: ['./*'] }]
      const { first } = at().clusters
      const sidecar = networking('Sidecar', 'default', FOO, { egress })
      first.apply(sidecar)
      await verifying.eventually(`${OK.sidecar} FAILED, SIDECAR_LACKS_HOST`)
      first.delete(sidecar)
      await verifying.eventually(ALL_OK)
    })

    it('names the sidecar whose rule another one has replaced', async () => {
      const trafficPolicy = { tls: { mode: 'DISABLE' } }
      const { first } = at().clusters
      const rule = networking('DestinationRule', 'mine', FOO, { host: HOST, trafficPolicy })
      first.apply(rule)
      const { problems } = await verifying.eventually(`${OK.sidecar} FAILED, SIDECAR_DIFFERS`)
      assert.match(problems[0]?.message ?? '', /sends plaintext/)
      first.delete(rule)
      await verifying.eventually(ALL_OK)
    })

    it('names the gateway that does not pass it on', async () => {
      const hosts = gatewayHosts()
      setGatewayHosts(hosts.filter((host) => !host.startsWith('httpbin.')))
      const { problems } = await verifying.eventually(`${OK.gateway} FAILED, NOT_EXPORTED`)
      assert.match(problems[0]?.message ?? '', new RegExp(`resets connections for ${SNI.replaceAll('.', '\\.')}`))
      setGatewayHosts(hosts)
      await verifying.eventually(ALL_OK)
    })

    it('names the gateway that has no endpoint', async () => {
      scale(BAR, 'wire', 0)
      const { services } = await verifying.eventually(
        `${OK.gateway} FAILED, NO_HEALTHY_ENDPOINT, NO_HEALTHY_ENDPOINT`,
        WIRE_HOST,
      )
      assert.equal(services[0]?.hops.filter(({ ok }) => !ok).length, 2)
      scale(BAR, 'wire', 1)
      await verifying.eventually(ALL_OK, WIRE_HOST)
    })

    it('names the gateway without a pod, and one behind a link that is out', async function () {
      this.timeout('4m')
      scale('istio-system', 'istio-ingressgateway', 0)
      const { problems } = await verifying.eventually(`${OK.gateway} FAILED, GATEWAY_UNREACHABLE`)
      assert.match(problems[0]?.message ?? '', /has no pod that is Ready/)
      scale('istio-system', 'istio-ingressgateway', 1)
      await verifying.eventually(ALL_OK)
      await unplugLink()
      try {
        const { problems: away } = await verifying.eventually(`${OK.gateway} FAILED, GATEWAY_UNREACHABLE`)
        assert.match(away[0]?.message ?? '', /get no answer|are refused or reset/)
      } finally {
        await plugLinkIn()
      }
      await verifying.eventually(ALL_OK)
    })

    it('names the identity that callers do not accept', async () => {
      const rules = ['-n', 'istio-system', 'destinationrules.networking.istio.io', `kubectl-telemetry-${HOST}`]
      const pinned = '/spec/trafficPolicy/portLevelSettings/0/tls/subjectAltNames/0'
      const pin = (value: string) => {
        const patch = JSON.stringify([{ op: 'replace', path: pinned, value }])
        const how = ['--type=json', '-p', patch, `--field-manager=${MANAGER}`]
        at().clusters.first.kubectl('patch', ...rules, ...how)
      }
      pin(`spiffe://cluster.local/ns/${BAR}/sa/other`)
      const { problems } = await verifying.eventually(`${OK.identity} FAILED, OTHER_IDENTITY`)
      assert.ok(problems[0]?.message.includes(`are ${HTTPBIN_ID}, and callers accept`), problems[0]?.message)
      pin(HTTPBIN_ID)
      await verifying.eventually(ALL_OK)
    })

    it('names the call that a policy denies', async () => {
      const policy = { ...networking('AuthorizationPolicy', 'nobody', BAR, {}), apiVersion: 'security.istio.io/v1' }
      const { second } = at().clusters
      second.apply(policy)
      await verifying.eventually(`${OK.identity} ok, call FAILED, CALL_DENIED`)
      second.delete(policy)
      await verifying.eventually(ALL_OK)
    })

    it('names the call that the application fails', async () => {
      // A connection that is still open keeps the policy that has just been deleted, until its listener is drained.
      await verifying.eventually(`${OK.identity} ok, call FAILED, CALL_FAILED`, '--path', '/status/500')
    })

    it('calls with wget from a container without curl', () => {
      assert.equal(told(verifying.verified('--from', `${FOO}/with-wget`)), ALL_OK)
    })

    describe('from a workload without a client', () => {
      const from = ['--from', `${FOO}/mute`]
      const probes = () => {
        const selected = ['get', 'pods', '-l', 'app.kubernetes.io/managed-by=kubectl-telemetry', '-o', 'name']
        return at()
          .clusters.first.kubectl('-n', FOO, ...selected)
          .trim()
      }

      it('asks for a pod that has one', () => {
        const { stderr, exitCode } = at().run('verify', HOST, ...from)
        assert.match(stderr, /has neither curl nor wget[\s\S]*--probe-image/)
        assert.equal(exitCode, 1)
      })

      it('calls from a pod with its service account, of which nothing is left', () => {
        const { stdout } = at().done('verify', HOST, ...from, '--probe-image', CLIENT)
        assert.match(stdout, /from foo\/kubectl-telemetry-verify-/)
        assert.equal(probes(), '')
      })

      it('removes the pod after Ctrl-C, and the pod of a killed run once nobody can use it', async function () {
        this.timeout('5m')
        assert.deepEqual([await interrupted('SIGINT'), probes()], [130, ''])
        await interrupted('SIGKILL')
        assert.notEqual(probes(), '')
        // A younger pod may be that of another run. Its last moment, which Kubernetes sets, comes sooner here.
        const { first } = at().clusters
        first.kubectl('-n', FOO, 'patch', probes(), '--type=merge', '-p', '{"spec":{"activeDeadlineSeconds":1}}')
        first.kubectl('-n', FOO, 'wait', probes(), '--for=jsonpath={.status.phase}=Failed', '--timeout=60s')
        at().run('verify', HOST, ...from, '--probe-image', CLIENT)
        assert.equal(probes(), '')
      })

      /** Ends a run when its pod is there. @returns its exit code */
      async function interrupted(signal: 'SIGINT' | 'SIGKILL'): Promise<number | null> {
        const words = ['multicluster', 'verify', HOST, ...from, '--probe-image', CLIENT, ...at().contexts]
        const { environment } = at().clusters.first
        const child = spawn('kubectl-telemetry', words, { env: environment, stdio: 'ignore' })
        const closed = once(child, 'close') as Promise<[number | null]>
        for (let waited = 0; probes() === '' && waited < 100; waited++) await sleepFor(100)
        child.kill(signal)
        return (await closed)[0]
      }
    })

    it('names the cluster and the right that is missing', () => {
      const read = [
        rule('', 'namespaces pods services configmaps', 'get list'),
        rule('apps', 'deployments statefulsets daemonsets', 'get list'),
        rule('networking.istio.io', 'serviceentries destinationrules gateways virtualservices', 'get list'),
      ]
      const forward = rule('', 'pods/portforward', 'create get')
      const { first, second } = at().clusters
      const asked = (...cluster: (typeof forward)[]) => {
        const rights = { cluster, inside: [], namespace: FOO }
        const reader = rolesFor(read)
        second.apply(...reader)
        const words = ['multicluster', 'verify', HOST, '--from', `${FOO}/sleep`, ...at().contexts, '-o', 'json']
        const { stdout, exitCode } = telemetryWith(rights, first, ...words)
        second.delete(...reader)
        assert.equal(exitCode, 1, stdout)
        return (JSON.parse(stdout) as { error: { code: string; message: string; cluster?: string } }).error
      }
      for (const [right, rules] of [
        ['pods/portforward', read],
        ['pods/exec', [...read, forward]],
      ] as const) {
        const { code, message, cluster } = asked(...rules)
        assert.deepEqual([code, cluster], ['FORBIDDEN', 'east'], message)
        assert.ok(message.includes(right), message)
      }
    })

    function scale(namespace: string, name: string, replicas: number): void {
      const { second } = at().clusters
      second.kubectl('-n', namespace, 'scale', `deployment/${name}`, `--replicas=${replicas}`)
      const app = ['-n', namespace, 'wait', 'pods', '-l', `app=${name}`, '--for=delete', '--timeout=80s']
      if (replicas === 0) second.kubectl(...app)
      else waitUntilReady(second, namespace, `deploy/${name}`)
    }

    const GATEWAY = ['-n', 'istio-system', 'gateways.networking.istio.io', 'kubectl-telemetry-multicluster']

    function gatewayHosts(): string[] {
      const text = at().clusters.second.kubectl('get', ...GATEWAY, '-o=jsonpath={.spec.servers[0].hosts}')
      return JSON.parse(text) as string[]
    }

    function setGatewayHosts(hosts: string[]): void {
      const { second } = at().clusters
      const text = second.kubectl('get', ...GATEWAY, '-o', 'json')
      const { apiVersion, kind, metadata, spec } = JSON.parse(text) as GatewayObject
      const { name, namespace, labels } = metadata
      const servers = spec.servers.map((server) => ({ ...server, hosts }))
      second.applyAs(MANAGER, { apiVersion, kind, metadata: { name, namespace, labels }, spec: { ...spec, servers } })
    }
  })
}

interface GatewayObject {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace: string; labels: object }
  spec: { servers: object[] }
}

/** What an export is, written by hand: at the port 443 that the gateway has before `connect`. */
function byHand(): [calling: object[], serving: object[]] {
  const address = siteOfCluster(2).loadBalancerAddress
  const name = `kubectl-telemetry-${HOST}`
  const tls = { mode: 'ISTIO_MUTUAL', sni: SNI, subjectAltNames: [HTTPBIN_ID] }
  const trafficPolicy = { portLevelSettings: [{ port: { number: 8000 }, tls }] }
  const own = labels('multicluster')
  const entry = {
    hosts: [HOST],
    addresses: ['240.0.0.2'],
    location: 'MESH_INTERNAL',
    resolution: 'STATIC',
    ports: [{ number: 8000, name: 'http', protocol: 'HTTP' }],
    endpoints: [{ address, ports: { http: 443 }, labels: { cluster: WEST } }],
  }
  const server = {
    port: { number: 443, name: 'tls-multicluster', protocol: 'TLS' },
    tls: { mode: 'AUTO_PASSTHROUGH' },
    hosts: [`httpbin.${BAR}.svc.cluster.local`],
  }
  const gateway = JSON.stringify({ namespace: 'istio-system', service: 'istio-ingressgateway', port: 443 })
  const passing = { selector: { istio: 'ingressgateway' }, servers: [server] }
  return [
    [
      networking('DestinationRule', name, 'istio-system', { host: HOST, trafficPolicy }, own),
      networking('ServiceEntry', name, 'istio-system', entry, own),
      record({ name: 'east' }),
    ],
    [
      networking('Gateway', 'kubectl-telemetry-multicluster', 'istio-system', passing, own),
      record({ name: WEST, gateway }),
    ],
  ]
}

function networking(kind: string, name: string, namespace: string, spec: object, own: object = {}): object {
  return { apiVersion: 'networking.istio.io/v1', kind, metadata: { name, namespace, labels: own }, spec }
}

function record(data: Record<string, string>): object {
  const metadata = { name: 'kubectl-telemetry-multicluster', namespace: 'istio-system', labels: labels('connecting') }
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data }
}

/** A caller in whose hosts file the name is. */
function aliased(): object {
  return deployment('aliased', { hostAliases: [{ ip: '240.0.0.2', hostnames: [HOST] }] }, CLIENT)
}

/** A caller with a sidecar and neither curl nor wget. */
function withoutClient(): object {
  return deployment('mute', {}, 'lab/wire:1')
}

function withWget(): object {
  return deployment('with-wget', {}, CLIENT_WITH_WGET)
}

function deployment(name: string, pod: object, image: string): object {
  const app = { app: name }
  const containers = [{ name, image, imagePullPolicy: 'IfNotPresent' }]
  const spec = { serviceAccountName: 'sleep', terminationGracePeriodSeconds: 0, containers, ...pod }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: FOO },
    spec: { selector: { matchLabels: app }, template: { metadata: { labels: app }, spec } },
  }
}

/** The rights of the user of `telemetryWith`, in the other cluster. */
function rolesFor(rules: readonly object[]): object[] {
  const metadata = { name: 'e2e-user' }
  return [
    { apiVersion: `${RBAC}/v1`, kind: 'ClusterRole', metadata, rules },
    {
      ...{ apiVersion: `${RBAC}/v1`, kind: 'ClusterRoleBinding', metadata },
      subjects: [{ kind: 'User', name: 'e2e-user', apiGroup: RBAC }],
      roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: 'e2e-user' },
    },
  ]
}
