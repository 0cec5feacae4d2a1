/** The ports of a Service, as Istio reads them (`ConvertProtocol` in pkg/config/kube/conversion.go). Pure. */
import type { ServicePort } from '../../cluster/objects.ts'

export interface ServedPort {
  readonly number: number
  /** Istio's name; `undefined` where the proxies find it out by themselves. */
  readonly protocol?: string
}

/** Istio's protocols by what they are called in names of ports. */
const PROTOCOLS: Record<string, string> = {
  tcp: 'TCP',
  grpc: 'GRPC',
  'grpc-web': 'GRPC-WEB',
  http: 'HTTP',
  http2: 'HTTP2',
  https: 'HTTPS',
  tls: 'TLS',
  mongo: 'MONGO',
  redis: 'REDIS',
  mysql: 'MYSQL',
  'kubernetes.io/h2c': 'HTTP2',
  'kubernetes.io/ws': 'HTTP',
  'kubernetes.io/wss': 'HTTPS',
}

/** SMTP, DNS, MySQL, MongoDB: their servers speak first. */
const NEVER_SNIFFED = [25, 53, 3306, 27017]

/** Ports that can be called through a gateway: it passes TCP on, and neither UDP nor SCTP. */
export function servedPorts(ports: readonly ServicePort[] = []): ServedPort[] {
  return ports.filter(({ protocol = 'TCP' }) => protocol === 'TCP').map(servedPort)
}

function servedPort({ port, name = '', appProtocol = name }: ServicePort): ServedPort {
  const said = appProtocol.toLowerCase()
  const word = Object.hasOwn(PROTOCOLS, said) ? said : said.startsWith('grpc-web') ? 'grpc-web' : said.split('-')[0]
  const protocol = word !== undefined && Object.hasOwn(PROTOCOLS, word) ? PROTOCOLS[word] : undefined
  if (protocol !== undefined) return { number: port, protocol }
  return NEVER_SNIFFED.includes(port) ? { number: port, protocol: 'TCP' } : { number: port }
}

/** Name of a port in a ServiceEntry: `http-8000`. */
export function entryPortName({ number, protocol = 'auto' }: ServedPort): string {
  return `${protocol.toLowerCase()}-${number}`
}
