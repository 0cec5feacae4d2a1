/** The rest of the world: a clock that jumps, authorities in memory, pages that answer as told, keys from a small stock. */
import { createHash, generateKeyPairSync } from 'node:crypto'
import { dirname } from 'node:path'
import type { Authority } from '../../src/certificates/authority.ts'
import type { AuthorityStore } from '../../src/certificates/authority-store.ts'
import type { Clock, Dependencies } from '../../src/operations/dependencies.ts'
import type { Probe, Prober, ProbeTarget, Resolution } from '../../src/probing/prober.ts'
import type { FakeCluster } from './fake-cluster.ts'
import type { FakeTerminal } from './fake-terminal.ts'

export class FakeClock implements Clock {
  #now = new Date('2026-11-21T12:00:00Z').getTime()

  now(): Date {
    return new Date(this.#now)
  }

  async sleep(milliseconds: number, _signal?: AbortSignal): Promise<void> {
    this.#now += milliseconds
  }
}

export class FakeAuthorities implements AuthorityStore {
  readonly kept = new Map<string, Authority>()

  async find(domain: string): Promise<Authority | undefined> {
    return this.kept.get(domain)
  }

  async keep(authority: Authority): Promise<Authority> {
    const winner = this.kept.get(authority.domain) ?? authority
    this.kept.set(authority.domain, winner)
    return winner
  }

  async list(): Promise<{ domain: string; directory: string }[]> {
    return [...this.kept.keys()].map((domain) => ({ domain, directory: dirname(this.certificatePath(domain)) }))
  }

  async remove(domain: string): Promise<void> {
    this.kept.delete(domain)
  }

  certificatePath(domain: string): string {
    return `/home/me/.local/share/kubectl-telemetry/authorities/${domain}/ca.crt`
  }
}

/** Answers 200 unless told otherwise. */
export class FakeProber implements Prober {
  readonly probed: ProbeTarget[] = []
  /** Answers in order; the last one is given for ever. */
  answers: Probe[] = [{ ok: true, hop: 'upstream', status: 200, protocol: 'HTTP/2', milliseconds: 12 }]
  /** What every name resolves to. */
  addresses: string[] = ['192.0.2.10']
  /** What some names resolve to, or by their end: `.nip.io`. */
  readonly resolutions: Record<string, Resolution> = {}
  /** The names that were looked up, a list for each time. */
  readonly looked: string[][] = []

  async probe(target: ProbeTarget): Promise<Probe> {
    this.probed.push(target)
    const answer = this.answers.length > 1 ? this.answers.shift() : this.answers[0]
    if (answer === undefined) throw new Error('no answer was scripted')
    return answer
  }

  async resolve(hosts: string[]): Promise<Resolution[]> {
    this.looked.push(hosts)
    return hosts.map((host) => {
      const known = Object.keys(this.resolutions).find((end) => host.endsWith(end))
      if (known !== undefined) return this.resolutions[known] ?? { addresses: [] }
      return this.addresses.length > 0 ? { addresses: this.addresses } : { addresses: [], failure: 'no-such-name' }
    })
  }
}

/** Made once for all tests: making RSA keys is the slowest thing a test could do. */
const KEYS = Array.from({ length: 4 }, () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
})

export interface FakeWorld extends Dependencies {
  cluster: FakeCluster
  terminal: FakeTerminal
  authorities: FakeAuthorities
  prober: FakeProber
  clock: FakeClock
}

export function fakeWorld(cluster: FakeCluster, terminal: FakeTerminal): FakeWorld {
  let keys = 0
  let drawn = 0
  return {
    cluster,
    terminal,
    authorities: new FakeAuthorities(),
    prober: new FakeProber(),
    clock: new FakeClock(),
    random: (bytes) => createHash('sha512').update(String(drawn++)).digest().subarray(0, bytes),
    generateKey: async () => KEYS[keys++ % KEYS.length] ?? '',
  }
}
