/** Keeps the guards until the gateway no longer serves their routes: its filters may change a moment before its routes do. */
import { isGuardKind } from '../../access/guard-plan.ts'
import type { FoundObject } from '../../changes/undo.ts'
import type { KubeObject } from '../../cluster/cluster.ts'
import { componentOf } from '../../cluster/ownership.ts'
import { readable, readServices } from '../../cluster/reading.ts'
import { RememberingCluster } from '../../cluster/remembering-cluster.ts'
import { outsidePort } from '../../gateways/address.ts'
import { exposedRoutes } from '../../gateways/exposed-routes.ts'
import { portNumbered } from '../../gateways/find.ts'
import { isSecure, layoutInUse, schemePort } from '../../gateways/layout.ts'
import { findGatewayBehind } from '../../gateways/survey.ts'
import { LOGIN_PROBE } from '../../manifests/probe-paths.ts'
import { until, waitFor } from '../../time/until.ts'
import type { Dependencies } from '../../world.ts'
import { PAUSE } from '../opening/prove-guards.ts'
import { hostAt } from '../spec.ts'

/** Milliseconds in which istiod sends a change to the gateway; also where the gateway cannot be asked. */
const PUSH = 500
const PATIENCE = 5_000

type Needs = Pick<Dependencies, 'cluster' | 'clock' | 'prober'>

export class RemovedRoutes {
  readonly #needs: Needs
  #objects: readonly KubeObject[] = []
  /** `NAMESPACE/ADDON` of routes that are gone. */
  readonly #gone = new Set<string>()

  constructor(needs: Needs) {
    // The address of the gateway is that of the first guard for all others, too.
    this.#needs = { ...needs, cluster: new RememberingCluster(needs.cluster) }
  }

  /** @param owned all objects, before anything is deleted */
  remember(owned: readonly FoundObject[]): void {
    this.#objects = owned.map(({ object }) => object)
  }

  /** Waits before a guard is deleted. */
  async awaitGone({ resource, object }: FoundObject): Promise<void> {
    const { namespace = '' } = object.metadata
    const addon = componentOf(object) ?? ''
    const name = `${namespace}/${addon}`
    if (!isGuardKind(resource) || this.#gone.has(name)) return
    if (this.#gone.size === 0) await waitFor(PUSH, this.#needs.clock)
    this.#gone.add(name)
    await this.#awaitUnserved(namespace, addon)
  }

  async #awaitUnserved(namespace: string, addon: string): Promise<void> {
    const { cluster, clock, prober } = this.#needs
    const here = this.#objects.filter(({ metadata }) => metadata.namespace === namespace)
    const gateway = here.find(({ kind }) => kind === 'Gateway')
    const route = exposedRoutes(here.filter(({ kind }) => kind === 'VirtualService')).find((one) => one.name === addon)
    const isHttps = route !== undefined && isSecure(route, layoutInUse(gateway) ?? { secure: true })
    const services = await readable(readServices(cluster))
    if (gateway === undefined || route === undefined || services === undefined) return
    const behind = await readable(findGatewayBehind(gateway, services, undefined, cluster))
    const { host, port: number = schemePort(isHttps) } = route
    const port = behind?.address && outsidePort(behind.address, behind.gateway.service, number)
    if (behind?.address === undefined || port === undefined) return
    // Through a port that the Service no longer has nobody can ask: a packet to it may get no answer at all.
    if (behind.address.hostPorts === undefined && portNumbered(behind.gateway.service, number) === undefined) return
    const target = { host: hostAt(host, behind.address), address: behind.address.address, port }
    // Without a route, HTTPS has no certificate for the host, or HTTP has none at this path, which no guard denies.
    const look = isHttps
      ? async () => (await prober.servedCertificate(target)).fingerprint === undefined
      : async () =>
          (await prober.probe({ ...target, path: LOGIN_PROBE, authorityCertificate: undefined })).hop !== 'access'
    await until({ look, isDone: (gone) => gone, pause: PAUSE, timeout: PATIENCE }, clock)
  }
}
