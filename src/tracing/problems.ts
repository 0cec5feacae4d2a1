/** What keeps spans from a tracing backend, each with the next command: pure. */
import type { Service } from '../cluster/objects.ts'
import { distinct, type Finding, fails, notes, warns } from '../findings.ts'
import { mapOf } from '../shapes.ts'
import { sh } from '../shell.ts'
import { whyNoYaml } from '../yaml-reading.ts'
import type { Provider } from './configuration.ts'
import { forAllIn, isTraced } from './effective.ts'
import type { NamespaceTracing, Revision, TracingFacts } from './facts.ts'

export function problemsOf({ revisions, namespaces, telemetries, services }: TracingFacts): Finding[] {
  const places = [...new Set(telemetries.map(({ metadata }) => metadata.namespace ?? ''))].sort()
  return distinct([
    ...revisions.flatMap(unread),
    ...differing(namespaces).flatMap(unknownProvider),
    ...revisions.flatMap((one) => unknownServices(one, namespaces, services)),
    ...places.flatMap((namespace) => ignored(forAllIn(namespace, telemetries))),
    ...revisions.flatMap((one) => nothingTraced(one, namespaces)),
  ])
}

export function unreadTelemetries(): Finding {
  return warns(
    'TELEMETRIES_UNREAD',
    'cannot list Telemetries, so which requests are traced is not known',
    'kubectl auth can-i list telemetries.telemetry.istio.io -A   # docs/rbac.md',
  )
}

/** istiod keeps the last configuration that it could read, and only its log says so. */
function unread({ configMap, namespace, name }: Revision): Finding[] {
  const look = sh`kubectl -n ${namespace} get configmap ${name} -o yaml`
  if (configMap === undefined)
    return [warns('MESH_CONFIG_UNREAD', `ConfigMap ${namespace}/${name} does not exist or may not be read`, look)]
  const why = whyNoYaml(configMap.data?.mesh ?? '')
  return why === undefined
    ? []
    : [
        fails(
          'MESH_CONFIG_INVALID',
          `the key mesh of ConfigMap ${namespace}/${name} is no YAML (${why}): istiod ignores it without a word`,
          look,
        ),
      ]
}

/** istiod finds no provider of that name, and traces nothing. */
function unknownProvider({ revision, namespace, sent, received, telemetry }: NamespaceTracing): Finding[] {
  return [...new Set([sent.unknown, received.unknown])].flatMap((name) => {
    if (name === undefined) return []
    const whose = telemetry === undefined ? 'defaultProviders' : `Telemetry ${telemetry}`
    const where = namespace === '' ? '' : ` in namespace ${namespace}`
    return [
      fails(
        'TRACING_PROVIDER_UNKNOWN',
        `${whose} names the tracing provider ${JSON.stringify(name)}, which the mesh configuration of revision ${revision} does not have: nothing is traced${where}`,
        'extensionProviders in the mesh configuration   # add it there, or name one that is there',
      ),
    ]
  })
}

/** Those of the whole mesh, and those of namespaces that name another provider. */
function differing(all: readonly NamespaceTracing[]): NamespaceTracing[] {
  const ofMesh = (revision: string) => all.find((one) => one.revision === revision && one.namespace === '')
  return all.filter(({ revision, namespace, sent, received }) => {
    const mesh = ofMesh(revision)
    return namespace === '' || sent.unknown !== mesh?.sent.unknown || received.unknown !== mesh?.received.unknown
  })
}

/** A provider in use whose Service istiod does not know: it configures no tracing then, and only its log says so. */
function unknownServices(
  { revision, configuration: { providers } }: Revision,
  namespaces: readonly NamespaceTracing[],
  services: readonly Service[] | undefined,
): Finding[] {
  if (services === undefined) return []
  const used = namespaces.filter((one) => one.revision === revision).flatMap(({ sent, received }) => [sent, received])
  const names = new Set(used.filter(isTraced).map(({ provider }) => provider?.name))
  return providers.filter(({ name }) => names.has(name)).flatMap((one) => unreached(one, services))
}

function unreached({ name, service, port }: Provider, services: readonly Service[]): Finding[] {
  const host = service.slice(service.indexOf('/') + 1)
  const [first, namespace, svc] = host.split('.')
  // Any other host is one of a ServiceEntry, of which nothing is known here.
  if (svc !== 'svc') return []
  const found = services.find(({ metadata }) => metadata.name === first && metadata.namespace === namespace)
  if (found?.spec.ports?.some((one) => one.port === port)) return []
  const what = found === undefined ? 'which does not exist' : `which has no port ${port}`
  return [
    fails(
      'TRACING_SERVICE_UNKNOWN',
      `the tracing provider ${JSON.stringify(name)} sends to Service ${namespace}/${first}, ${what}: istiod configures no tracing, without a word`,
      sh`kubectl -n ${namespace} get services`,
    ),
  ]
}

/** Of several Telemetries for all workloads of a namespace istiod uses the oldest. */
function ignored([inForce, ...others]: ReturnType<typeof forAllIn>): Finding[] {
  if (inForce === undefined) return []
  return others
    .filter(({ spec }) => mapOf(spec).tracing !== undefined)
    .map(({ metadata: { namespace, name } }) =>
      warns(
        'TELEMETRY_IGNORED',
        `Telemetry ${namespace}/${name} has no effect: of several without a selector in one namespace istiod uses the oldest, ${inForce.metadata.name}`,
        sh`kubectl -n ${namespace} edit telemetries.telemetry.istio.io ${inForce.metadata.name}   # the one that is used`,
      ),
    )
}

/** Since Istio 1.22 a provider and a Telemetry are needed: a default installation traces nothing. */
function nothingTraced({ revision, configuration }: Revision, namespaces: readonly NamespaceTracing[]): Finding[] {
  const all = namespaces.filter((one) => one.revision === revision)
  const isOff = ({ sent, received }: NamespaceTracing) => !isTraced(sent) && !isTraced(received)
  const isPlain = ({ sent, received }: NamespaceTracing) =>
    !sent.disabled && !received.disabled && sent.unknown === undefined
  if (all.length === 0 || !all.every(isOff) || !all.every(isPlain)) return []
  const has = configuration.providers.filter(({ kind }) => kind !== undefined)
  const why =
    has.length === 0
      ? 'the mesh configuration has no tracing provider'
      : `no Telemetry names a tracing provider (the mesh configuration has ${has.map(({ name }) => name).join(', ')})`
  return [
    notes(
      'TRACING_OFF',
      `revision ${revision} traces nothing: ${why}; since Istio 1.22 both are needed`,
      'kubectl telemetry tracing on',
    ),
  ]
}
