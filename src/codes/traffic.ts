/** Codes of `traffic`; `codes.ts` has them all. */
export const TRAFFIC_CODES = {
  TRAFFIC_ADDRESS_UNPROVEN:
    'error: Only a Service says that the address is one of the ingress gateway, and its editors can say anything.',
  TRAFFIC_CLOSED: 'error: The route of the exposure is closed until its guard is in force.',
  TRAFFIC_COUNTED_LESS: 'warns: Prometheus has fewer of the requests than were answered.',
  TRAFFIC_FAILED: 'fails: More requests failed than --max-errors allows.',
  TRAFFIC_GUARDED: 'warns: The guard of the exposure refused requests, so they did not reach the Service.',
  TRAFFIC_HOST_FOREIGN: 'usage: No ingress gateway of the context serves the host of the URL.',
  TRAFFIC_LIMIT: 'usage: A number of traffic is no number, or is outside its limits.',
  TRAFFIC_NOT_EXPOSED: 'error: The target is not exposed at an ingress gateway of the context.',
  TRAFFIC_NO_PROXY: 'warns: The pods of the Service have no proxy, so the mesh counts no requests.',
  TRAFFIC_OTHERS: 'notes: Prometheus has more requests than were sent, because others sent some, too.',
  TRAFFIC_OVERDUE: 'fails: The answers took so long that not all requests could be sent.',
  TRAFFIC_PATH_INVALID: 'usage: The value of --path is not an absolute path, or comes beside a path in the URL.',
  TRAFFIC_PODS_NOT_READY: 'error: No pod of the Service is Ready.',
  TRAFFIC_STRICT: 'error: The pods only accept mutual TLS, which the API server does not speak.',
  TRAFFIC_TARGET_INVALID: 'usage: The target is not one add-on, one Service or one URL with http or https.',
  TRAFFIC_TARGET_UNCLEAR: 'usage: Several exposures fit, and none was chosen.',
  TRAFFIC_TRACES_UNREAD: 'notes: How many traces the tracing backend has of the requests is not known.',
  TRAFFIC_UNREACHABLE: 'error: The ingress gateway of the exposure has no address outside the cluster.',
  TRAFFIC_UNCOUNTED: 'notes: What Prometheus recorded of the requests is not known.',
  TRAFFIC_VIA_INVALID: 'usage: The way of the requests does not fit the target.',
} as const satisfies Record<string, `${string}: ${string}.`>
