/** The trust stores of this machine, covered by directories of a test: commands in a mount namespace change only these. */
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import type { Outcome, Workplace } from './mesh.ts'

const SYSTEM_DIRECTORIES = ['/etc/ssl', '/usr/local/share/ca-certificates']

export class CoveredStores {
  /** HOME of the commands, for the databases of browsers. */
  readonly home: string
  readonly #workplace: Workplace

  constructor(workplace: Workplace) {
    this.#workplace = workplace
    this.home = join(workplace.directory, 'home')
    for (const place of SYSTEM_DIRECTORIES)
      cpSync(place, this.copyOf(place), { recursive: true, verbatimSymlinks: true })
  }

  /** The directory that covers one of the system's. */
  copyOf(place: string): string {
    return join(this.#workplace.directory, 'overlay', place)
  }

  /** Runs a command for which the directories of the test cover the system's. @param options of the mounts */
  run(words: string[], options = ''): Outcome {
    const mounts = SYSTEM_DIRECTORIES.map((place) => `mount --bind ${options} '${this.copyOf(place)}' ${place}`)
    const script = [...mounts, 'exec "$@"'].join(' && ')
    const environment = { HOME: this.home }
    return this.#workplace.run('unshare', ['-m', 'sh', '-c', script, 'sh', ...words], { environment })
  }
}
