/** Waits until connections that were open before a guard are gone. */
import { isSecure } from '../../gateways/layout.ts'
import { drainTime } from '../../gateways/mesh.ts'
import { readMeshConfig } from '../../gateways/mesh-config.ts'
import { waitFor } from '../../time/until.ts'
import type { Dependencies } from '../../world.ts'
import { type ExposureSpec, entryIn } from '../spec.ts'

/** Envoy closes the connections a moment after the time is over. */
const MARGIN = 1_000

/**
 * A connection keeps the filters of the time at which it was opened, until Envoy closes it. With HTTPS the server's name changes with the
 * guards, so it finds no route any more; HTTP servers of a port share one table of routes.
 * @param proven the exposures that are to be opened
 */
export async function awaitDrained(spec: ExposureSpec, proven: readonly string[], world: Dependencies): Promise<void> {
  const { gateway, layout, busy } = spec
  const isOpen = (name: string) => busy.includes(name) && !isSecure(entryIn(spec, name), layout)
  if (!proven.some(isOpen)) return
  const time = drainTime(gateway, await readMeshConfig(gateway, world.cluster))
  world.terminal.note(
    `the guard is in force for new connections; waiting ${Math.round(time / 1000)} s until the gateway has closed older ones, then the route is opened`,
  )
  await waitFor(time + MARGIN, world.clock)
}
