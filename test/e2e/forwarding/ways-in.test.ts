import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, before, describe, it } from 'mocha'
import { ConnectProxy, NarrowGateway } from '../api-server-proxies.ts'
import { FailingNode } from '../failing-node.ts'
import { ask, RunningForward } from '../forwarding.ts'
import { kubeConfigWith, labCredentials, labKubeConfig } from '../lab-credentials.ts'
import { Workplace } from '../mesh.ts'

const NAME = 'forwarding-only'

describe('port-forward over other ways to the API server', () => {
  const workplace = new Workplace()
  const started: RunningForward[] = []
  const path = (name: string) => join(workplace.directory, name)
  const write = (name: string, content: string) => {
    writeFileSync(path(name), content)
    return path(name)
  }
  const start = async (...words: string[]) => {
    const forwarding = await RunningForward.start(workplace, 'grafana', ...words)
    started.push(forwarding)
    return forwarding
  }
  const assertServes = async (forwarding: RunningForward) =>
    assert.equal((await ask(`${forwarding.url('grafana')}api/health`)).status, 200)

  before(() => workplace.apply(...permissions()))
  afterEach(async () => {
    for (const { child } of started.splice(0)) {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
    }
  })
  after(() => {
    workplace.kubectl('delete', 'clusterrolebinding,clusterrole', NAME)
    workplace.kubectl('-n', 'default', 'delete', 'serviceaccount', NAME)
    workplace.end()
  })

  it('sends requests and tunnels through the proxy of HTTPS_PROXY', async () => {
    const proxy = await ConnectProxy.start()
    workplace.environment.HTTPS_PROXY = proxy.url
    try {
      await assertServes(await start())
    } finally {
      delete workplace.environment.HTTPS_PROXY
      proxy.close()
    }
    assert.deepEqual(new Set(proxy.targets), new Set([new URL(labCredentials().server).host]))
    assert.ok(proxy.targets.length >= 2)
  })

  it("uses the kubeconfig's proxy-url", async () => {
    const proxy = await ConnectProxy.start()
    const [{ cluster }] = labKubeConfig().clusters
    const file = write('proxied', kubeConfigWith({ cluster: { ...cluster, 'proxy-url': proxy.url } }))
    try {
      await assertServes(await start('--kubeconfig', file))
    } finally {
      proxy.close()
    }
    assert.ok(proxy.targets.length >= 2)
  })

  for (const [refused, used] of [
    ['SPDY/3.1', 'websocket'],
    ['websocket', 'SPDY/3.1'],
  ] as const) {
    it(`uses ${used} through a gateway that refuses ${refused}, and tries that at most once`, async () => {
      const narrow = await NarrowGateway.start(refused)
      try {
        const forwarding = await start('--kubeconfig', write('narrow', narrow.kubeConfig()), '-v')
        await Promise.all([assertServes(forwarding), assertServes(forwarding), assertServes(forwarding)])
        assert.ok(forwarding.stderr.includes(`portforward 101 ${used}`), forwarding.stderr)
        assert.deepEqual(new Set(narrow.upgrades.slice(1)), new Set([used]))
        // SPDY is tried first.
        assert.equal(narrow.upgrades[0], 'SPDY/3.1')
      } finally {
        narrow.close()
      }
    })
  }

  it('needs no more permissions than docs/rbac.md lists, also with impersonation', async () => {
    await assertServes(await start('--as', `system:serviceaccount:default:${NAME}`))
  })

  it('gets new credentials from an exec plugin when the old ones are refused', async () => {
    const secret = (name: string) => ({
      ...{ apiVersion: 'v1', kind: 'Secret', type: 'Opaque' },
      metadata: { name, namespace: 'default' },
    })
    workplace.apply(secret('first-token'), secret('second-token'))
    const token = (bound: string) => {
      const words = [
        '-n',
        'default',
        'create',
        'token',
        NAME,
        '--bound-object-kind=Secret',
        `--bound-object-name=${bound}`,
      ]
      return workplace.kubectl(...words).trim()
    }
    write('token', token('first-token'))
    const forwarding = await start(
      '--kubeconfig',
      write('exec', kubeConfigWith({ user: execUser(path) })),
      '--wait',
      '30s',
    )
    await assertServes(forwarding)
    assert.equal(pluginCalls(path), 1)
    write('token', token('second-token'))
    workplace.kubectl('-n', 'default', 'delete', 'secret', 'first-token')
    // The API server caches for ten seconds that a token is valid.
    await sleep(11_000)
    workplace.kubectl('-n', 'istio-system', 'delete', 'pod', '-l', 'app.kubernetes.io/name=grafana')
    await assertServes(forwarding)
    assert.equal(pluginCalls(path), 2)
    workplace.kubectl('-n', 'default', 'delete', 'secret', 'second-token')
    workplace.waitForRollout('grafana')
  })

  it('opens the page in the browser once there is a pod', async () => {
    chmodSync(write('bin/xdg-open', `#!/bin/sh\necho "$1" >> '${path('opened')}'\n`), 0o755)
    workplace.environment.DISPLAY = ':0'
    const forwarding = await start('--open')
    await forwarding.until(() => readLines(path('opened')).length > 0, 'the browser was not started')
    assert.deepEqual(readLines(path('opened')), [forwarding.url('grafana')])
  })
})

describe('a request over port-forward that a pod has carried out, and whose connection then fails', () => {
  const workplace = new Workplace()
  const node = new FailingNode()
  let narrow: NarrowGateway
  let forwarding: RunningForward

  before(async () => {
    workplace.waitForRollout('prometheus')
    narrow = await NarrowGateway.start('websocket', (client, onward) => node.carry(client, onward))
    const file = join(workplace.directory, 'failing')
    writeFileSync(file, narrow.kubeConfig())
    forwarding = await RunningForward.start(workplace, 'prometheus', '--kubeconfig', file)
  })
  after(async () => {
    const closed = once(forwarding.child, 'close')
    forwarding.child.kill('SIGKILL')
    await closed
    narrow.close()
    workplace.end()
  })

  /** How often Prometheus has carried out requests to this path, as it counts itself. Nothing else asks there. */
  function carriedOut(path: string): number {
    const place = '/api/v1/namespaces/istio-system/services/http:prometheus:9090/proxy/metrics'
    const line = `prometheus_http_requests_total{code="200",handler="/api/v1/${path}"}`
    const found = workplace
      .kubectl('get', '--raw', place)
      .split('\n')
      .find((one) => one.startsWith(line))
    return Number(found?.split(' ').at(-1) ?? 0)
  }
  /** @returns the status that the client gets, and how often the pod carried the request out */
  async function sent(method: 'GET' | 'POST', text: string | undefined): Promise<[status: number, times: number]> {
    const url = `${forwarding.url('prometheus')}api/v1/format_query`
    const before = carriedOut('format_query')
    Object.assign(node, { failures: 1, text })
    const { status } = await (method === 'GET' ? ask(`${url}?query=up`) : ask(url, {}, 'query=up'))
    assert.equal(node.failures, 0, 'nothing failed')
    return [status, carriedOut('format_query') - before]
  }

  for (const text of [
    ...['signal: killed', 'exit status 137', 'context canceled', 'i/o timeout'],
    ...['use of closed network connection', 'EOF', 'read: connection reset by peer', undefined],
  ]) {
    it(`is not repeated if it is a POST, and is if it is a GET: ${text ?? 'the tunnel breaks'}`, async () => {
      assert.deepEqual(await sent('POST', text), [0, 1])
      assert.deepEqual(await sent('GET', text), [200, 2])
    })
  }

  it('control: a POST would be carried out twice; it is repeated after a text by which the dial failed', async () => {
    const text =
      'failed to connect to localhost:9090 inside namespace "9f", IPv4: dial tcp4 127.0.0.1:9090: connect: connection refused'
    assert.deepEqual(await sent('POST', text), [200, 2])
  })

  it('is not repeated with a POST that was sent behind it', async () => {
    const { port, host } = new URL(forwarding.url('prometheus'))
    const before = ['parse_query', 'format_query'].map(carriedOut)
    Object.assign(node, { failures: 1, text: 'signal: killed' })
    const socket = connect({ port: Number(port), host: '127.0.0.1' }).on('error', () => {})
    const form = 'Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 8\r\n\r\nquery=up'
    const get = `GET /api/v1/parse_query?query=up HTTP/1.1\r\nHost: ${host}\r\n\r\n`
    socket.write(`${get}POST /api/v1/format_query HTTP/1.1\r\nHost: ${host}\r\n${form}`)
    await new Promise((resolve) => socket.resume().once('close', resolve))
    const [gets, posts] = ['parse_query', 'format_query'].map((path, index) => carriedOut(path) - (before[index] ?? 0))
    assert.equal(gets, 1)
    assert.ok(posts === 0 || posts === 1, `${posts} times`)
  })
})

/** The permissions that docs/rbac.md lists for port-forward. */
function permissions(): object[] {
  const subjects = [{ kind: 'ServiceAccount', name: NAME, namespace: 'default' }]
  const api = 'rbac.authorization.k8s.io'
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: NAME, namespace: 'default' } },
    {
      ...{ apiVersion: `${api}/v1`, kind: 'ClusterRole', metadata: { name: NAME } },
      rules: [
        { apiGroups: [''], resources: ['services', 'pods', 'configmaps'], verbs: ['list'] },
        { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['watch'] },
        { apiGroups: [''], resources: ['pods/portforward'], verbs: ['create', 'get'] },
      ],
    },
    {
      ...{ apiVersion: `${api}/v1`, kind: 'ClusterRoleBinding', metadata: { name: NAME }, subjects },
      roleRef: { apiGroup: api, kind: 'ClusterRole', name: NAME },
    },
  ]
}

/** A user whose exec plugin prints the content of the file `token` and counts its calls. */
function execUser(path: (name: string) => string): object {
  const credential = `{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"'"$(cat ${path('token')})"'"}}`
  const script = `#!/bin/sh\necho asked >> '${path('asked')}'\necho '${credential}'\n`
  writeFileSync(path('plugin'), script)
  chmodSync(path('plugin'), 0o755)
  return { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: path('plugin'), interactiveMode: 'Never' } }
}

function pluginCalls(path: (name: string) => string): number {
  return readLines(path('asked')).length
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').trim().split('\n')
  } catch {
    return []
  }
}
