/** An HTTP server on the node, outside any pod, that the cluster reaches as a Service: an issuer of tokens, an authorizer. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { nodeAddress } from '../lab/lab.ts'
import { insideNamespace } from '../lab/network.ts'
import type { Workplace } from './mesh.ts'

const NAMESPACE = 'telemetry-e2e'

/** The server runs in its own process, so that it answers while the test waits for a command. */
export class NodeServer {
  readonly host: string
  readonly #child: ChildProcess
  readonly #workplace: Workplace

  private constructor(child: ChildProcess, workplace: Workplace, name: string) {
    this.#child = child
    this.#workplace = workplace
    this.host = `${name}.${NAMESPACE}.svc.cluster.local`
  }

  /** @param handler body of a function with the parameters `request` and `response` of Node's http server */
  static async start(workplace: Workplace, name: string, handler: string): Promise<NodeServer> {
    const program = `const server = require('node:http').createServer((request, response) => { ${handler} })
      server.listen(0, '0.0.0.0', () => console.log(server.address().port))`
    // Pods reach the node's network.
    const [command, ...words] = insideNamespace([process.execPath, '-e', program])
    const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'inherit'] })
    const [port] = await once(child.stdout, 'data')
    workplace.apply(...objects(name, Number(String(port))))
    return new NodeServer(child, workplace, name)
  }

  end(): void {
    this.#child.kill()
    this.#workplace.kubectl('delete', 'namespace', NAMESPACE, '--wait=true')
  }
}

function objects(name: string, port: number): object[] {
  const metadata = { name, namespace: NAMESPACE }
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ name: 'http', port: 8080, targetPort: port }] } },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { ...metadata, labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: [{ name: 'http', port }],
      endpoints: [{ addresses: [nodeAddress] }],
    },
  ]
}
