/** Which file a lane takes next. */

/** Files that must not run at the same time, on whatever meshes. */
export interface Exclusion {
  reason: string
  files: RegExp
}

export class FileQueue {
  readonly #waiting: string[]
  readonly #exclusions: readonly Exclusion[]
  readonly #running = new Set<string>()
  #wake: () => void = () => {}
  #woken = Promise.resolve()

  /** @param seconds that each file took when it was last recorded; those that have none come first */
  constructor(files: readonly string[], seconds: Readonly<Record<string, number>>, exclusions: readonly Exclusion[]) {
    const length = (file: string) => seconds[file] ?? Number.POSITIVE_INFINITY
    this.#waiting = [...files].sort((one, other) =>
      length(one) === length(other) ? one.localeCompare(other) : length(other) - length(one),
    )
    this.#exclusions = exclusions
    this.#sleep()
  }

  /** Waits while every file that is left excludes one that runs. @returns undefined when no file is left */
  async take(): Promise<string | undefined> {
    while (this.#waiting.length > 0) {
      const index = this.#waiting.findIndex((file) => this.#mayRun(file))
      const [file] = index < 0 ? [] : this.#waiting.splice(index, 1)
      if (file !== undefined) {
        this.#running.add(file)
        return file
      }
      await this.#woken
    }
    return undefined
  }

  ended(file: string): void {
    this.#running.delete(file)
    this.#wake()
    this.#sleep()
  }

  /** Files that no lane has taken. */
  get left(): readonly string[] {
    return this.#waiting
  }

  #mayRun(file: string): boolean {
    return !this.#exclusions.some(({ files }) => files.test(file) && [...this.#running].some((one) => files.test(one)))
  }

  #sleep(): void {
    this.#woken = new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}
