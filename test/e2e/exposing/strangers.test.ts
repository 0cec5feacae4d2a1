import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, before, describe, it } from 'mocha'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { gatewayState } from '../gateway-state.ts'
import { Workplace } from '../mesh.ts'
import { runPlugin } from '../plugin-runs.ts'
import { askOnce, type Door, Stranger } from '../stranger.ts'

const DOMAIN = `${loadBalancerAddress}.nip.io`
const kialiAt = (host: string, port = 443, secure = true): Door => ({ host, port, secure, path: '/kiali/' })
/** Everywhere kiali is exposed in these tests. */
const DOORS = [kialiAt(`kiali.${DOMAIN}`), kialiAt('kiali.example.com'), kialiAt('telemetry.example.com', 15029)]
const NOBODY = '192.0.2.1'

describe('a stranger before a guard, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    untouched = dump(workplace)
  })
  afterEach(() => {
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })
  after(() => workplace.end())

  async function run(...words: string[]): Promise<void> {
    const { exitCode, stdout, stderr } = await runPlugin(workplace, ...words, '-y')
    if (exitCode !== 0) assert.fail(`${words.join(' ')}\n${stdout}${stderr}\n${gatewayState(workplace)}`)
  }

  /** The filter of kiali's guard, as its field manager would apply it again. @param changed its JSON, by default unchanged */
  function filterOf(changed = (text: string) => text): { manager: string; filter: object } {
    const text = workplace.kubectl(
      ...['-n', 'istio-system', 'get', 'envoyfilters.networking.istio.io', 'kubectl-telemetry-kiali'],
      ...['--show-managed-fields', '-o', 'json'],
    )
    const { apiVersion, kind, metadata, spec } = JSON.parse(changed(text))
    const { name, namespace, labels, managedFields } = metadata
    return {
      manager: managedFields[0].manager,
      filter: { apiVersion, kind, metadata: { name, namespace, labels }, spec },
    }
  }

  it('never gets a page: exposing, moving, another guard, another layout, cleanup; also not over older connections', async () => {
    await run('expose', 'prometheus', '--allow-anonymous')
    const stranger = new Stranger(...DOORS)
    await stranger.connectBefore(20, `prometheus.${DOMAIN}`, kialiAt(`kiali.${DOMAIN}`))
    stranger.start()
    await run('expose', 'kiali', '--auth', 'basic')
    await run('expose', 'kiali', '--domain', 'example.com')
    await run('expose', 'kiali', '--auth', 'none', '--allow-cidr', NOBODY)
    await run('expose', 'kiali', '--layout', 'ports')
    await run('cleanup', 'kiali')
    await sleep(500)
    const seen = await stranger.end()
    assert.deepEqual(stranger.pages, [], JSON.stringify(seen))
    assert.ok((seen['new 401'] ?? 0) > 0 && (seen['new 403'] ?? 0) > 0, JSON.stringify(seen))
    assert.ok((seen['old connection 404'] ?? 0) > 0, JSON.stringify(seen))
  })

  it('gets one where objects are written as a former version did: the control', async () => {
    await run('expose', 'kiali', '--auth', 'basic')
    const stranger = new Stranger(...DOORS)
    stranger.start()
    // The guard moves before the route.
    const { manager, filter } = filterOf((text) => text.replaceAll(`kiali.${DOMAIN}`, 'kiali.example.com'))
    workplace.applyAs(manager, filter)
    await stranger.untilPage()
    await stranger.end()
    const { stdout } = workplace.telemetry('status', '-o', 'json')
    const { problems } = JSON.parse(stdout) as { problems: { code: string }[] }
    const codes = problems.map(({ code }) => code)
    assert.ok(codes.includes('GUARD_DIFFERS') && codes.includes('GUARD_WITHOUT_EFFECT'), codes.join())
    // Exposing anything repairs it.
    await run('expose', 'prometheus', '--allow-anonymous')
    const later = new Stranger(...DOORS)
    later.start()
    await sleep(500)
    const seen = await later.end()
    assert.deepEqual(later.pages, [])
    assert.ok((seen['new 401'] ?? 0) > 0, JSON.stringify(seen))
  })

  it('gets one over connections that are older than a guard, where the server keeps its name: the control', async () => {
    const door = kialiAt(`kiali.${DOMAIN}`)
    const until = async (status: number) => {
      for (let attempt = 0; (await askOnce(door)) !== status && attempt < 100; attempt++) await sleep(100)
      assert.equal(await askOnce(door), status)
    }
    await run('expose', 'kiali', '--auth', 'basic')
    const { manager, filter } = filterOf()
    workplace.delete(filter)
    await until(200)
    const stranger = new Stranger(door)
    await stranger.connectBefore(10, door.host, door)
    workplace.applyAs(manager, filter)
    await until(401)
    stranger.start()
    await stranger.untilPage()
    const seen = await stranger.end()
    assert.deepEqual([...new Set(stranger.pages.map(({ way }) => way))], ['old connection'], JSON.stringify(seen))
  })

  it('stays outside when something takes the guard’s filter away: the route stays closed, and says why', async () => {
    const patch = {
      applyTo: 'HTTP_FILTER',
      match: {
        context: 'GATEWAY',
        listener: {
          filterChain: {
            filter: {
              name: 'envoy.filters.network.http_connection_manager',
              subFilter: { name: 'kubectl-telemetry.kiali' },
            },
          },
        },
      },
      patch: { operation: 'REMOVE' },
    }
    const other = {
      apiVersion: 'networking.istio.io/v1alpha3',
      kind: 'EnvoyFilter',
      metadata: { name: 'other', namespace: 'istio-system' },
      spec: { priority: 10, configPatches: [patch] },
    }
    workplace.apply(other)
    const stranger = new Stranger(...DOORS)
    try {
      stranger.start()
      const { exitCode, stdout } = await runPlugin(
        workplace,
        ...['expose', 'kiali', '--auth', 'basic', '-y', '--timeout', '3s', '-o', 'json'],
      )
      assert.equal(exitCode, 1)
      assert.ok(
        JSON.parse(stdout).warnings.some(({ code }: { code: string }) => code === 'GUARD_WITHOUT_EFFECT'),
        stdout,
      )
      await sleep(500)
      const seen = await stranger.end()
      assert.deepEqual(stranger.pages, [], JSON.stringify(seen))
      // The control: without the closing rule the stranger is let in.
      const route = ['-n', 'istio-system', 'patch', 'virtualservices.networking.istio.io', 'kubectl-telemetry-kiali']
      workplace.kubectl(...route, '--type=json', '-p', '[{"op":"remove","path":"/spec/http/0"}]')
      const control = new Stranger(...DOORS)
      control.start()
      await control.untilPage()
      await control.end()
    } finally {
      workplace.delete(other)
    }
  })
})
