/** Writes kubeconfig files into a temporary directory. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface KubeConfigSettings {
  server?: string
  /** PEM. */
  authority?: string
  user?: object
  cluster?: object
  context?: string
}

export class KubeConfigFiles {
  readonly directory: string

  static async create(): Promise<KubeConfigFiles> {
    return new KubeConfigFiles(await mkdtemp(join(tmpdir(), 'kubectl-telemetry-kubeconfig-')))
  }

  private constructor(directory: string) {
    this.directory = directory
  }

  path(name: string): string {
    return join(this.directory, name)
  }

  async write(name: string, content: string | object): Promise<string> {
    const text = typeof content === 'string' ? content : JSON.stringify(content) // which is YAML
    await writeFile(this.path(name), text)
    return this.path(name)
  }

  remove(): Promise<void> {
    return rm(this.directory, { recursive: true })
  }
}

/** One context with its cluster and user, all with the same name. */
export function kubeConfig(settings: KubeConfigSettings): object {
  const {
    server = 'https://server.test',
    authority,
    user = { token: 'token' },
    cluster = {},
    context: name = 'test',
  } = settings
  const trust = authority === undefined ? {} : { 'certificate-authority-data': base64(authority) }
  return {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    clusters: [{ name, cluster: { server, ...trust, ...cluster } }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name } }],
  }
}

export function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
