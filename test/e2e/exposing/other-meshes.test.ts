/** Gateways and meshes as people have them (decision 30), one of each kind, on the real mesh. */
import assert from 'node:assert/strict'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { after, afterEach, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { MeshSettings } from '../mesh-settings.ts'
import { assertOneError } from '../one-error.ts'
import { runPlugin } from '../plugin-runs.ts'

const HIDDEN = 'telemetry-e2e-hidden'
const EXPOSE = ['expose', 'grafana', '--allow-anonymous', '-y']
const SELECTOR = { istio: 'ingressgateway' }
const istio = (kind: string, name: string, spec: object) => ({
  apiVersion: 'networking.istio.io/v1',
  kind,
  metadata: { name, namespace: 'istio-system' },
  spec,
})

describe('gateways and meshes as people have them, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    untouched = dump(workplace)
  })
  afterEach(() => {
    workplace.telemetry('cleanup', '-y')
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })
  after(() => workplace.end())

  /** Runs with objects of others in the mesh. */
  function beside(objects: object[], run: () => void): void {
    workplace.apply(...objects)
    try {
      run()
    } finally {
      workplace.telemetry('cleanup', '-y')
      workplace.delete(...objects)
    }
  }

  /** Exposes, and returns the failure with the seconds it took. */
  function failing(...words: string[]): { message: string; remedies: string[]; seconds: number } {
    const started = performance.now()
    const { stdout, stderr, exitCode } = workplace.telemetry(...EXPOSE, '-o', 'json', ...words)
    assert.equal(exitCode, 1, stdout + stderr)
    const { warnings } = JSON.parse(stdout) as ExposeResult
    const [failure] = warnings.filter(({ code }) => code === 'PROBE_FAILED')
    assert.ok(failure, stdout)
    return { ...failure, seconds: (performance.now() - started) / 1000 }
  }

  it('plain HTTP on port 443 is refused before the first write (C08)', () => {
    const servers = [{ port: { number: 443, name: 'http', protocol: 'HTTP' }, hosts: ['shop.example.com'] }]
    beside([istio('Gateway', 'plain', { selector: SELECTOR, servers })], () => {
      const before = dump(workplace)
      assertOneError(
        workplace.telemetry(...EXPOSE),
        'GATEWAY_PORT_OTHER_PROTOCOL',
        /Gateway istio-system\/plain serves HTTP on port 443, which is port 8443 of the same pods as port 443/,
      )
      assert.deepEqual(difference(before, dump(workplace)), [])
      const { exitCode, stderr } = workplace.telemetry(...EXPOSE, '--insecure')
      assert.equal(exitCode, 0, stderr)
    })
  })

  it('a second Service before the same pods is said, and status shows the chosen one (C25)', () => {
    const second = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'internal', namespace: 'istio-system' },
      spec: { type: 'NodePort', selector: SELECTOR, ports: [{ name: 'https', port: 443, targetPort: 8443 }] },
    }
    beside([second], () => {
      assertOneError(workplace.telemetry(...EXPOSE), 'GATEWAY_AMBIGUOUS', /2 Services lead to the same gateway pods:/)
      const { stderr, exitCode } = workplace.telemetry(...EXPOSE, '--gateway', 'istio-system/internal')
      assert.equal(exitCode, 0, stderr)
      assert.match(
        stderr,
        /Service istio-system\/istio-ingressgateway .* leads to the same gateway pods .*\(GATEWAY_ALSO_AT\)/,
      )
      assert.match(workplace.telemetry('status').stdout, /^gateway {6}istio-system\/internal at /m)
    })
  })

  it('a DestinationRule for all hosts is named as the cause, within seconds (C17)', () => {
    const rule = istio('DestinationRule', 'everywhere', {
      host: '*.local',
      trafficPolicy: { tls: { mode: 'ISTIO_MUTUAL' } },
    })
    beside([rule], () => {
      const { message, seconds } = failing()
      assert.match(message, /; DestinationRule istio-system\/everywhere \(host \*\.local\) has tls mode ISTIO_MUTUAL/)
      assert.ok(seconds < 20, `${seconds} s`)
      assert.match(workplace.telemetry('status').stdout, /DestinationRule istio-system\/everywhere/)
    })
  })

  it('a namespace that discoverySelectors leave out is named with the label command (C14)', () => {
    const settings = new MeshSettings(workplace)
    const labels = { 'app.kubernetes.io/name': 'grafana' }
    const objects = [
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: HIDDEN, labels: { 'e2e-hidden': 'true' } } },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'grafana', namespace: HIDDEN, labels },
        spec: { selector: { app: 'none' }, ports: [{ name: 'http', port: 3000 }] },
      },
    ]
    const discoverySelectors = [{ matchExpressions: [{ key: 'e2e-hidden', operator: 'DoesNotExist' }] }]
    try {
      settings.set({ discoverySelectors })
      beside(objects, () => {
        const { message, remedies, seconds } = failing('-n', HIDDEN)
        assert.match(message, new RegExp(`; istiod does not see namespace ${HIDDEN}: the discoverySelectors of`))
        assert.equal(remedies[0], `kubectl label namespace ${HIDDEN} e2e-hidden- --overwrite   # istiod sees it then`)
        assert.ok(seconds < 20, `${seconds} s`)
      })
    } finally {
      settings.restore()
      workplace.kubectl('wait', '--for=delete', `namespace/${HIDDEN}`, '--timeout=60s')
    }
  })

  it('another port outside than 443, as k3d maps it (C16)', async () => {
    const server = await mapped(loadBalancerAddress, 443)
    try {
      const at = `127.0.0.1:${(server.address() as AddressInfo).port}`
      const run = (...words: string[]) => runPlugin(workplace, ...words, '--ingress-ip', at)
      const { stdout, stderr, exitCode } = await run(...EXPOSE, '-o', 'json')
      assert.equal(exitCode, 0, stderr)
      const [exposure] = (JSON.parse(stdout) as ExposeResult).exposures
      assert.deepEqual(
        [exposure?.url, exposure?.probe?.status],
        [`https://grafana.127.0.0.1.nip.io:${at.slice(10)}/`, 200],
      )
      assert.match((await run('status')).stdout, /grafana .* https:\/\/grafana\.127\.0\.0\.1\.nip\.io:\d+\/ +200 /)
      assert.equal((await run('cert', 'status')).exitCode, 0)
    } finally {
      server.close()
    }
  })
})

/** A local port that leads to a port of an address. */
function mapped(host: string, port: number): Promise<Server> {
  const server = createServer((client) => {
    const there = connect({ host, port })
    client.pipe(there).pipe(client)
    client.on('error', () => there.destroy())
    there.on('error', () => client.destroy())
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}
