import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, describe, it } from 'mocha'
import { ask, RequestLoop, RunningForward } from '../forwarding.ts'
import { Workplace } from '../mesh.ts'
import { runPlugin } from '../plugin-runs.ts'

const GRAFANA = ['-n', 'istio-system']

describe('port-forward, on the real mesh', () => {
  const workplace = new Workplace()
  const started: RunningForward[] = []
  const start = async (...words: string[]) => {
    const forwarding = await RunningForward.start(workplace, ...words)
    started.push(forwarding)
    return forwarding
  }
  const ready = () => workplace.waitForRollout('grafana')

  afterEach(async () => {
    for (const { child } of started.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'close')
    }
  })
  after(() => {
    workplace.kubectl(...GRAFANA, 'scale', 'deployment/grafana', '--replicas=1')
    ready()
    workplace.end()
  })

  it('serves every add-on at its path, on 127.0.0.1 and ::1, and ends with 0 on Ctrl-C', async () => {
    const forwarding = await start()
    await forwarding.untilConnected(4)
    assert.deepEqual([...new Set(forwarding.events.map(({ addon }) => addon))].sort(), [
      ...['grafana', 'kiali', 'prometheus', 'tracing'],
    ])
    for (const [addon, path, status] of [
      ['grafana', '/', 200],
      ['kiali', '/kiali/', 200],
      ['prometheus', '/', 302],
      ['tracing', '/jaeger/', 200],
    ] as const) {
      const url = new URL(forwarding.url(addon))
      assert.equal(url.pathname, path)
      for (const host of ['localhost', '127.0.0.1', '[::1]'])
        assert.equal((await ask(`http://${host}:${url.port}${path}`)).status, status, host)
    }
    const { exitCode, milliseconds } = await forwarding.interrupt()
    assert.equal(exitCode, 0)
    assert.ok(milliseconds < 1_000, `${milliseconds} ms`)
    assert.equal((await ask(forwarding.url('grafana'))).status, 0, 'the port is closed')
  })

  it('refuses requests for a foreign host, as DNS rebinding sends them', async () => {
    const forwarding = await start('grafana')
    const { status, body } = await ask(forwarding.url('grafana'), { host: 'evil.test' })
    assert.deepEqual([status, body.includes('only for localhost')], [403, true])
  })

  it('takes the next free port when the usual one is in use, but only the requested one with -p', async () => {
    const busy = createServer().listen(3000, '127.0.0.1')
    await once(busy, 'listening')
    try {
      const forwarding = await start('grafana')
      assert.equal(new URL(forwarding.url('grafana')).port, '3001')
      const { stdout, exitCode } = workplace.telemetry('port-forward', 'grafana', '-p', '3000', '-o', 'json')
      assert.deepEqual([JSON.parse(stdout).error.code, exitCode], ['PORT_TAKEN', 1])
    } finally {
      busy.close()
    }
  })

  it('serves any Service', async () => {
    const forwarding = await start('svc/grafana:3000', '-n', 'istio-system', '-p', '3456')
    assert.equal((await ask('http://localhost:3456/api/health')).status, 200)
    assert.equal(forwarding.events[0]?.addon, 'grafana')
  })

  it('loses no request when the pod is deleted, ten a second', async () => {
    const forwarding = await start('grafana')
    const asking = new RequestLoop(forwarding.url('grafana'))
    await sleep(500)
    workplace.kubectl(...GRAFANA, 'delete', 'pod', '-l', 'app.kubernetes.io/name=grafana', '--wait=false')
    await sleep(1_000)
    ready()
    await sleep(1_000)
    const asked = await asking.stop()
    assert.deepEqual(
      asked.filter(({ status }) => status !== 200),
      [],
    )
    assert.ok(asked.length > 20)
    assert.deepEqual(
      forwarding.events.map(({ event }) => event).filter((event) => event === 'waiting' || event === 'connected'),
      ['connected', 'waiting', 'connected'],
    )
    assert.equal((await forwarding.interrupt()).exitCode, 0)
  })

  it('loses no request while the Deployment is rolled', async () => {
    const forwarding = await start('grafana')
    const asking = new RequestLoop(forwarding.url('grafana'))
    workplace.kubectl(...GRAFANA, 'rollout', 'restart', 'deployment/grafana')
    ready()
    await sleep(1_000)
    assert.deepEqual(
      (await asking.stop()).filter(({ status }) => status !== 200),
      [],
    )
  })

  it('answers 502 while there is no pod for longer than --wait, and serves again when there is one', async () => {
    const forwarding = await start('grafana', '--wait', '1s')
    workplace.kubectl(...GRAFANA, 'scale', 'deployment/grafana', '--replicas=0')
    await forwarding.until(({ events }) => events.some(({ event }) => event === 'waiting'), 'it did not notice')
    const { status, body } = await ask(forwarding.url('grafana'))
    assert.deepEqual([status, body.includes('grafana had no Ready pod within 1 s')], [502, true])
    workplace.kubectl(...GRAFANA, 'scale', 'deployment/grafana', '--replicas=1')
    ready()
    await sleep(1_000)
    assert.equal((await ask(forwarding.url('grafana'))).status, 200)
  })

  it('ends after --for', () => {
    const { stdout, exitCode } = workplace.telemetry('port-forward', 'grafana', '--for', '2s', '-o', 'json')
    assert.equal(exitCode, 0)
    assert.equal(JSON.parse(stdout.trim().split('\n').at(-1) ?? '').event, 'closed')
  })

  it('reports wrong input with code and exit code', () => {
    const cases: [string[], string, number][] = [
      [['grafanna'], 'ADDON_UNKNOWN', 2],
      [['grafana', '--for', '-1'], 'DURATION_INVALID', 2],
      [['grafana', '-p', '70000'], 'PORT_INVALID', 2],
      [['grafana', 'kiali', '-p', '3001'], 'PORT_INVALID', 2],
      [['grafana', '--address', '192.0.2.1'], 'ADDRESS_NOT_HERE', 1],
      [['svc/nothing', '-n', 'istio-system'], 'SERVICE_NOT_FOUND', 1],
      [['svc/grafana:1', '-n', 'istio-system'], 'PORT_MISSING', 1],
      [['grafana', '--as', 'nobody'], 'FORBIDDEN', 1],
    ]
    for (const [words, code, exit] of cases) {
      const { stdout, exitCode } = workplace.telemetry('port-forward', ...words, '-o', 'json')
      const { error } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}')
      assert.deepEqual([error?.code, exitCode], [code, exit], words.join(' '))
    }
  })

  it('uses a port above 8000 instead of a low one, and refuses a requested low port', () => {
    const service = { kind: 'Service', apiVersion: 'v1', metadata: { name: 'low', namespace: 'default' } }
    workplace.apply({ ...service, spec: { selector: { app: 'nobody' }, ports: [{ port: 80 }] } })
    const unprivileged = (...words: string[]) =>
      workplace.run('setpriv', [
        ...['--bounding-set=-net_bind_service', '--inh-caps=-net_bind_service', 'kubectl-telemetry', 'port-forward'],
        ...['svc/low', '-n', 'default', '-o', 'json', ...words],
      ])
    const { error } = JSON.parse(unprivileged('-p', '80').stdout)
    assert.deepEqual([error.code, error.message], ['PORT_FORBIDDEN', 'only root may listen on port 80'])
    const [listening] = unprivileged('--for', '1s').stdout.split('\n')
    assert.equal(JSON.parse(listening ?? '').url, 'http://localhost:8080/')
    workplace.kubectl('-n', 'default', 'delete', 'service', 'low')
  })

  it('reports at once that there is no Ready pod, and answers 502 after --wait', async () => {
    const service = { kind: 'Service', apiVersion: 'v1', metadata: { name: 'empty', namespace: 'default' } }
    workplace.apply({ ...service, spec: { selector: { app: 'nobody' }, ports: [{ port: 8123 }] } })
    const words = ['port-forward', 'svc/empty', '-n', 'default', '--wait', '1s', '--for', '5s', '-o', 'json']
    const ended = runPlugin(workplace, ...words)
    let answer = await ask('http://localhost:8123/')
    // Wait until the port is open.
    for (; answer.status === 0; answer = await ask('http://localhost:8123/')) await sleep(20)
    assert.deepEqual([answer.status, answer.body.includes('empty had no Ready pod within 1 s')], [502, true])
    const { stdout, exitCode } = await ended
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).event)
    assert.deepEqual([events, exitCode], [['listening', 'waiting', 'closed'], 0])
    workplace.kubectl('-n', 'default', 'delete', 'service', 'empty')
  })

  it('reports that the pod does not listen at the port', async () => {
    const service = { kind: 'Service', apiVersion: 'v1', metadata: { name: 'wrong-port', namespace: 'istio-system' } }
    const selector = { 'app.kubernetes.io/name': 'grafana' }
    workplace.apply({ ...service, spec: { selector, ports: [{ port: 8124, targetPort: 9 }] } })
    const forwarding = await start('svc/wrong-port', '-n', 'istio-system', '--wait', '1s')
    const { status, body } = await ask(forwarding.url('wrong-port'))
    assert.equal(status, 502)
    assert.match(body, /no pod of wrong-port answered within 1 s: .*connection refused/s)
    workplace.kubectl('-n', 'istio-system', 'delete', 'service', 'wrong-port')
  })
})
