/** Asks once during a wait what in the mesh keeps a page, or a guard, from answering: waiting changes nothing about that. */
import type { Cluster } from '../../cluster/cluster.ts'
import { UserError } from '../../errors.ts'
import type { IngressGateway } from '../../gateways/find.ts'
import { clusterDomain } from '../../gateways/mesh.ts'
import { type Cause, findCause, type Unreached, unknownCause } from '../../gateways/upstream/causes.ts'
import type { Probe } from '../../probing/prober.ts'
import type { Clock } from '../../time/clock.ts'
import type { Exposure } from '../spec.ts'

/** Where to look. */
export interface Mesh {
  gateway: IngressGateway
  cluster: Cluster
}

/** Milliseconds in which a new route reaches the gateway: before, a cause would be looked for too early. */
const SETTLING = 2_000

/** The search of one wait. */
export class CauseSearch {
  readonly #mesh: Mesh | undefined
  readonly #clock: Clock
  /** When it begins, in milliseconds since 1970. */
  readonly #from: number
  #isOver = false

  /** @param timeout milliseconds of the wait */
  constructor(mesh: Mesh | undefined, timeout: number, clock: Clock) {
    this.#mesh = mesh
    this.#clock = clock
    this.#from = clock.now().getTime() + Math.min(SETTLING, timeout)
  }

  /**
   * What the configuration of the mesh says, once and not too early. @param probe the last answer
   * @param exposure left out: what keeps the gateway from its own configuration
   */
  async find(probe: Probe, exposure?: Exposure): Promise<Cause | undefined> {
    if (this.#isOver || this.#clock.now().getTime() < this.#from) return undefined
    this.#isOver = true
    return this.#ask(findCause, probe, exposure)
  }

  /** What to look at where it says nothing, once the wait is over. */
  async unknown(probe: Probe, exposure: Exposure): Promise<Cause | undefined> {
    return isUnreached(probe) ? this.#ask(unknownCause, probe, exposure) : undefined
  }

  /** What cannot be read is no cause that could be named. */
  async #ask(find: typeof findCause, probe: Probe, exposure: Exposure | undefined): Promise<Cause | undefined> {
    if (this.#mesh === undefined || probe.hop === 'dns') return undefined
    const { gateway, cluster } = this.#mesh
    const to = exposure !== undefined && isUnreached(probe) ? unreached(exposure, probe, gateway) : undefined
    return find(to, gateway, cluster).catch((error: unknown) => {
      if (error instanceof UserError) return undefined
      throw error
    })
  }
}

function unreached(
  { service, namespace, servicePort: port }: Exposure,
  { wrongProtocol }: Probe,
  gateway: IngressGateway,
): Unreached {
  return { service, namespace, port, host: `${service}.${namespace}.svc.${clusterDomain(gateway)}`, wrongProtocol }
}

/** Whether the gateway has answered itself, or the add-on with a failure. */
function isUnreached({ hop, status = 0, wrongProtocol }: Probe): boolean {
  return hop === 'upstream' && (status >= 500 || wrongProtocol !== undefined)
}
