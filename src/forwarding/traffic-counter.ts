/** Counts connections and bytes at the local ports. */
import type { ByteCounts } from './connection.ts'

/** A connection that has ended. */
export interface ConnectionReport extends ByteCounts {
  addon: string
  /** 1 for the first connection of this run. */
  number: number
  milliseconds: number
}

/** Totals of all add-ons since the start. */
export interface TrafficReport extends ByteCounts {
  open: number
  connections: number
  /** How often an add-on got a pod again after it had lost one. */
  reconnects: number
}

export class TrafficCounter {
  readonly #open = new Set<ByteCounts>()
  readonly #ended: ByteCounts = { up: 0, down: 0 }
  #connections = 0
  #connected = 0
  readonly #addons = new Set<string>()

  /** @returns the counts to which the connection adds its bytes */
  begin(): ByteCounts & { number: number } {
    const counts = { up: 0, down: 0, number: ++this.#connections }
    this.#open.add(counts)
    return counts
  }

  end(counts: ByteCounts): void {
    this.#open.delete(counts)
    this.#ended.up += counts.up
    this.#ended.down += counts.down
  }

  /** Call it each time an add-on gets a pod. */
  connected(addon: string): void {
    this.#addons.add(addon)
    this.#connected++
  }

  report(): TrafficReport {
    const all = [this.#ended, ...this.#open]
    const sum = (amount: (counts: ByteCounts) => number) => all.reduce((total, counts) => total + amount(counts), 0)
    return {
      open: this.#open.size,
      connections: this.#connections,
      up: sum(({ up }) => up),
      down: sum(({ down }) => down),
      reconnects: this.#connected - this.#addons.size,
    }
  }
}
