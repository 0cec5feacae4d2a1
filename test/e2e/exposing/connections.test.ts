import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
import { labPaths, loadBalancer, nodeAddress } from '../../lab/lab.ts'
import { Workplace } from '../mesh.ts'
import { runPlugin } from '../plugin-runs.ts'

/** A proxy in front of the API server that counts its connections. */
class CountingProxy {
  connections = 0
  readonly #sockets = new Set<Socket>()
  readonly #server: Server = createServer((client) => {
    this.connections += 1
    const upstream = connect(6443, nodeAddress)
    for (const socket of [client, upstream]) {
      this.#sockets.add(socket)
      socket.on('error', () => socket.destroy()).on('close', () => this.#sockets.delete(socket))
    }
    client.pipe(upstream).pipe(client)
  })

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return (this.#server.address() as { port: number }).port
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}

describe('requests and connections, on the real mesh', () => {
  const workplace = new Workplace()
  const proxy = new CountingProxy()
  const kubeconfig = join(workplace.directory, 'kubeconfig')

  before(async () => {
    await loadBalancer('on')
    const port = await proxy.listen()
    writeFileSync(
      kubeconfig,
      readFileSync(labPaths().kubeconfig, 'utf8').replace(/https:\/\/[^\s"',}]+/, `https://127.0.0.1:${port}`),
    )
  })

  after(() => {
    proxy.close()
    workplace.end()
  })

  // 25: 13 reads, 5 rehearsals, 6 writes, and a look at the routes.
  for (const [most, ...words] of [
    [25, 'expose', 'all', '--allow-anonymous', '-y', '-v'],
    [13, 'status', '-v'],
    [28, 'cleanup', '-y', '-v'],
  ] as [number, ...string[]][]) {
    it(`${words[0]} opens one TLS connection to the API server, and sends at most ${most} requests`, async () => {
      proxy.connections = 0
      const { stderr, exitCode } = await runPlugin(workplace, ...words, '--kubeconfig', kubeconfig)
      assert.equal(exitCode, 0, stderr)
      assert.equal(proxy.connections, 1)
      const requests = stderr.match(/^(GET|POST|PATCH|DELETE) /gm)?.length ?? 0
      assert.ok(requests > 5 && requests <= most, `${requests} requests:\n${stderr}`)
    })
  }
})
