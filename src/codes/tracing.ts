/** Codes of `tracing`; `codes.ts` has them all. */
export const TRACING_CODES = {
  MESH_CONFIG_INVALID: 'fails: The mesh configuration of a control plane is no YAML, so istiod ignores it.',
  MESH_CONFIG_UNREAD: 'warns: The mesh configuration of a control plane does not exist, or may not be read.',
  TELEMETRIES_UNREAD: 'warns: Telemetries may not be listed, so which requests are traced is not known.',
  TELEMETRY_IGNORED: 'warns: Of several Telemetries for a whole namespace istiod uses another one.',
  TRACING_OFF: 'notes: A control plane has no tracing provider, or no Telemetry that names one.',
  TRACING_PROVIDER_UNKNOWN: 'fails: A tracing provider is named that the mesh configuration does not have.',
  TRACING_SERVICE_UNKNOWN: 'fails: The Service of a tracing provider does not exist, or lacks the port.',
} as const satisfies Record<string, `${string}: ${string}.`>
