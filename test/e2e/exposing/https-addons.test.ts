/** Add-ons that speak HTTPS themselves (bug report C15), on the real mesh: a go-httpbin with a certificate plays them. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { get } from 'node:https'
import { after, afterEach, before, describe, it } from 'mocha'
import { issueLeaf } from '../../../src/certificates/authority.ts'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import type { StatusReport } from '../../../src/status/report.ts'
import { authorityOf, issuing } from '../../certificates/issuing.ts'
import { loadBalancer } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { RunningForward } from '../forwarding.ts'
import { Workplace } from '../mesh.ts'
import { HTTPBIN, meshWorkload, waitUntilReady } from '../mesh-workloads.ts'

const PLACE = 'telemetry-e2e-https'
const NAME = 'grafana.telemetry-e2e-https.example.com'
const EXPOSE = ['expose', '-n', PLACE, '--allow-anonymous', '-y']

interface Saying {
  env?: object[]
  injected?: Labels
}

type Labels = Record<string, string>

/** @param env what the add-on's configuration says @param injected labels of the pod that give it a sidecar */
function addon(name: string, port: number, labels: Labels, { env = [], injected = {} }: Saying = {}): object[] {
  const args = ['-port', `${port}`, '-https-cert-file', '/tls/tls.crt', '-https-key-file', '/tls/tls.key']
  return meshWorkload({
    name,
    namespace: PLACE,
    image: HTTPBIN,
    ports: [port],
    labels: { ...labels, ...injected },
    ownLabels: labels,
    container: { args, env, volumeMounts: [{ name: 'tls', mountPath: '/tls' }] },
    pod: { volumes: [{ name: 'tls', secret: { secretName: 'tls' } }] },
  })
}

const KNOWN = addon(
  'grafana',
  3000,
  { 'app.kubernetes.io/name': 'grafana' },
  {
    env: [{ name: 'GF_SERVER_PROTOCOL', value: 'https' }],
  },
)
/** Nothing of it says that it speaks HTTPS. */
const UNKNOWN = addon('prometheus', 9090, {
  'app.kubernetes.io/name': 'prometheus',
  'app.kubernetes.io/component': 'server',
})
const WITH_SIDECAR = addon('jaeger', 16686, { app: 'jaeger' }, { injected: { 'sidecar.istio.io/inject': 'true' } })

/** For all of the namespace, as the tests' objects need it. */
const rule = (tls: object) => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'DestinationRule',
  metadata: { name: 'tls', namespace: PLACE },
  spec: { host: `*.${PLACE}.svc.cluster.local`, trafficPolicy: { tls } },
})

describe('add-ons that speak HTTPS themselves, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>
  let ca: string

  before(async () => {
    await loadBalancer('on')
    untouched = dump(workplace)
    const now = { now: new Date() }
    const authority = await authorityOf('example.com', 0, now)
    const { certificate, key } = await issueLeaf(authority, [NAME], issuing(1, now))
    ca = authority.certificate
    workplace.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: PLACE } })
    workplace.apply(
      secret('tls', PLACE, { 'tls.crt': certificate, 'tls.key': key }),
      ...KNOWN,
      ...UNKNOWN,
      ...WITH_SIDECAR,
    )
    waitUntilReady(workplace, PLACE, 'deploy/grafana', 'deploy/prometheus', 'deploy/jaeger')
  })
  afterEach(() => {
    workplace.telemetry('cleanup', '-y')
  })
  after(() => {
    workplace.kubectl('delete', 'namespace', PLACE, '--ignore-not-found', '--wait=true')
    workplace.end()
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })

  const secret = (name: string, namespace: string, stringData: Record<string, string>) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace },
    stringData,
  })

  function exposing(...words: string[]): { exitCode: number; result: ExposeResult; stderr: string } {
    const { stdout, stderr, exitCode } = workplace.telemetry(...EXPOSE, ...words, '-o', 'json')
    return { exitCode, stderr, result: JSON.parse(stdout || '{}') as ExposeResult }
  }

  function beside(objects: object[], run: () => void): void {
    workplace.apply(...objects)
    try {
      run()
    } finally {
      workplace.telemetry('cleanup', '-y')
      workplace.delete(...objects)
    }
  }

  const failure = ({ warnings }: ExposeResult) => warnings.find(({ code }) => code === 'PROBE_FAILED')

  it('is refused before the first write, and answers 200 after the printed command', () => {
    const before = dump(workplace)
    const { stderr, exitCode } = workplace.telemetry(...EXPOSE, 'grafana')
    assert.equal(exitCode, 1)
    assert.match(stderr, /^error: Grafana in namespace .* \(GF_SERVER_PROTOCOL is https\), .* \(ADDON_SPEAKS_HTTPS\)$/m)
    assert.deepEqual(difference(before, dump(workplace)), [])
    const [, command = ''] = /^ {2}try: (echo .* \| kubectl apply -f -)/m.exec(stderr) ?? []
    const applied = workplace.run('sh', ['-c', command])
    assert.equal(applied.exitCode, 0, applied.stderr)
    try {
      const { exitCode: code, result, stderr: why } = exposing('grafana')
      assert.equal(code, 0, why)
      assert.equal(result.exposures[0]?.probe?.status, 200)
      assert.match(workplace.telemetry('status').stdout, /^grafana .* 200 /m)
    } finally {
      workplace.telemetry('cleanup', '-y')
      workplace.kubectl('-n', 'istio-system', 'delete', 'destinationrules.networking.istio.io', `${PLACE}-grafana-tls`)
    }
  })

  it('is named as the cause, where only its page shows it, and in the status', () => {
    const { exitCode, result } = exposing('prometheus')
    assert.equal(exitCode, 1)
    const cause = new RegExp(`HTTP 400; Service ${PLACE}/prometheus speaks HTTPS itself`)
    assert.match(failure(result)?.message ?? '', cause)
    const { stdout, exitCode: code } = workplace.telemetry('status', '-o', 'json')
    assert.equal(code, 1)
    assert.ok((JSON.parse(stdout) as StatusReport).problems.some(({ message }) => cause.test(message)))
  })

  it('answers 200 behind a sidecar after both printed commands', () => {
    const { result } = exposing('tracing')
    const commands = (failure(result)?.remedies ?? []).map((one) => one.replace(/ {3}#.*/, ''))
    const [rule, port] = commands
    assert.match(port ?? '', /^kubectl .* patch service jaeger /)
    const { exitCode, stderr } = workplace.run('sh', ['-c', `${rule} && ${port}`])
    assert.equal(exitCode, 0, stderr)
    try {
      assert.equal(exposing('tracing').exitCode, 0)
    } finally {
      workplace.telemetry('cleanup', '-y')
      workplace.kubectl('-n', 'istio-system', 'delete', 'destinationrules.networking.istio.io', `${PLACE}-jaeger-tls`)
    }
  })

  it('needs no command with a DestinationRule that verifies its certificate', () => {
    const tls = { mode: 'SIMPLE', credentialName: 'e2e-https-ca', sni: NAME, subjectAltNames: [NAME] }
    const trusted = { ...rule(tls), metadata: { name: 'tls', namespace: 'istio-system' } }
    beside([secret('e2e-https-ca', 'istio-system', { 'ca.crt': ca }), trusted], () => {
      for (const name of ['grafana', 'prometheus']) {
        const { exitCode, stderr } = exposing(name)
        assert.equal(exitCode, 0, stderr)
      }
    })
  })

  it('with a certificate that the gateway does not trust: the rule is named', () => {
    beside([rule({ mode: 'SIMPLE' })], () => {
      const { exitCode, result } = exposing('grafana', '--timeout', '4s')
      assert.equal(exitCode, 1)
      assert.match(
        failure(result)?.message ?? '',
        /; DestinationRule telemetry-e2e-https\/tls .* and the gateway may not trust the certificate of the add-on$/,
      )
    })
  })

  it('is shown with https by port-forward, whose URL answers', async () => {
    const forwarding = await RunningForward.start(workplace, 'grafana', 'prometheus', '-n', PLACE)
    try {
      await forwarding.untilConnected(2)
      for (const name of ['grafana', 'prometheus']) {
        const { url = '' } =
          forwarding.events.find(({ event, addon: of }) => event === 'connected' && of === name) ?? {}
        assert.match(url, /^https:\/\/localhost:\d+\/$/)
        const [response] = await once(get(url, { rejectUnauthorized: false, agent: false }), 'response')
        assert.equal(response.statusCode, 200)
        await once(response.resume(), 'close')
      }
    } finally {
      await forwarding.interrupt()
    }
  })
})
