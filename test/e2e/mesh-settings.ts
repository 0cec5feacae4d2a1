/** Istio's mesh configuration in a test: changed, and restored with the time of its last change. */
import { parse, stringify } from 'yaml'
import type { Workplace } from './mesh.ts'

/**
 * `expose` compares that time with the start of the gateway, because a running gateway may have another drain time than the configuration
 * says: after a change it waits 45 s for older connections (test/gateways/mesh.test.ts, real-delays.test.ts). No test changes the drain
 * time here, so a change leaves the time of the last one: the guards of tests wait as long as the gateway really needs.
 */
export class MeshSettings {
  readonly #workplace: Workplace
  readonly #configMap: string[]
  readonly #mesh: string
  readonly #managedFields: unknown

  /** @param name of the ConfigMap: `istio-REVISION` for another istiod */
  constructor(workplace: Workplace, name = 'istio') {
    this.#workplace = workplace
    this.#configMap = ['-n', 'istio-system', `configmap/${name}`]
    const object = JSON.parse(workplace.kubectl('get', ...this.#configMap, '--show-managed-fields', '-o', 'json'))
    this.#mesh = object.data.mesh
    this.#managedFields = object.metadata.managedFields
  }

  /** The values before the test. */
  get values(): Record<string, unknown> {
    return parse(this.#mesh) as Record<string, unknown>
  }

  /** Adds settings, or replaces them. */
  set(settings: object): void {
    this.#write(stringify({ ...this.values, ...settings }))
  }

  /** Beside those that are there. */
  addProviders(...providers: object[]): void {
    const { extensionProviders = [] } = this.values as { extensionProviders?: object[] }
    this.set({ extensionProviders: [...extensionProviders, ...providers] })
  }

  restore(): void {
    this.#write(this.#mesh)
  }

  #write(mesh: string): void {
    this.#patch([{ op: 'replace', path: '/data/mesh', value: mesh }])
    this.#patch([{ op: 'replace', path: '/metadata/managedFields', value: this.#managedFields }])
  }

  #patch(operations: object[]): void {
    this.#workplace.kubectl('patch', ...this.#configMap, '--type=json', '-p', JSON.stringify(operations))
  }
}
