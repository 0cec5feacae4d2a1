/** A prober that resolves each name only once per run. */
import type { Probe, Prober, ProbeTarget, Resolution, ServedCertificate } from './prober.ts'

export class RememberingProber implements Prober {
  readonly #prober: Prober
  readonly #known = new Map<string, Promise<Resolution>>()

  constructor(prober: Prober) {
    this.#prober = prober
  }

  probe(target: ProbeTarget): Promise<Probe> {
    return this.#prober.probe(target)
  }

  servedCertificate(target: ProbeTarget): Promise<ServedCertificate> {
    return this.#prober.servedCertificate(target)
  }

  resolve(hosts: string[]): Promise<Resolution[]> {
    const open = [...new Set(hosts)].filter((host) => !this.#known.has(host))
    const asked = open.length === 0 ? Promise.resolve([]) : this.#prober.resolve(open)
    for (const [index, host] of open.entries())
      this.#known.set(
        host,
        asked.then((found) => found[index] ?? { addresses: [], failure: 'no-dns' }),
      )
    return Promise.all(hosts.map((host) => this.#known.get(host) ?? { addresses: [] }))
  }
}
