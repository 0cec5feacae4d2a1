/** The planner for each kind of proxy and each method. */

import type { Method, Workload } from '../workload.ts'
import { planMetricsGateway } from './metrics-gateway.ts'
import { planNativeGateway } from './native-gateway.ts'
import { planNativeSidecar } from './native-sidecar.ts'
import type { Planner } from './planner.ts'
import { planSidecar } from './sidecar-method.ts'

export const PLANNERS: Record<Workload['proxy'], Record<Method, Planner>> = {
  sidecar: { native: planNativeSidecar, sidecar: planSidecar },
  gateway: { native: planNativeGateway, sidecar: planMetricsGateway },
}
