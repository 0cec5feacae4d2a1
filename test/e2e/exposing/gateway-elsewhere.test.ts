import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { difference, dump } from '../dump.ts'
import { gatewayObjects } from '../gateway-objects.ts'
import { Workplace } from '../mesh.ts'

const NAMESPACE = 'telemetry-e2e-edge'
const LABELS = { app: 'edge', istio: 'edge' }
const EDGE = { namespace: NAMESPACE, labels: LABELS }

describe('a gateway of another name in another namespace, on the real mesh', () => {
  const workplace = new Workplace()
  const expose = (...words: string[]) => workplace.telemetry('expose', 'grafana', '--allow-anonymous', '-y', ...words)

  before(() => {
    // The installed gateway runs too, so a command has to name this one.
    workplace.apply(...gatewayObjects({ ...EDGE, secrets: false }))
    workplace.kubectl('-n', NAMESPACE, 'rollout', 'status', 'deployment/edge', '--timeout=90s')
  })
  after(() => {
    workplace.kubectl('delete', 'namespace', NAMESPACE, '--wait=true', '--timeout=90s')
    workplace.end()
  })

  it('is reported before any write when it may not list Secrets, with the commands that grant it', () => {
    const before = dump(workplace)
    const { stderr, exitCode } = expose('--gateway', `${NAMESPACE}/edge`)
    assert.equal(exitCode, 1)
    assert.match(
      stderr,
      /^error: service account edge of gateway telemetry-e2e-edge\/edge is not allowed to list Secrets .*\(GATEWAY_CANNOT_READ_SECRETS\)/,
    )
    assert.match(
      stderr,
      /try: kubectl -n telemetry-e2e-edge create role edge-sds --verb=get,watch,list --resource=secrets/,
    )
    assert.deepEqual(difference(before, dump(workplace)), [])
  })

  it('serves Grafana of another namespace, with Secret, route and Gateway in its own namespace', () => {
    workplace.apply(...gatewayObjects(EDGE))
    // istiod remembers a refusal for a minute, but it was never asked for this gateway's Secrets.
    const { stdout, stderr, exitCode } = expose('--gateway', `${NAMESPACE}/edge`, '-o', 'json')
    assert.equal(exitCode, 0, stderr)
    const result = JSON.parse(stdout) as ExposeResult
    assert.deepEqual(
      [result.gateway.namespace, result.gateway.service, result.gateway.via],
      [NAMESPACE, 'edge', 'node-port'],
    )
    assert.deepEqual([...new Set(result.objects.map(({ namespace }) => namespace))], [NAMESPACE])
    assert.deepEqual([result.exposures[0]?.namespace, result.exposures[0]?.probe?.status], ['istio-system', 200])
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
  })

  it('is refused before any write when another Gateway on the same pods already has the host', () => {
    const other = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'Gateway',
      metadata: { name: 'theirs', namespace: NAMESPACE },
      spec: {
        selector: LABELS,
        servers: [
          {
            port: { number: 443, name: 'https', protocol: 'HTTPS' },
            hosts: ['grafana.example.com'],
            tls: { mode: 'PASSTHROUGH' },
          },
        ],
      },
    }
    workplace.apply(other)
    const before = dump(workplace)
    const { stderr, exitCode } = expose('--gateway', `${NAMESPACE}/edge`, '--domain', 'example.com')
    assert.equal(exitCode, 1)
    assert.match(
      stderr,
      /^error: Gateway telemetry-e2e-edge\/theirs already serves grafana\.example\.com on port 443;.*\(HOST_TAKEN\)/,
    )
    assert.deepEqual(difference(before, dump(workplace)), [])
  })
})
