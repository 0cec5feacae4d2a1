/** Runs the real binary on the real mesh, which `npm test` starts before the end-to-end tests. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { stripVTControlCharacters } from 'node:util'
import { type ClusterNumber, labEnvironment } from '../lab/lab.ts'
import { installPlugin } from '../plugin.ts'

export interface Outcome {
  stdout: string
  stderr: string
  exitCode: number
}

interface RunOptions {
  environment?: NodeJS.ProcessEnv
  input?: string
  /** Milliseconds. */
  timeout?: number
}

/** A separate home directory for one test file: the plugin on PATH, and no stored CA. */
export class Workplace {
  readonly directory = mkdtempSync(join(tmpdir(), 'telemetry-e2e-'))
  readonly environment: NodeJS.ProcessEnv

  readonly cluster: ClusterNumber

  /** @param cluster of the lab, which kubectl and the plugin use; a first one's kubeconfig has the contexts of both */
  constructor(cluster: ClusterNumber = 1) {
    this.cluster = cluster
    const bin = join(this.directory, 'bin')
    installPlugin(bin)
    const lab = labEnvironment(cluster)
    this.environment = { ...lab, PATH: `${bin}:${lab.PATH}`, XDG_DATA_HOME: join(this.directory, 'data') }
  }

  /** Runs a command without a terminal. */
  run(command: string, words: string[], { environment = {}, input, timeout = 90_000 }: RunOptions = {}): Outcome {
    const { stdout, stderr, status, error } = spawnSync(command, words, {
      env: { ...this.environment, ...environment },
      encoding: 'utf8',
      input: input ?? '',
      timeout,
      maxBuffer: 256 * 1024 * 1024,
    })
    if (error !== undefined) throw error
    return { stdout, stderr, exitCode: status ?? -1 }
  }

  /** `kubectl telemetry …`, as users type it. */
  telemetry(...words: string[]): Outcome {
    return this.run('kubectl', ['telemetry', ...words])
  }

  /** Runs kubectl. @throws Error when it fails */
  kubectl(...words: string[]): string {
    const { stdout, stderr, exitCode } = this.run('kubectl', words)
    if (exitCode !== 0) throw new Error(`kubectl ${words.join(' ')}: ${stderr}`)
    return stdout
  }

  /** Runs kubectl apply. */
  apply(...objects: object[]): void {
    this.#apply(objects)
  }

  /** Server-side apply by a field manager, as helm 4 does it: the manager owns empty maps too. */
  applyAs(manager: string, ...objects: object[]): void {
    this.#apply(objects, '--server-side', `--field-manager=${manager}`)
  }

  /** Deletes objects; those that do not exist are ignored. @throws Error when kubectl fails */
  delete(...objects: object[]): void {
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
    const { stderr, exitCode } = this.run('kubectl', ['delete', '--ignore-not-found', '-f', '-'], { input })
    if (exitCode !== 0) throw new Error(`kubectl delete: ${stderr}`)
  }

  #apply(objects: object[], ...words: string[]): void {
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
    const { stderr, exitCode } = this.run('kubectl', ['apply', ...words, '-f', '-'], { input })
    if (exitCode !== 0) throw new Error(`kubectl apply: ${stderr}`)
  }

  /**
   * `kubectl telemetry …` on a pseudo-terminal (util-linux' script): types each text when its prompt has appeared.
   * @returns all that the terminal showed, and the exit code
   */
  async onTerminal(
    words: string[],
    answers: { prompt: RegExp; type: string }[],
  ): Promise<{ screen: string; exitCode: number }> {
    const command = `stty cols 200; exec kubectl-telemetry ${words.join(' ')}`
    const child = spawn('script', ['-qec', command, '/dev/null'], {
      env: this.environment,
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    let screen = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      screen = stripVTControlCharacters(screen + text)
    })
    const ended = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)))
    try {
      for (const { prompt, type } of answers) {
        await eventually(() => prompt.test(screen), `${prompt} did not appear`)
        child.stdin.write(type)
      }
      await eventually(() => child.exitCode !== null, 'it did not end')
      return { exitCode: await ended, screen }
    } catch (error) {
      child.kill()
      throw new Error(`${(error as Error).message}:\n${screen}`)
    }
  }

  /** Waits for a Deployment in istio-system, so that the next test file finds it ready; Kiali takes half a minute to start. */
  waitForRollout(deployment: string): void {
    this.kubectl('-n', 'istio-system', 'rollout', 'status', `deployment/${deployment}`, '--timeout=85s')
  }

  /** Removes everything that tests left in the cluster and on this machine. */
  end(): void {
    this.telemetry('cleanup', '-y')
    rmSync(this.directory, { recursive: true, force: true })
  }
}

async function eventually(happened: () => boolean, otherwise: string): Promise<void> {
  for (let waited = 0; !happened(); waited += 50) {
    if (waited > 30_000) throw new Error(otherwise)
    await sleep(50)
  }
}
