/** The lab's wire server (test/lab/wire) in the cluster, and the bytes that it sends. */
import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'

export const WIRE_HTTP = 8080
export const WIRE_RAW = 9000

/** A Namespace with a Deployment and a Service `wire` in it, whose pods end at once. */
export function wireServer(namespace: string, replicas = 1): object[] {
  const labels = { app: 'wire' }
  const metadata = { name: 'wire', namespace }
  const ports = [
    { name: 'http', port: WIRE_HTTP },
    { name: 'tcp-raw', port: WIRE_RAW },
  ]
  const container = {
    name: 'wire',
    image: 'lab/wire:1',
    imagePullPolicy: 'IfNotPresent',
    ports: ports.map(({ name, port }) => ({ name, containerPort: port })),
  }
  const spec = {
    replicas,
    selector: { matchLabels: labels },
    strategy: { type: 'Recreate' },
    template: { metadata: { labels }, spec: { terminationGracePeriodSeconds: 0, containers: [container] } },
  }
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec },
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: labels, ports } },
  ]
}

const BLOCK = 1 << 16

/** The first n bytes that it sends: blocks of noise (xorshift), each with its number in front. */
export function* wireContent(n: number): Generator<Buffer> {
  const noise = Buffer.alloc(BLOCK)
  let state = 2463534242
  for (let at = 0; at < BLOCK; at++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    noise[at] = state & 255
  }
  for (let number = 0; number * BLOCK < n; number++) {
    const block = Buffer.from(noise)
    block.writeBigUInt64BE(BigInt(number))
    yield block.subarray(0, n - number * BLOCK)
  }
}

/** SHA-256 of the first n bytes. It yields to other work while it computes. */
export async function wireSum(n: number): Promise<string> {
  const digest = createHash('sha256')
  let blocks = 0
  for (const block of wireContent(n)) {
    digest.update(block)
    if (blocks++ % 64 === 0) await setImmediate()
  }
  return digest.digest('hex')
}
