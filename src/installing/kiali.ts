/** What an installed Kiali has to know of the other add-ons. */
import { rowsOf } from '../addons/catalog.ts'
import { findAddon } from '../addons/find.ts'
import { JAEGER_GRPC, jaegerAddress } from '../addons/jaeger.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
import { readable, readServices } from '../cluster/reading.ts'
import type { Dependencies } from '../world.ts'
import { type KialiFacts, signingKeyIn } from './place.ts'
import type { Istiod } from './survey.ts'

interface Known {
  /** Add-ons that are installed with it. */
  wanted: readonly string[]
  /** Add-ons that are uninstalled with it. */
  going: readonly string[]
  namespace: string
  istiod: Istiod
  /** Objects with the names of wanted ones. */
  present: readonly KubeObject[]
}

export async function kialiFacts(
  { wanted, going, namespace, istiod, present }: Known,
  needs: Pick<Dependencies, 'cluster' | 'random'>,
): Promise<KialiFacts> {
  const services = (await readable(readServices(needs.cluster))) ?? []
  const own = present.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'kiali')
  const url = (name: string, title: string, install: string): string | undefined => {
    if (wanted.includes(install))
      return install === 'jaeger' ? jaeger(namespace) : address(install, namespace, PORTS[install])
    const found = going.includes(install) ? undefined : findRunning(name, title, namespace, services)
    if (found === undefined) return undefined
    if (title !== 'Jaeger') return address(found.service.metadata.name, found.namespace, found.port)
    const { url, grpc } = jaegerAddress(found, '/jaeger')
    return grpc ? url : undefined
  }
  return {
    prometheus: url('prometheus', 'Prometheus', 'prometheus'),
    grafana: url('grafana', 'Grafana', 'grafana'),
    jaeger: url('tracing', 'Jaeger', 'jaeger'),
    signingKey: signingKeyIn(own) ?? Buffer.from(needs.random(16)).toString('hex'),
    rootNamespace: istiod.namespace,
  }
}

const PORTS: Record<string, number> = { prometheus: 9090, grafana: 3000 }

function jaeger(namespace: string): string {
  return address('tracing', namespace, JAEGER_GRPC, '/jaeger')
}

function address(service: string, namespace: string, port: number | undefined, path = ''): string {
  return `http://${service}.${namespace}:${port}${path}`
}

/** In the namespace of Kiali, or the only one elsewhere: a tenant's Service must not become the one that Kiali asks. */
function findRunning(name: string, title: string, namespace: string, services: Service[]) {
  const found = rowsOf(name)
    .filter((row) => row.title === title)
    .flatMap((row) => findAddon(row, services))
    .filter(({ marked }) => marked !== true)
  return found.find((one) => one.namespace === namespace)
}
