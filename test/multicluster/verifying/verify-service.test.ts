/** Each fault of a call is told apart from the others, and named with the next command. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { ExportedService } from '../../../src/multicluster/exported.ts'
import { requireCaller } from '../../../src/multicluster/verifying/caller.ts'
import type { Verified } from '../../../src/multicluster/verifying/result.ts'
import { verifyService } from '../../../src/multicluster/verifying/verify-service.ts'
import { FakeTerminal } from '../../fakes/fake-terminal.ts'
import { EXPORTED, FakePair, type Faults, HTTPBIN, SNI } from './fake-pair.ts'

const SHARED = { east: 'shared', west: 'shared' } as const

async function callerOf(pair: FakePair) {
  const [east = assert.fail()] = pair.members
  return requireCaller(east, { choice: undefined, into: undefined }, new FakeTerminal())
}

async function verified(pair: FakePair, exported: ExportedService = pair.exported): Promise<Verified> {
  const { members, pods, clock } = pair
  return verifyService(exported, { caller: await callerOf(pair) }, { members, pods, clock })
}

function told({ service: { hops }, problems }: Verified): string {
  const words = hops.map(({ hop, ok }) => `${hop} ${ok ? 'ok' : 'fails'}`)
  return [...words, ...problems.map(({ code }) => code)].join(', ')
}

describe('a call that arrives', () => {
  it('has five hops that are ok', async () => {
    const pair = await FakePair.create()
    const result = await verified(pair)
    assert.equal(told(result), 'name ok, sidecar ok, gateway ok, identity ok, call ok')
    assert.deepEqual(
      result.service.hops.map(({ text }) => text),
      [
        'httpbin.bar.global resolves in foo/sleep',
        `240.0.0.2:8000 goes out with the SNI ${SNI}`,
        'west 203.0.113.7:15443',
        HTTPBIN,
        '200 from http://httpbin.bar.global:8000/',
      ],
    )
    const { host, service, namespace, in: serving, to, from, ports } = result.service
    assert.deepEqual(
      { host, service, namespace, serving, to, from, ports },
      {
        host: EXPORTED.host,
        service: 'httpbin',
        namespace: 'bar',
        serving: ['west'],
        to: 'east',
        from: 'foo/sleep',
        ports: [8000],
      },
    )
  })

  it('asks the serving cluster nothing', async () => {
    const pair = await FakePair.create({ closed: ['west'] })
    assert.match(told(await verified(pair)), /call ok$/)
    assert.deepEqual(pair.west.reads, [])
    assert.ok(pair.asked.every((one) => one.startsWith('sleep-')))
  })

  it('uses wget where the container has no curl', async () => {
    const pair = await FakePair.create({ programs: ['wget'] })
    assert.match(told(await verified(pair)), /call ok$/)
    assert.deepEqual(pair.ran, [
      'curl -sS -i -m 8 http://httpbin.bar.global:8000/',
      'wget -S -O - -t 1 -T 8 http://httpbin.bar.global:8000/',
    ])
  })

  it('opens a connection and sends nothing to a port without HTTP', async () => {
    const ports = [{ number: 8000, name: 'tcp', protocol: 'TCP', sni: SNI }]
    for (const programs of [['curl'], ['wget'], ['nc']]) {
      const pair = await FakePair.create({ programs }, { ...EXPORTED, ports })
      const result = await verified(pair)
      assert.match(told(result), /call ok$/)
      assert.match(result.service.hops.at(-1)?.text ?? '', /the application was sent nothing$/)
      assert.doesNotMatch(pair.ran.join('\n'), /http:/)
    }
  })

  it('is told apart from an answer of something else at another address', async () => {
    assert.equal(told(await verified(await FakePair.create({ elsewhere: true }))), 'name fails, NAME_ELSEWHERE')
  })
})

describe('the hop that fails', () => {
  const ok = (...hops: string[]) => hops.map((hop) => `${hop} ok, `).join('')
  const cases: { what: string; faults: Partial<Faults>; end: string; says: RegExp; next: RegExp }[] = [
    {
      what: 'no such name',
      faults: { resolves: false },
      end: 'name fails, NAME_UNRESOLVED',
      says: /foo\/sleep cannot resolve httpbin\.bar\.global: curl: \(6\)/,
      next: /configmap coredns/,
    },
    {
      what: 'the sidecar has no such cluster',
      faults: { sidecar: undefined },
      end: `${ok('name')}sidecar fails, SIDECAR_LACKS_HOST`,
      says: /no cluster for httpbin\.bar\.global:8000/,
      next: /get sidecars/,
    },
    {
      what: 'another rule makes the sidecar send plaintext',
      faults: { sidecar: { sni: '', identities: [], endpoints: 1 } },
      end: `${ok('name')}sidecar fails, SIDECAR_DIFFERS`,
      says: /sends plaintext/,
      next: /destinationrules/,
    },
    {
      what: 'another SNI',
      faults: { sidecar: { sni: 'httpbin.bar.global', identities: [HTTPBIN], endpoints: 1 } },
      end: `${ok('name')}sidecar fails, SIDECAR_DIFFERS`,
      says: /sends the SNI httpbin\.bar\.global/,
      next: /destinationrules/,
    },
    {
      what: 'any identity is accepted, although the call arrives',
      faults: { sidecar: { sni: SNI, identities: [], endpoints: 1 } },
      end: `${ok('name')}sidecar fails, SIDECAR_DIFFERS`,
      says: /accepts any identity/,
      next: /destinationrules/,
    },
    {
      what: 'an identity that was not exported',
      faults: { sidecar: { sni: SNI, identities: [HTTPBIN, 'spiffe://cluster.local/ns/x/sa/y'], endpoints: 1 } },
      end: `${ok('name')}sidecar fails, SIDECAR_DIFFERS`,
      says: /accepts spiffe:\/\/cluster\.local\/ns\/x\/sa\/y/,
      next: /destinationrules/,
    },
    {
      what: 'the hostname of the gateway does not resolve',
      faults: { sidecar: { sni: SNI, identities: [HTTPBIN], endpoints: 0 } },
      end: `${ok('name', 'sidecar')}gateway fails, GATEWAY_UNREACHABLE`,
      says: /has no address for 203\.0\.113\.7:15443/,
      next: /export httpbin -n bar --in west --to east/,
    },
    {
      what: 'timed out',
      faults: { way: 'dropped' },
      end: `${ok('name', 'sidecar')}gateway fails, GATEWAY_UNREACHABLE`,
      says: /get no answer: something on the way drops them/,
      next: /get service istio-ingressgateway/,
    },
    {
      what: 'refused',
      faults: { way: 'refused' },
      end: `${ok('name', 'sidecar')}gateway fails, GATEWAY_UNREACHABLE`,
      says: /are refused or reset; the gateway itself, asked in its own cluster, works/,
      next: /--context west-context -n istio-system get service/,
    },
    {
      what: 'refused, and the serving cluster cannot be looked into',
      faults: { way: 'refused', closed: ['west'] },
      end: `${ok('name', 'sidecar')}gateway fails, GATEWAY_UNREACHABLE`,
      says: /are refused or reset$/,
      next: /export httpbin/,
    },
    {
      what: 'the gateway has no pod',
      faults: { gatewayPod: false },
      end: `${ok('name', 'sidecar')}gateway fails, GATEWAY_UNREACHABLE`,
      says: /gateway istio-system\/istio-ingressgateway of cluster west has no pod that is Ready/,
      next: /get pods/,
    },
    {
      what: 'reset after the ClientHello: not exported',
      faults: { passes: false },
      end: `${ok('name', 'sidecar')}gateway fails, NOT_EXPORTED`,
      says: /resets connections for outbound_\.8000_/,
      next: /multicluster export httpbin -n bar --in west --to east/,
    },
    {
      what: 'no healthy endpoint',
      faults: { endpoints: 0 },
      end: `${ok('name', 'sidecar')}gateway fails, NO_HEALTHY_ENDPOINT`,
      says: /has no healthy endpoint of service bar\/httpbin/,
      next: /--context west-context -n bar get endpointslices/,
    },
    {
      what: 'another root: the caller does not trust the pod',
      faults: { signer: { east: 'shared', west: 'own' } },
      end: `${ok('name', 'sidecar', 'gateway')}identity fails, OTHER_ROOT`,
      says: /foo\/sleep does not trust the root of the pods of bar\/httpbin in cluster west .*root 2/,
      next: /multicluster connect --context east=east-context --context west=west-context/,
    },
    {
      what: 'another root: the pod does not trust the caller',
      faults: { signer: { east: 'own', west: 'shared' }, trusts: { east: ['own', 'shared'], west: ['shared'] } },
      end: `${ok('name', 'sidecar', 'gateway')}identity fails, OTHER_ROOT`,
      says: /the pods of bar\/httpbin in cluster west do not trust the root of foo\/sleep .*root 1/,
      next: /multicluster connect/,
    },
    {
      what: 'another identity',
      faults: { identity: 'spiffe://cluster.local/ns/bar/sa/other' },
      end: `${ok('name', 'sidecar', 'gateway')}identity fails, OTHER_IDENTITY`,
      says: /are spiffe:\/\/cluster\.local\/ns\/bar\/sa\/other, and callers accept spiffe:\/\/cluster\.local\/ns\/bar\/sa\/httpbin/,
      next: /export httpbin/,
    },
    {
      what: '403',
      faults: { status: 403 },
      end: `${ok('name', 'sidecar', 'gateway', 'identity')}call fails, CALL_DENIED`,
      says: /was reached from foo\/sleep, and answers 403: access is denied/,
      next: /-n bar get authorizationpolicies/,
    },
    {
      what: 'an error of the application',
      faults: { status: 500 },
      end: `${ok('name', 'sidecar', 'gateway', 'identity')}call fails, CALL_FAILED`,
      says: /was reached from foo\/sleep, and answers 500/,
      next: /logs service\/httpbin/,
    },
    {
      what: 'an application that does not answer',
      faults: { status: 'silent' },
      end: `${ok('name', 'sidecar', 'gateway', 'identity')}call fails, CALL_FAILED`,
      says: /gives no answer over HTTP/,
      next: /logs service\/httpbin/,
    },
  ]
  for (const { what, faults, end, says, next } of cases)
    for (const program of ['curl', 'wget'])
      it(`${what} (${program})`, async () => {
        const result = await verified(await FakePair.create({ ...faults, programs: [program] }))
        assert.equal(told(result), end)
        const [problem = assert.fail()] = result.problems
        const message =
          program === 'wget'
            ? problem.message.replace("wget: bad address 'httpbin.bar.global:8000'", 'curl: (6)')
            : problem.message
        assert.match(message, says)
        assert.match(problem.remedies.join('\n'), next)
      })

  it('is known without a look into the serving cluster where the sidecar says it', async () => {
    const pair = await FakePair.create({ signer: SHARED })
    const { pods } = pair
    const saying = (body: string) => ({
      ...pods,
      runProgram: async () => ({
        exitCode: 0,
        stdout: `HTTP/1.1 503 Service Unavailable\r\n\r\n${body}`,
        stderr: '',
        cut: { stdout: false, stderr: false },
      }),
    })
    const reason =
      'upstream connect error, transport failure reason: TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED'
    const exported = { ...EXPORTED, from: [{ cluster: 'north', address: '203.0.113.7', port: 15_443 }] }
    const { members, clock } = pair
    const ask = async (body: string) =>
      told(await verifyService(exported, { caller: await callerOf(pair) }, { members, clock, pods: saying(body) }))
    assert.match(await ask(`${reason}:verify cert chain`), /gateway ok, identity fails, OTHER_ROOT$/)
    assert.match(await ask(`${reason}:verify SAN list`), /gateway ok, identity fails, OTHER_IDENTITY$/)
  })

  it('is found for each port', async () => {
    const ports = [
      ...EXPORTED.ports,
      { number: 9000, name: 'tcp', protocol: 'TCP', sni: 'outbound_.9000_._.httpbin.bar.svc.cluster.local' },
    ]
    const result = await verified(await FakePair.create({}, { ...EXPORTED, ports }))
    assert.deepEqual(
      result.service.hops.filter(({ ok }) => !ok).map(({ port, hop }) => [port, hop]),
      [[9000, 'sidecar']],
    )
    assert.deepEqual(result.service.ports, [8000, 9000])
  })
})

describe('what cannot be asked', () => {
  it('is a container without a client', async () => {
    await assert.rejects(verified(await FakePair.create({ programs: [] })), {
      code: 'CLIENT_MISSING',
      message: 'cluster east: container app of foo/sleep has neither curl nor wget, so nothing can call from it',
    })
  })

  it('is a container whose client crashes', async () => {
    const pair = await FakePair.create()
    const { members, clock, pods } = pair
    const crash = { exitCode: 139, stdout: '', stderr: '', cut: { stdout: false, stderr: false } }
    const needs = { members, clock, pods: { ...pods, runProgram: async () => crash } }
    await assert.rejects(verifyService(EXPORTED, { caller: await callerOf(pair) }, needs), { code: 'CLIENT_MISSING' })
  })

  it('is a program that is cut off', async () => {
    const pair = await FakePair.create()
    const { members, clock, pods } = pair
    const lost = { failed: 'the connection was lost before it ended', absent: false }
    const needs = { members, clock, pods: { ...pods, runProgram: async () => lost } }
    await assert.rejects(verifyService(EXPORTED, { caller: await callerOf(pair) }, needs), { code: 'CLIENT_FAILED' })
  })

  it('is a sidecar into which nobody may look: the error names the cluster and the right', async () => {
    const { UserError } = await import('../../../src/errors.ts')
    const pair = await FakePair.create({ closed: ['east'] })
    pair.east.portForward = async () => {
      throw new UserError('FORBIDDEN', 'not allowed to forward ports: cannot create resource "pods/portforward"')
    }
    await assert.rejects(verified(pair), { code: 'FORBIDDEN', message: /^cluster east: .*pods\/portforward/ })
  })

  it('is a program that nobody may run: the error names the cluster and the right', async () => {
    const { UserError } = await import('../../../src/errors.ts')
    const pair = await FakePair.create()
    const { members, clock, pods } = pair
    const runProgram = async () => {
      throw new UserError('FORBIDDEN', 'not allowed to run curl in pod/x in namespace foo (pods/exec): no')
    }
    const needs = { members, clock, pods: { ...pods, runProgram } }
    await assert.rejects(verifyService(EXPORTED, { caller: await callerOf(pair) }, needs), {
      code: 'FORBIDDEN',
      message: /^cluster east: .*pods\/exec/,
    })
  })
})
