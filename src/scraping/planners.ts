/** Which planner plans what. */
import { planNativeSidecar } from './native-sidecar.ts'
import type { Planner } from './plan.ts'
import type { Method, Workload } from './workload.ts'

/** A method that a kind of proxy has no planner for is no choice of it. */
export const PLANNERS: Record<Workload['proxy'], Partial<Record<Method, Planner>>> = {
  sidecar: { native: planNativeSidecar },
  gateway: {},
}
