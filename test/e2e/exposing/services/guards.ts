import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createSign, generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../../../src/exposing/result.ts'
import { loadBalancer, loadBalancerAddress } from '../../../lab/lab.ts'
import { cable, hostAddress } from '../../../lab/layout.ts'
import { BOOKINFO } from '../../bookinfo.ts'
import { openDoors } from '../../doors.ts'
import { difference, dump } from '../../dump.ts'
import { overOneConnection } from '../../http2.ts'
import type { Workplace } from '../../mesh.ts'
import { MeshSettings } from '../../mesh-settings.ts'
import { NodeServer } from '../../node-server.ts'
import { runPlugin } from '../../plugin-runs.ts'
import { type Door, Stranger } from '../../stranger.ts'
import { ALL_WELL, type StatusRequest, startTenant, statusOf, type Tenant, tenantStatuses } from '../../tenant.ts'

const DOMAIN = `${loadBalancerAddress}.nip.io`
const hostOf = (service: string) => `${service}.${BOOKINFO}.${DOMAIN}`
const OFFICE = hostAddress.replace(/\d+$/, '9')
const ISSUER = 'https://issuer.example.com'
const AUTHORIZER = `const known = (request.headers.cookie ?? '').includes('session=good')
  response.writeHead(known ? 200 : 302, known ? {} : { location: 'https://login.example.com/' }).end()`

/** On the shared port, on a port of its own, and there for any host. */
const SHARED: Door = { host: hostOf('productpage'), port: 443, secure: true, path: '/productpage' }
const OWN: Door = { host: hostOf('details'), port: 666, secure: true, path: '/details/0' }
const ANY: Door = { host: loadBalancerAddress, port: 15_029, secure: false, path: '/reviews/0' }
const DOORS = [SHARED, OWN, ANY]
const NAMED = ['svc/productpage', 'svc/details', '-n', BOOKINFO, '--port', 'svc/details=666']
const NAMELESS = ['svc/reviews', '-n', BOOKINFO, '--port', '15029', '--any-host', '--insecure', '--path', '/reviews/0']

const urlOf = ({ host, port, secure, path }: Door) => `${secure ? 'https' : 'http'}://${host}:${port}${path}`

export const guards = (workplace: Workplace) =>
  describe('guards of services', () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    let traffic: string
    let neighbour: Tenant
    let untouched: Map<string, string>

    const service = (...words: string[]) => workplace.kubectl('-n', 'istio-system', ...words)
    const setTraffic = (externalTrafficPolicy: string) =>
      service('patch', 'service', 'istio-ingressgateway', '-p', JSON.stringify({ spec: { externalTrafficPolicy } }))

    before(async () => {
      await loadBalancer('on')
      // The second of two source addresses.
      spawnSync('ip', ['addr', 'add', `${OFFICE}/32`, 'dev', cable])
      traffic = service('get', 'service', 'istio-ingressgateway', '-o', 'jsonpath={.spec.externalTrafficPolicy}')
      setTraffic('Local')
      neighbour = await startTenant(workplace)
      untouched = dump(workplace)
    })
    afterEach(() => {
      assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
      assert.deepEqual(difference(untouched, dump(workplace)), [])
    })
    after(() => {
      neighbour.remove()
      setTraffic(traffic)
      spawnSync('ip', ['addr', 'del', `${OFFICE}/32`, 'dev', cable])
    })

    async function expose(...words: string[]): Promise<ExposeResult> {
      const { stdout, stderr, exitCode } = await runPlugin(workplace, 'expose', ...words, '-y', '-o', 'json')
      assert.equal(exitCode, 0, stdout + stderr)
      return JSON.parse(stdout) as ExposeResult
    }

    /** All ways in which somebody without credentials gets a page. */
    const open = () =>
      openDoors({
        address: loadBalancerAddress,
        ports: [80, 443, 666, 15_029],
        hosts: [...DOORS.map(({ host }) => host), hostOf('reviews'), `grafana.${DOMAIN}`, 'nobody.example.com'],
        paths: DOORS.map(({ path }) => path),
        headers: { 'x-forwarded-proto': 'https', 'x-forwarded-for': OFFICE },
      })

    function token(): string {
      const now = Math.floor(Date.now() / 1000)
      const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
      const claims = { iss: ISSUER, sub: 'me', aud: 'telemetry', iat: now - 60, exp: now + 3_600 }
      const signed = `${part({ alg: 'RS256', kid: 'one', typ: 'JWT' })}.${part(claims)}`
      return `${signed}.${createSign('RSA-SHA256').update(signed).sign(privateKey, 'base64url')}`
    }
    function keys(): string {
      const file = join(workplace.directory, 'jwks.json')
      const key = { ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'RS256' }
      writeFileSync(file, JSON.stringify({ keys: [key] }))
      return file
    }

    it('the control: without a guard, a stranger gets in', async () => {
      await expose('grafana', '--allow-cidr', '192.0.2.0/24')
      await expose(...NAMED, '--allow-anonymous')
      await expose(...NAMELESS, '--allow-anonymous')
      const doors = await open()
      // Over a connection for another host of the shared port, and by any name at the port for any host.
      for (const one of [
        `port 443, SNI ${SHARED.host}, Host ${SHARED.host}, ${SHARED.path}`,
        `port 443, SNI grafana.${DOMAIN}, Host ${SHARED.host}, ${SHARED.path}`,
        `port 666, SNI ${OWN.host}, Host ${OWN.host}, ${OWN.path}`,
        `port 15029, Host ${ANY.host}, ${ANY.path}`,
        `port 15029, Host nobody.example.com, ${ANY.path}`,
      ])
        assert.ok(doors.includes(one), `${one}\n${doors.join('\n')}`)
      // No page of one at the port of another.
      const elsewhere = doors.filter((door) => DOORS.every(({ port, path }) => !door.match(`port ${port},.*${path}$`)))
      assert.deepEqual(elsewhere, [])
    })

    interface Case {
      guard: string
      words: () => string[]
      /** What strangers get, and what a request with credentials has. */
      refusal: number
      as: (result: ExposeResult) => StatusRequest
    }
    const CASES: Case[] = [
      {
        guard: 'a password (EnvoyFilter)',
        words: () => ['--auth', 'basic'],
        refusal: 401,
        as: ({ credentials }) => ({ user: `${credentials?.user}:${credentials?.password}` }),
      },
      {
        guard: 'a token (EnvoyFilter)',
        words: () => ['--auth', 'jwt', '--issuer', ISSUER, '--jwks', keys(), '--audience', 'telemetry'],
        refusal: 401,
        as: () => ({ headers: { Authorization: `Bearer ${token()}` } }),
      },
      {
        guard: 'an allow list (AuthorizationPolicy DENY)',
        words: () => ['--allow-cidr', OFFICE],
        refusal: 403,
        as: () => ({ from: OFFICE }),
      },
    ]
    const itRefuses = ({ guard, words, refusal, as }: Case) =>
      it(`${guard} refuses a stranger at every door and at any time, and does not change other pages`, async () => {
        const stranger = new Stranger(...DOORS)
        stranger.start()
        const [named, nameless] = [await expose(...NAMED, ...words()), await expose(...NAMELESS, ...words())]
        const doors = await open()
        const seen = await stranger.end()
        // The authorizer redirects.
        const pages = stranger.pages.filter(({ status }) => status !== refusal)
        assert.deepEqual([pages, doors], [[], []], JSON.stringify(seen))
        for (const door of DOORS) {
          const credentials = as(door === ANY ? nameless : named)
          assert.deepEqual([statusOf(urlOf(door)), statusOf(urlOf(door), credentials)], [refusal, 200], urlOf(door))
        }
        assert.deepEqual(tenantStatuses(), ALL_WELL)
      })

    CASES.forEach(itRefuses)

    it('a password holds while a service moves between ports, schemes and any host, also over older connections', async () => {
      const named = { ...SHARED, port: 666 }
      const stranger = new Stranger(
        SHARED,
        named,
        { ...named, secure: false },
        { ...named, host: ANY.host, secure: false },
      )
      await expose('grafana', '--allow-anonymous')
      await stranger.connectBefore(20, `grafana.${DOMAIN}`, SHARED)
      stranger.start()
      const page = ['svc/productpage', '-n', BOOKINFO]
      await expose(...page, '--auth', 'basic')
      await expose(...page, '--port', '666')
      await expose(...page, '--port', '666', '--any-host', '--insecure')
      await expose(...page, '--port', '443')
      const [moved] = (await expose(...page)).exposures
      assert.deepEqual([moved?.port, moved?.probe?.status], [443, 401])
      await runPlugin(workplace, 'cleanup', ...page, '-y')
      const seen = await stranger.end()
      assert.deepEqual(stranger.pages, [], JSON.stringify(seen))
      assert.ok(
        (seen['new 401'] ?? 0) > 0 && Object.keys(seen).some((way) => way.startsWith('old')),
        JSON.stringify(seen),
      )
    })

    it('an allow list of an add-on also holds over connections for a service, before the first of them can be opened', async () => {
      const { authority } = await expose('grafana', '--allow-cidr', '192.0.2.0/24')
      assert.ok(authority)
      const grafana = { authority: `grafana.${DOMAIN}`, path: '/' }
      const page = { authority: SHARED.host, path: SHARED.path }
      const over = (servername: string) => statusesOver(servername, [page, grafana, page])
      async function statusesOver(servername: string, requests: (typeof page)[]): Promise<number[]> {
        const ca = workplace.run('cat', [authority?.certificate ?? '']).stdout
        return overOneConnection(loadBalancerAddress, servername, ca, requests).catch(() => [])
      }
      const stranger = { ended: false, seen: new Set<string>() }
      const asking = (async () => {
        while (!stranger.ended) stranger.seen.add((await statusesOver(SHARED.host, [grafana])).join())
      })()
      await expose('svc/productpage', '-n', BOOKINFO, '--allow-anonymous')
      assert.deepEqual(await over(SHARED.host), [200, 403, 200])
      assert.deepEqual(await over(grafana.authority), [200, 403, 200])
      stranger.ended = true
      await asking
      assert.deepEqual([...stranger.seen].filter((one) => one !== '403' && one !== '404').join(), '')

      // A guard on either: on one connection, each host has its own.
      await expose('svc/productpage', '-n', BOOKINFO, '--auth', 'basic')
      for (const name of [SHARED.host, grafana.authority]) assert.deepEqual(await over(name), [401, 403, 401], name)
      await expose('grafana', '--allow-cidr', 'any', '--allow-anonymous')
      for (const name of [SHARED.host, grafana.authority]) assert.deepEqual(await over(name), [401, 200, 401], name)
      await expose('grafana', '--allow-cidr', '192.0.2.0/24')

      // The control: without the service's name in its policy, the add-on answers there.
      const policy = ['authorizationpolicies.security.istio.io', 'kubectl-telemetry-grafana']
      const { spec } = JSON.parse(service('get', ...policy, '-o', 'json'))
      for (const { when } of spec.rules) when[0].values = when[0].values.filter((name: string) => name !== SHARED.host)
      service('patch', ...policy, '--type=merge', '-p', JSON.stringify({ spec }))
      for (let attempt = 0; (await over(SHARED.host))[1] !== 200 && attempt < 50; attempt++) await sleep(100)
      assert.deepEqual(await over(SHARED.host), [401, 200, 401])
      assert.match(workplace.telemetry('status', '-o', 'json').stdout, /"GUARD_DIFFERS"/)
    })

    describe('with an external authorizer', () => {
      let authorizer: NodeServer
      let mesh: MeshSettings

      before(async () => {
        authorizer = await NodeServer.start(workplace, 'authorizer', AUTHORIZER)
        mesh = new MeshSettings(workplace)
        const envoyExtAuthzHttp = { service: authorizer.host, port: 8080, includeRequestHeadersInCheck: ['cookie'] }
        mesh.addProviders({ name: 'small', envoyExtAuthzHttp })
        untouched = dump(workplace)
      })
      after(() => {
        mesh.restore()
        authorizer.end()
      })

      itRefuses({
        guard: 'an external authorizer (AuthorizationPolicy CUSTOM)',
        words: () => ['--auth', 'ext-authz=small'],
        refusal: 302,
        as: () => ({ headers: { Cookie: 'session=good' } }),
      })
    })
  })
