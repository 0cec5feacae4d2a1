/** Clients of a test's API server, configured by a kubeconfig file. */
import { KubeCluster } from '../../src/cluster/kube-cluster.ts'
import { KubeRequests, type KubeRequestsOptions } from '../../src/cluster/kube-requests.ts'
import { loadKubeConfig } from '../../src/cluster/kubeconfig/kube-config.ts'
import type { ApiServer } from './api-server.ts'
import { KubeConfigFiles, type KubeConfigSettings, kubeConfig } from './kubeconfig-files.ts'

export interface ClientSettings {
  config?: KubeConfigSettings
  options?: Partial<KubeRequestsOptions>
}

export class Clients {
  readonly files: KubeConfigFiles
  readonly #always: Partial<KubeRequestsOptions>
  readonly #open: { close(): Promise<void> }[] = []

  /** @param always default options of every client */
  static async create(always: ClientSettings['options'] = {}): Promise<Clients> {
    return new Clients(await KubeConfigFiles.create(), always)
  }

  private constructor(files: KubeConfigFiles, always: Partial<KubeRequestsOptions>) {
    this.files = files
    this.#always = always
  }

  async requests(server: ApiServer, { config, options }: ClientSettings = {}): Promise<KubeRequests> {
    const file = await this.#file(server, config)
    return this.#opened(
      new KubeRequests(
        (context) => loadKubeConfig({ file, context, environment: {} }),
        optionsOf({ ...this.#always, ...options }),
      ),
    )
  }

  async cluster(server: ApiServer, { config, options }: ClientSettings = {}): Promise<KubeCluster> {
    const file = await this.#file(server, config)
    return this.#opened(new KubeCluster({ file, environment: {} }, optionsOf({ ...this.#always, ...options })))
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

function optionsOf(options: Partial<KubeRequestsOptions>): KubeRequestsOptions {
  return { impersonate: {}, timeout: 5_000, environment: {}, pauses: [10, 20, 30], ...options }
}
