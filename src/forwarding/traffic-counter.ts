/** What went through the local ports, for whoever watches. */
import type { Carried } from './connection.ts'

/** One connection that is over. */
export interface ConnectionReport extends Carried {
  addon: string
  /** The how-many-eth it was. */
  number: number
  milliseconds: number
}

/** So far, of all add-ons together. Bytes `up` go to the pods. */
export interface TrafficReport extends Carried {
  open: number
  connections: number
  /** How often a pod was reached again after it had been gone. */
  reconnects: number
}

export class Traffic {
  readonly #open = new Set<Carried>()
  readonly #over: Carried = { up: 0, down: 0 }
  #connections = 0
  #connected = 0
  readonly #addons = new Set<string>()

  /** @returns what the connection adds its bytes to */
  begin(): Carried & { number: number } {
    const carried = { up: 0, down: 0, number: ++this.#connections }
    this.#open.add(carried)
    return carried
  }

  end(carried: Carried): void {
    this.#open.delete(carried)
    this.#over.up += carried.up
    this.#over.down += carried.down
  }

  /** An add-on has a pod. */
  connected(addon: string): void {
    this.#addons.add(addon)
    this.#connected++
  }

  report(): TrafficReport {
    const all = [this.#over, ...this.#open]
    const sum = (of: (carried: Carried) => number) => all.reduce((total, carried) => total + of(carried), 0)
    return {
      open: this.#open.size,
      connections: this.#connections,
      up: sum(({ up }) => up),
      down: sum(({ down }) => down),
      reconnects: this.#connected - this.#addons.size,
    }
  }
}
