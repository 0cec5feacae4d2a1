/** Fakes of the other adapters: a clock that jumps, CAs in memory, pages with given answers, and a few keys. */
import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { dirname } from 'node:path'
import type { Authority, KeyPair } from '../../src/certificates/authority.ts'
import type { AuthorityStore } from '../../src/certificates/authority-store.ts'
import { type AuthorityUse, isRecorded } from '../../src/certificates/authority-uses.ts'
import type { TrustStore, TrustStores } from '../../src/certificates/trust-stores.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import { LOGIN_PROBE, OPEN, PROBES } from '../../src/manifests/probe-paths.ts'
import type { Probe, Prober, ProbeTarget, Resolution, ServedCertificate } from '../../src/probing/prober.ts'
import type { Clock } from '../../src/time/clock.ts'
import type { Dependencies } from '../../src/world.ts'
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
  readonly uses = new Map<string, AuthorityUse[]>()

  async find(domain: string): Promise<Authority | undefined> {
    return this.kept.get(domain)
  }

  async keep(authority: Authority): Promise<Authority> {
    const winner = this.kept.get(authority.domain) ?? authority
    this.kept.set(authority.domain, winner)
    return winner
  }

  async keepNext(domain: string, next: KeyPair): Promise<KeyPair> {
    const authority = this.kept.get(domain)
    if (authority === undefined) throw new Error(`no CA of ${domain} is stored`)
    const winner = authority.next ?? next
    this.kept.set(domain, { ...authority, next: winner })
    return winner
  }

  async promoteNext(domain: string): Promise<void> {
    const next = this.kept.get(domain)?.next
    if (next !== undefined) this.kept.set(domain, { domain, ...next })
  }

  async usesOf(domain: string): Promise<AuthorityUse[]> {
    return this.uses.get(domain) ?? []
  }

  async recordUse(domain: string, use: AuthorityUse): Promise<void> {
    if (!this.kept.has(domain)) throw new Error(`no CA of ${domain} is stored`)
    const known = this.uses.get(domain) ?? []
    if (!isRecorded(known, use)) this.uses.set(domain, [...known, use])
  }

  async list(): Promise<{ domain: string; directory: string }[]> {
    return [...this.kept.keys()].map((domain) => ({ domain, directory: dirname(this.certificatePath(domain)) }))
  }

  async remove(domain: string): Promise<void> {
    this.kept.delete(domain)
    this.uses.delete(domain)
  }

  certificatePath(domain: string): string {
    return `/home/me/.local/share/kubectl-telemetry/authorities/${domain}/ca.crt`
  }
}

/** The answer of a route of ours itself. */
export const ROUTE: Probe = {
  ok: true,
  hop: 'access',
  status: 403,
  header: OPEN,
  protocol: 'HTTP/2',
  milliseconds: 3,
}

/** The answer of a guard. */
export function guardAnswers(status: 401 | 403): Probe {
  return { ok: true, hop: 'access', status, protocol: 'HTTP/2', milliseconds: 3 }
}

/** Guards like Envoy with the present objects: a filter of the host answers 401, and a policy denies the path that it names. */
function guardingFrom({ objects }: FakeCluster): FakeProber['guarding'] {
  return ({ host: asked, path }) => {
    const isRouted = (host: string) =>
      objects.some(({ kind, spec }) => kind === 'VirtualService' && JSON.stringify(spec).includes(`"hosts":["${host}"`))
    const host = [asked, '*'].find(isRouted)
    if (host === undefined) return { ok: false, hop: 'route', status: 404, protocol: 'HTTP/2', milliseconds: 3 }
    const text = (kind: string) => JSON.stringify(objects.filter((one) => one.kind === kind).map(({ spec }) => spec))
    if (text('AuthorizationPolicy').includes(path) && path !== LOGIN_PROBE) return guardAnswers(403)
    return text('EnvoyFilter').includes(`${host}:`) ? guardAnswers(401) : ROUTE
  }
}

/** Answers 200 by default. */
export class FakeProber implements Prober {
  readonly probed: ProbeTarget[] = []
  /** Answers in order; the last one repeats. */
  answers: Probe[] = [{ ok: true, hop: 'upstream', status: 200, protocol: 'HTTP/2', milliseconds: 12 }]
  /** Addresses of all names. */
  addresses: string[] = ['192.0.2.10']
  /** Addresses of some names, or of all names with an end: `.nip.io`. */
  readonly resolutions: Record<string, Resolution> = {}
  /** PEM of the certificate that the gateway serves for a host; `undefined` closes the connection. */
  serving: (host: string) => string | undefined = () => undefined
  /** Answers by target, instead of those in order. */
  page: ((target: ProbeTarget) => Probe) | undefined
  /** Answers for the paths by which guards are proven. */
  guarding: (target: ProbeTarget) => Probe = () => ROUTE
  /** Requests for these paths. */
  readonly proofs: ProbeTarget[] = []
  /** Targets whose certificate was asked for. */
  readonly handshakes: Pick<ProbeTarget, 'host' | 'address' | 'port'>[] = []
  /** Looked up names, one list for each call. */
  readonly lookups: string[][] = []

  async probe(target: ProbeTarget): Promise<Probe> {
    if (target.path.startsWith(PROBES)) {
      this.proofs.push(target)
      return this.guarding(target)
    }
    this.probed.push(target)
    const page = this.page?.(target)
    if (page !== undefined) return page
    const answer = this.answers.length > 1 ? this.answers.shift() : this.answers[0]
    if (answer === undefined) throw new Error('no answer was scripted')
    return answer
  }

  async servedCertificate(target: Pick<ProbeTarget, 'host' | 'address' | 'port'>): Promise<ServedCertificate> {
    this.handshakes.push(target)
    const { host } = target
    const pem = this.serving(host)
    if (pem === undefined)
      return { message: 'the gateway closed the connection: it serves no certificate for this host' }
    return { fingerprint: new X509Certificate(pem).fingerprint256 }
  }

  async resolve(hosts: string[]): Promise<Resolution[]> {
    this.lookups.push(hosts)
    return hosts.map((host) => {
      const known = Object.keys(this.resolutions).find((end) => host.endsWith(end))
      if (known !== undefined) return this.resolutions[known] ?? { addresses: [] }
      return this.addresses.length > 0 ? { addresses: this.addresses } : { addresses: [], failure: 'no-such-name' }
    })
  }
}

/** Serves like Envoy: with the Secret of the host's Gateway, or with the last valid one. */
function servingFrom({ objects }: FakeCluster): (host: string) => string | undefined {
  return (host) => {
    const gateway = objects.find((one) => one.kind === 'Gateway' && serverFor(one, host) !== undefined)
    const name = gateway && serverFor(gateway, host)?.tls?.credentialName
    const secret = objects.find(
      ({ kind, metadata }) =>
        kind === 'Secret' && metadata.name === name && metadata.namespace === gateway?.metadata.namespace,
    )
    const certificate = (secret?.data as Record<string, string> | undefined)?.['tls.crt']
    return certificate === undefined ? undefined : Buffer.from(certificate, 'base64').toString()
  }
}

function serverFor(gateway: KubeObject, host: string): { tls?: { credentialName?: string } } | undefined {
  const { servers } = gateway.spec as { servers: { hosts: string[]; tls?: { credentialName?: string } }[] }
  return servers.find(
    ({ hosts, tls }) => [host, `./${host}`].some((one) => hosts.includes(one)) && tls?.credentialName !== undefined,
  )
}

/** Trust stores that execute the given commands, or fail. */
export class FakeTrustStores implements TrustStores {
  /** PEM, one certificate each. */
  readonly roots: string[] = []
  stores: TrustStore[] = []
  /** PEM by name. */
  readonly files = new Map<string, string>()
  readonly ran: string[] = []
  /** Error output of failing programs. */
  readonly complaints: Record<string, string> = {}

  async systemRoots(): Promise<string[]> {
    return this.roots
  }

  async find(): Promise<TrustStore[]> {
    return structuredClone(this.stores)
  }

  fileOf(name: string): string {
    return `/home/me/.local/share/kubectl-telemetry/trusted/${name}.crt`
  }

  async staged(): Promise<string[]> {
    return [...this.files.keys()]
  }

  async stage(name: string, pem: string): Promise<void> {
    this.files.set(name, pem)
  }

  async unstage(name: string): Promise<void> {
    this.files.delete(name)
  }

  async run(command: string[]): Promise<string | undefined> {
    this.ran.push(command.join(' '))
    const complaint = this.complaints[command[0] ?? '']
    if (complaint === undefined) this.#execute(command)
    return complaint
  }

  #execute(command: string[]): void {
    const words = command.join(' ')
    const [name] = /kubectl-telemetry-[0-9a-f]{16}/.exec(words) ?? []
    const store = this.stores.find(({ place }) => 'directory' in place && words.includes(place.directory))
    if (store?.entries === undefined || name === undefined) return
    const adds = command[0] === 'install' || command.includes('-A')
    store.entries = adds ? [...store.entries, name] : store.entries.filter((one) => one !== name)
  }
}

/** Keys are generated once for all tests, because RSA keys are slow to generate. */
const KEYS = Array.from({ length: 4 }, () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
})

export interface FakeWorld extends Dependencies {
  cluster: FakeCluster
  terminal: FakeTerminal
  authorities: FakeAuthorities
  meshRoots: FakeAuthorities
  trustStores: FakeTrustStores
  prober: FakeProber
  clock: FakeClock
  /** Content by path. */
  files: Map<string, { data: string | Uint8Array; mode: number }>
}

export function fakeWorld(cluster: FakeCluster, terminal: FakeTerminal): FakeWorld {
  let keys = 0
  let drawn = 0
  const prober = new FakeProber()
  prober.serving = servingFrom(cluster)
  prober.guarding = guardingFrom(cluster)
  const files: FakeWorld['files'] = new Map()
  return {
    files,
    writeFile: async (path, data, mode) => {
      if (files.has(path)) throw new UserError('FILE_EXISTS', `${path} already exists; it was not changed`)
      files.set(path, { data, mode })
    },
    writeFiles: async (directory, wanted) => {
      const paths = wanted.map(({ path }) => [directory, ...path].join('/'))
      const present = paths.find((path) => files.has(path))
      if (present !== undefined) throw new UserError('FILE_EXISTS', `${present} already exists; it was not changed`)
      for (const [index, { data, mode }] of wanted.entries()) files.set(paths[index] ?? '', { data, mode })
      return paths
    },
    cluster,
    terminal,
    authorities: new FakeAuthorities(),
    meshRoots: new FakeAuthorities(),
    trustStores: new FakeTrustStores(),
    prober,
    clock: new FakeClock(),
    machine: 'me@laptop',
    random: (bytes) => createHash('sha512').update(String(drawn++)).digest().subarray(0, bytes),
    generateKey: async () => KEYS[keys++ % KEYS.length] ?? '',
  }
}
