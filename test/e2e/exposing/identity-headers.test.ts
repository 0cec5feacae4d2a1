import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { MeshSettings } from '../mesh-settings.ts'
import { NodeServer } from '../node-server.ts'

/** The namespace of the authorizer, which deletes it. */
const NAMESPACE = 'telemetry-e2e'
const HOST = `grafana.${loadBalancerAddress}.nip.io`
/** What a stranger sends. The server of the echo writes names as Go does. */
const SENT: Record<string, string> = {
  'x-webauth-user': 'X-Webauth-User',
  'X-REMOTE-USER': 'X-Remote-User',
  X_Remote_Role: 'X_remote_role',
}
const HARMLESS = 'X-Remote-Users'
/** Names the user, unless the request asks it not to. */
const AUTHORIZER = `response.writeHead(200, request.url.includes('silent') ? {} : { 'x-remote-user': 'alice' }).end()`

/** A pod with Grafana's label and variables that answers with the headers of the request. */
function echo(): object[] {
  const labels = { 'app.kubernetes.io/name': 'grafana' }
  const metadata = { name: 'echo', namespace: NAMESPACE, labels }
  const variables = {
    GF_AUTH_PROXY_ENABLED: 'true',
    GF_AUTH_PROXY_HEADER_NAME: 'X-Remote-User',
    GF_AUTH_PROXY_HEADERS: 'Role:X_Remote_Role',
  }
  const env = Object.entries(variables).map(([name, value]) => ({ name, value }))
  const container = { name: 'grafana', image: 'docker.io/mccutchen/go-httpbin:2.26.0', imagePullPolicy: 'Never', env }
  const ports = [{ name: 'http', port: 3000, targetPort: 8080 }]
  return [
    { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [container], terminationGracePeriodSeconds: 0 } },
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: labels, ports } },
  ]
}

describe('headers that say who the user is, on the real mesh', () => {
  const workplace = new Workplace()
  let authorizer: NodeServer
  let mesh: MeshSettings
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    authorizer = await NodeServer.start(workplace, 'authorizer', AUTHORIZER)
    workplace.apply(...echo())
    workplace.kubectl('-n', NAMESPACE, 'wait', 'pod/echo', '--for=condition=Ready', '--timeout=60s')
    mesh = new MeshSettings(workplace)
    const silent = { service: authorizer.host, port: 8080 }
    mesh.addProviders(
      { name: 'silent', envoyExtAuthzHttp: silent },
      { name: 'naming', envoyExtAuthzHttp: { ...silent, headersToUpstreamOnAllow: ['X-Remote-User'] } },
    )
    untouched = dump(workplace)
  })
  afterEach(() => {
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })
  after(() => {
    mesh.restore()
    authorizer.end()
    workplace.end()
  })

  function expose(...words: string[]): ExposeResult {
    const all = ['expose', 'grafana', '-n', NAMESPACE, ...words, '-y', '-o', 'json']
    const { stdout, stderr, exitCode } = workplace.telemetry(...all)
    assert.equal(exitCode, 0, stdout + stderr)
    return JSON.parse(stdout) as ExposeResult
  }

  /** Those of a stranger's headers that reach the add-on, with their values. */
  function reaching({
    path = '/headers',
    user,
    http1 = false,
  }: {
    path?: string
    user?: string
    http1?: boolean
  } = {}) {
    const names = [...Object.keys(SENT), HARMLESS]
    const words = [
      ...['-sk', '--max-time', '10', '--resolve', `${HOST}:443:${loadBalancerAddress}`],
      ...(http1 ? ['--http1.1'] : []),
      ...(user === undefined ? [] : ['-u', user]),
      ...names.flatMap((name) => ['-H', `${name}: mallory`]),
    ]
    const { stdout } = spawnSync('curl', [...words, `https://${HOST}${path}`], { encoding: 'utf8' })
    const { headers } = JSON.parse(stdout) as { headers: Record<string, string[]> }
    assert.deepEqual(headers[HARMLESS], ['mallory'])
    return Object.fromEntries(
      Object.values(SENT).flatMap((name) => (headers[name] ? [[name, headers[name].join()]] : [])),
    )
  }

  async function awaitReaching(expected: Record<string, string>): Promise<void> {
    for (let attempt = 0; attempt < 50 && JSON.stringify(reaching()) !== JSON.stringify(expected); attempt++)
      await sleep(200)
    assert.deepEqual(reaching(), expected)
  }

  it('do not reach the add-on, in any spelling, behind a password and for anyone', () => {
    const { credentials } = expose('--auth', 'basic')
    const user = `${credentials?.user}:${credentials?.password}`
    for (const http1 of [false, true]) assert.deepEqual(reaching({ user, http1 }), {})
    expose('--auth', 'none', '--allow-anonymous')
    for (const http1 of [false, true]) assert.deepEqual(reaching({ http1 }), {})
  })

  it('reach it where the route does not remove them: the control', async () => {
    expose('--allow-anonymous')
    const path = '/spec/http/0/route/0/headers'
    const patch = JSON.stringify([{ op: 'remove', path }])
    const route = ['virtualservices.networking.istio.io', 'kubectl-telemetry-grafana']
    workplace.kubectl('-n', 'istio-system', 'patch', ...route, '--type=json', '-p', patch)
    await awaitReaching(Object.fromEntries(Object.values(SENT).map((name) => [name, 'mallory'])))
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
    expose('--allow-anonymous')
    await awaitReaching({})
  })

  it('come only from an external authorizer that may set them, which replaces what the client sent', async () => {
    expose('--auth', 'ext-authz=naming', '--allow-anonymous')
    await awaitReaching({ 'X-Remote-User': 'alice' })
    // What is not covered (decision 26).
    assert.deepEqual(reaching({ path: '/headers?silent' }), { 'X-Remote-User': 'mallory' })
    expose('--auth', 'ext-authz=silent', '--allow-anonymous')
    await awaitReaching({})
  })
})
