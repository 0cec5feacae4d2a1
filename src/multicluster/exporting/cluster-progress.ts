/** What a run has done in one of several clusters: each object is reported with the name of its cluster. */
import { Progress } from '../../changes/progress.ts'

export class ClusterProgress extends Progress {
  readonly #name: string
  readonly #all: Progress

  constructor(name: string, all: Progress) {
    super()
    this.#name = name
    this.#all = all
  }

  override changed(object: string): void {
    this.#all.changed(`${this.#name}: ${object}`)
  }

  override deleted(object: string): void {
    this.#all.deleted(`${this.#name}: ${object}`)
  }
}
