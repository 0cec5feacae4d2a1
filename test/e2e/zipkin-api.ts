/** The API of the mesh's sample Zipkin, through the API server. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Workplace } from './mesh.ts'

const API = '/api/v1/namespaces/istio-system/services/http:zipkin:9411/proxy/api/v2'
/** Milliseconds. Envoy sends its spans every five seconds. */
const PATIENCE = 8_000

export interface ZipkinSpan {
  traceId: string
  id: string
  parentId?: string
  kind?: string
  /** Who reported it. */
  localEndpoint: { serviceName: string }
}

/** The spans of a trace as Zipkin has them by now; none when it knows nothing of the trace. */
function spansOf(workplace: Workplace, trace: string): ZipkinSpan[] {
  const { stdout, stderr, exitCode } = workplace.run('kubectl', ['get', '--raw', `${API}/trace/${trace}`])
  // kubectl shows none of a 404's body.
  if (exitCode !== 0 && /the server could not find the requested resource/.test(stderr)) return []
  if (exitCode !== 0) throw new Error(`kubectl get --raw ${API}/trace/${trace}: ${stderr}`)
  return JSON.parse(stdout) as ZipkinSpan[]
}

/** Waits until a trace has so many spans. @returns them, or fewer after the last attempt */
export async function awaitZipkinSpans(workplace: Workplace, trace: string, count: number): Promise<ZipkinSpan[]> {
  for (const deadline = Date.now() + PATIENCE; ; await sleep(500)) {
    const spans = spansOf(workplace, trace)
    if (spans.length >= count || Date.now() > deadline) return spans
  }
}
