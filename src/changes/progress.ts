/** Records what a run has done so far, so that an error can report what was changed before it. */
import { halfDone } from '../errors.ts'

export class Progress {
  readonly #changed: string[] = []
  readonly #deleted: string[] = []

  /** @param object `secret/kubectl-telemetry-tls` */
  changed(object: string): void {
    this.#changed.push(object)
  }

  deleted(object: string): void {
    this.#deleted.push(object)
  }

  /** Adds to each error of the work what had been changed and deleted before it. */
  async reportOnError<T>(work: () => Promise<T>, suggestions: string[] = []): Promise<T> {
    try {
      return await work()
    } catch (error) {
      const parts = [
        { what: 'changed', objects: this.#changed },
        { what: 'deleted', objects: this.#deleted },
      ].filter(({ objects }) => objects.length > 0)
      const done = parts.map(({ what, objects }) => `${what} before that: ${objects.join(', ')}`).join('; ')
      throw halfDone(error, done, parts.length > 0, suggestions)
    }
  }
}
