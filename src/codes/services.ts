/** Codes about exposures of Services, and about ports of their own. */
export const SERVICE_CODES = {
  ANY_HOST_UNUSABLE: 'usage: --any-host needs a port of its own, and HTTP or a certificate of the user.',
  GATEWAY_PORT_TAKEN: 'error: Another Gateway, or the proxy itself, already has this port of the gateway.',
  GUARD_NOT_UPDATED:
    'error: The guard of an exposure could not be seen to be in force for the host of a new one, which is not served.',
  OWN_PORT_INVALID: 'usage: The value of --port is not a port that an exposure can have.',
  OWN_PORT_NEEDED: 'usage: In the layout ports, a Service needs --port.',
  PATHS_INVALID: 'usage: --path is not a plain path, or is not for exactly one Service.',
  PORT_NOT_HTTP: 'error: The port of a Service speaks another protocol than HTTP, HTTP/2 or gRPC.',
  PORT_UNCLEAR: 'error: A Service has several ports for HTTP, and none of them is named.',
  SERVICE_GONE: 'fails: An exposed Service no longer exists.',
  SERVICE_NAME_LONG: 'usage: The names of a Service and its namespace are too long together.',
  SERVICE_NOT_READY: 'fails, warns: A Service has no Ready pod.',
  SERVICE_WITHOUT_ADDRESS:
    'error: A headless or ExternalName Service has no address to which a gateway could send requests.',
} as const satisfies Record<string, `${string}: ${string}.`>
