import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, before, describe, it } from 'mocha'
import { ConnectProxy, NarrowGateway } from '../api-server-proxies.ts'
import { ask, Forwarding } from '../forwarding.ts'
import { kubeConfigWith, labCredentials, labKubeConfig } from '../lab-credentials.ts'
import { Workplace } from '../mesh.ts'

const NAME = 'forwarding-only'

describe('port-forward, by other ways to the API server', () => {
  const workplace = new Workplace()
  const started: Forwarding[] = []
  const path = (name: string) => join(workplace.directory, name)
  const write = (name: string, content: string) => {
    writeFileSync(path(name), content)
    return path(name)
  }
  const start = async (...words: string[]) => {
    const forwarding = await Forwarding.start(workplace, 'grafana', ...words)
    started.push(forwarding)
    return forwarding
  }
  const assertServes = async (forwarding: Forwarding) =>
    assert.equal((await ask(`${forwarding.url('grafana')}api/health`)).status, 200)

  before(() => workplace.apply(...rights()))
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

  it('goes through the proxy of HTTPS_PROXY, requests and tunnels alike', async () => {
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

  it("goes through the kubeconfig's proxy-url", async () => {
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

  for (const [refused, spoken] of [
    ['SPDY/3.1', 'websocket'],
    ['websocket', 'SPDY/3.1'],
  ] as const) {
    it(`speaks ${spoken} through a gateway that refuses ${refused}, which is asked for once at most`, async () => {
      const narrow = await NarrowGateway.start(refused)
      try {
        const forwarding = await start('--kubeconfig', write('narrow', narrow.kubeConfig()), '-v')
        await Promise.all([assertServes(forwarding), assertServes(forwarding), assertServes(forwarding)])
        assert.ok(forwarding.stderr.includes(`portforward 101 ${spoken}`), forwarding.stderr)
        assert.deepEqual(new Set(narrow.upgrades.slice(1)), new Set([spoken]))
        // SPDY is what is tried first.
        assert.equal(narrow.upgrades[0], 'SPDY/3.1')
      } finally {
        narrow.close()
      }
    })
  }

  it('needs no more rights than docs/rbac.md says, also impersonated', async () => {
    await assertServes(await start('--as', `system:serviceaccount:default:${NAME}`))
  })

  it('asks an exec plugin for new credentials when the old ones are refused', async () => {
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
    assert.equal(asked(path), 1)
    write('token', token('second-token'))
    workplace.kubectl('-n', 'default', 'delete', 'secret', 'first-token')
    // The API server remembers for ten seconds that a token was good.
    await sleep(11_000)
    workplace.kubectl('-n', 'istio-system', 'delete', 'pod', '-l', 'app.kubernetes.io/name=grafana')
    await assertServes(forwarding)
    assert.equal(asked(path), 2)
    workplace.kubectl('-n', 'default', 'delete', 'secret', 'second-token')
    workplace.rolledOut('grafana')
  })

  it('opens the page in the browser once it answers', async () => {
    chmodSync(write('bin/xdg-open', `#!/bin/sh\necho "$1" >> '${path('opened')}'\n`), 0o755)
    workplace.environment.DISPLAY = ':0'
    const forwarding = await start('--open')
    await forwarding.until(() => readLines(path('opened')).length > 0, 'no page was opened')
    assert.deepEqual(readLines(path('opened')), [forwarding.url('grafana')])
  })
})

/** What docs/rbac.md lists for port-forward. */
function rights(): object[] {
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

/** A user whose plugin prints what is in the file `token`, and counts how often it was asked. */
function execUser(path: (name: string) => string): object {
  const credential = `{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"'"$(cat ${path('token')})"'"}}`
  const script = `#!/bin/sh\necho asked >> '${path('asked')}'\necho '${credential}'\n`
  writeFileSync(path('plugin'), script)
  chmodSync(path('plugin'), 0o755)
  return { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: path('plugin'), interactiveMode: 'Never' } }
}

function asked(path: (name: string) => string): number {
  return readLines(path('asked')).length
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').trim().split('\n')
  } catch {
    return []
  }
}
