/** Which pods a Service's connections may go to now: pure, over its EndpointSlices. */
import type { EndpointSlice } from '../cluster/objects.ts'
import type { ForwardTarget } from './pod-route.ts'

/** @param portName of the Service's port; '' for the only one */
export function readyTargets(slices: Iterable<EndpointSlice>, portName: string): ForwardTarget[] {
  const targets = [...slices].flatMap(({ ports, endpoints }) => {
    const port = ports?.find(({ name = '' }) => name === portName)?.port
    if (port === undefined) return []
    return (endpoints ?? [])
      .filter(
        ({ conditions, targetRef }) =>
          (conditions?.ready ?? true) && !conditions?.terminating && targetRef?.kind === 'Pod',
      )
      .map(({ targetRef }) => ({ pod: targetRef?.name ?? '', port }))
  })
  // Dual stack has a slice for each family.
  return targets.filter(({ pod }, index) => targets.findIndex((other) => other.pod === pod) === index)
}
