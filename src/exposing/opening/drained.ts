/** Waits until connections that were open before a guard are gone. */
import { drainTime } from '../../gateways/mesh.ts'
import { readMeshConfig } from '../../gateways/mesh-config.ts'
import { waitFor } from '../../time/until.ts'
import type { Dependencies } from '../../world.ts'
import type { ExposureSpec } from '../spec.ts'

/** Envoy closes the connections a moment after the time is over. */
const MARGIN = 1_000

/**
 * A connection keeps the filters of the time at which it was opened, until Envoy closes it. With HTTPS the server's name changes with the
 * guards, so it finds no route any more; HTTP servers of a port share one table of routes.
 */
export async function awaitDrained({ gateway, layout, busy }: ExposureSpec, world: Dependencies): Promise<void> {
  if (layout.secure || !busy) return
  const time = drainTime(gateway, await readMeshConfig(gateway, world.cluster))
  world.terminal.note(
    `the guard is in force for new connections; waiting ${Math.round(time / 1000)} s until the gateway has closed older ones, then the route is opened`,
  )
  await waitFor(time + MARGIN, world.clock)
}
