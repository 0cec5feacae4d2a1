/** A request whose trace can be found again: an id of our own, and the decision to trace it. Pure. */

export interface TraceRequest {
  /** 32 hexadecimal digits. */
  traceId: string
  headers: Record<string, string>
}

/**
 * In the formats of both kinds of providers: B3 (Zipkin) and W3C Trace Context (OpenTelemetry, https://www.w3.org/TR/trace-context/).
 * Envoy's OpenTelemetry tracer keeps the id of `traceparent` but not its decision when the sampling is 0 %; `x-client-trace-id` makes Envoy
 * trace the request (seen with Envoy 1.40).
 * @param random 24 bytes
 */
export function traceRequest(random: Uint8Array): TraceRequest {
  const digits = Buffer.from(random).toString('hex')
  const [traceId, spanId] = [digits.slice(0, 32), digits.slice(32, 48)]
  return {
    traceId,
    headers: {
      'user-agent': 'kubectl-telemetry',
      traceparent: `00-${traceId}-${spanId}-01`,
      'x-b3-traceid': traceId,
      'x-b3-spanid': spanId,
      'x-b3-sampled': '1',
      'x-client-trace-id': traceId,
    },
  }
}
