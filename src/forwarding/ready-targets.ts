/** Pure: finds the Ready pods of a Service in its EndpointSlices. */
import type { EndpointSlice } from '../cluster/objects.ts'
import type { ForwardTarget } from './pod-route.ts'

/** @param portName name of the Service's port; '' for an unnamed port */
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
  // A dual-stack Service has a slice for each IP family.
  return targets.filter(({ pod }, index) => targets.findIndex((other) => other.pod === pod) === index)
}
