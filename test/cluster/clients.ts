/** Our clients of a test's API server, as a kubeconfig file makes them. */
import { KubeCluster } from '../../src/cluster/kube-cluster.ts'
import { loadKubeConfig } from '../../src/cluster/kube-config.ts'
import { KubeRequests, type KubeRequestsOptions } from '../../src/cluster/kube-requests.ts'
import type { ApiServer } from './api-server.ts'
import { KubeConfigFiles, type KubeConfigSettings, kubeConfig } from './kubeconfig-files.ts'

export interface ClientSettings {
  config?: KubeConfigSettings
  options?: Partial<KubeRequestsOptions>
}

export class Clients {
  readonly files: KubeConfigFiles
  readonly #open: { close(): Promise<void> }[] = []

  static async create(): Promise<Clients> {
    return new Clients(await KubeConfigFiles.create())
  }

  private constructor(files: KubeConfigFiles) {
    this.files = files
  }

  async requests(server: ApiServer, { config, options }: ClientSettings = {}): Promise<KubeRequests> {
    const file = await this.#file(server, config)
    return this.#opened(
      new KubeRequests((context) => loadKubeConfig({ file, context, environment: {} }), optionsOf(options)),
    )
  }

  async cluster(server: ApiServer, { config, options }: ClientSettings = {}): Promise<KubeCluster> {
    const file = await this.#file(server, config)
    return this.#opened(new KubeCluster({ file, environment: {} }, optionsOf(options)))
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.map((client) => client.close()))
    await this.files.remove()
  }

  #file(server: ApiServer, config: KubeConfigSettings = {}): Promise<string> {
    const settings = { server: server.url, authority: server.authority.certificate, ...config }
    return this.files.write(`config-${this.#open.length}`, kubeConfig(settings))
  }

  #opened<T extends { close(): Promise<void> }>(client: T): T {
    this.#open.push(client)
    return client
  }
}

function optionsOf(options: Partial<KubeRequestsOptions> = {}): KubeRequestsOptions {
  return { impersonate: {}, timeout: 5_000, environment: {}, pauses: [10, 20, 30], ...options }
}
