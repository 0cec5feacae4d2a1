/** A server beside the pods that the cluster has as a Service: an issuer of tokens, an authorizer. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { nodeAddress } from '../lab/lab.ts'
import { insideNamespace } from '../lab/network.ts'
import type { Workplace } from './mesh.ts'

const NAMESPACE = 'telemetry-e2e'

/** In a process of its own, so that it answers while the test waits for a command. */
export class Beside {
  readonly host: string
  readonly #child: ChildProcess
  readonly #workplace: Workplace

  private constructor(child: ChildProcess, workplace: Workplace, name: string) {
    this.#child = child
    this.#workplace = workplace
    this.host = `${name}.${NAMESPACE}.svc.cluster.local`
  }

  /** @param handler the body of a function of `request` and `response`, as Node's http server has them */
  static async start(workplace: Workplace, name: string, handler: string): Promise<Beside> {
    const program = `const server = require('node:http').createServer((request, response) => { ${handler} })
      server.listen(0, '0.0.0.0', () => console.log(server.address().port))`
    // In the node's network, where pods reach it.
    const [command, ...words] = insideNamespace([process.execPath, '-e', program])
    const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'inherit'] })
    const [port] = await once(child.stdout, 'data')
    workplace.apply(...objects(name, Number(String(port))))
    return new Beside(child, workplace, name)
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
