/** Two clusters with Istio, each with a CA of its own, and the commands that change their trust. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { UserError } from '../../../src/errors.ts'
import { type ConnectRequest, type ConnectResult, connect as reportConnect } from '../../../src/multicluster/connect.ts'
import { type RotateRequest, type RotateResult, rotate as reportRotate } from '../../../src/multicluster/rotate.ts'
import type { TrustWorld } from '../../../src/multicluster/trust/trust-run.ts'
import { FakeTerminal } from '../../fakes/fake-terminal.ts'
import { FakeTrustCluster, selfSigned } from '../../fakes/fake-trust.ts'
import { fakeWorld } from '../../fakes/fake-world.ts'

export async function connect(request: ConnectRequest, world: TrustWorld): Promise<ConnectResult> {
  return (await reportConnect(request, world)).result
}

export async function rotate(request: RotateRequest, world: TrustWorld): Promise<RotateResult> {
  return (await reportRotate(request, world)).result
}

export const REQUEST: ConnectRequest = {
  gateways: new Map(),
  addresses: new Map(),
  files: { cacerts: new Map() },
  finish: false,
  renew: 'restart',
  acceptUnknown: false,
  timeout: 30_000,
  yes: true,
  dryRun: 'none',
}

/** Short: node-forge signs slowly. */
export function shortKeys(count: number): string[] {
  return Array.from({ length: count }, () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
    return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  })
}

export interface Setup {
  west: FakeTrustCluster
  east: FakeTrustCluster
  world: TrustWorld
  terminal: FakeTerminal
}

/** @param keys four: of the CAs of west and east, of leaves, and a spare one */
export function setUp(keys: readonly string[], change: (west: FakeTrustCluster) => void = () => {}): Setup {
  const [one = '', two = '', leafKey = ''] = keys
  const workloads = ['istio-system/istio-ingressgateway', 'foo/sleep']
  const west = new FakeTrustCluster('west', { own: selfSigned(one), leafKey, workloads })
  const east = new FakeTrustCluster('east', { own: selfSigned(two), leafKey, workloads })
  change(west)
  const terminal = new FakeTerminal()
  let ticks = 0
  let drawn = 0
  const base = fakeWorld(west, terminal)
  const clock = { now: () => new Date(base.clock.now().getTime() + ticks++), sleep: base.clock.sleep.bind(base.clock) }
  const of = (cluster: unknown) => (cluster === west ? west : east)
  const world: TrustWorld = {
    ...base,
    clock,
    generateKey: async () => keys[drawn++ % 3] ?? '',
    members: [
      { name: 'west', cluster: west },
      { name: 'east', cluster: east },
    ],
    askInside: async (request, cluster) => of(cluster).inside(request),
    readServedChain: async (request, cluster) => of(cluster).served(request),
  }
  return { west, east, world, terminal }
}

/** Checks that a run is refused with a code, and that it has written nothing. */
export async function refused(run: Promise<unknown>, code: string, { west, east }: Setup): Promise<UserError> {
  let found: UserError | undefined
  await assert.rejects(run, (error) => {
    found = error as UserError
    return error instanceof UserError && error.code === code
  })
  assert.deepEqual([...west.writes, ...east.writes], [])
  return found as UserError
}
