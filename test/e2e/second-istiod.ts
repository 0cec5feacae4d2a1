/** A second control plane beside the lab's, as Istio's installer makes it for a canary upgrade: a revision, and a tag that names it. */
import { parseAllDocuments } from 'yaml'
import { defaultIstioVersion } from '../lab/layout.ts'
import type { Workplace } from './mesh.ts'

/** Objects that the lab has already, and those that would make its API server wait for this istiod. */
const LEFT_OUT = ['CustomResourceDefinition', 'ValidatingWebhookConfiguration', 'HorizontalPodAutoscaler']
const SHARED_BY_REVISIONS = 'istio-reader-service-account'

interface Wanted {
  revision: string
  tag: string
  /** More of the installer's settings: `values.global.proxy.excludeInboundPorts=8080`. */
  settings: string[]
}

export class SecondIstiod {
  readonly #workplace: Workplace
  readonly #revision: string
  readonly #objects: object[]

  private constructor(workplace: Workplace, revision: string, objects: object[]) {
    this.#workplace = workplace
    this.#revision = revision
    this.#objects = objects
  }

  /** Its Deployment is not ready yet. */
  static start(workplace: Workplace, { revision, tag, settings }: Wanted): SecondIstiod {
    const all = [
      ...['profile=minimal', 'hub=docker.io/istio', `tag=${defaultIstioVersion}.0`, `revision=${revision}`],
      `values.revisionTags[0]=${tag}`,
      // As the lab installs the first one (test/lab/istio.ts).
      ...['values.pilot.env.PILOT_ENABLE_METADATA_EXCHANGE=false', 'values.pilot.env.PILOT_ENABLE_ALPN_FILTER=false'],
      ...['values.telemetry.enabled=false', 'meshConfig.defaultConfig.proxyMetadata.PEER_METADATA_DISCOVERY=false'],
      'meshConfig.defaultConfig.drainDuration=5s',
      ...['values.pilot.resources.requests.cpu=50m', 'values.pilot.resources.requests.memory=128Mi'],
      ...['values.global.proxy.resources.requests.cpu=10m', 'values.global.proxy.resources.requests.memory=64Mi'],
      ...settings,
    ]
    const words = ['manifest', 'generate', ...all.flatMap((setting) => ['--set', setting])]
    const { stdout, stderr, exitCode } = workplace.run('istioctl', words)
    if (exitCode !== 0) throw new Error(`istioctl: ${stderr}`)
    const documents = parseAllDocuments(stdout).map((one) => one.toJS() as Rendered | null)
    const objects = documents.filter(
      (one) => one !== null && !LEFT_OUT.includes(one.kind) && one.metadata.name !== SHARED_BY_REVISIONS,
    ) as object[]
    workplace.apply(...objects)
    return new SecondIstiod(workplace, revision, objects)
  }

  awaitReady(): void {
    const deployment = `deployment/istiod-${this.#revision}`
    this.#workplace.kubectl('-n', 'istio-system', 'rollout', 'status', deployment, '--timeout=85s')
  }

  /** Also its leases, which no installer removes. */
  remove(): void {
    this.#workplace.delete(...this.#objects)
    const leases = this.#workplace.kubectl('-n', 'istio-system', 'get', 'leases', '-o', 'name').split('\n')
    const own = leases.filter((name) => name.endsWith(`-${this.#revision}`))
    this.#workplace.kubectl('-n', 'istio-system', 'delete', '--ignore-not-found', ...own)
  }
}

interface Rendered {
  kind: string
  metadata: { name: string }
}
