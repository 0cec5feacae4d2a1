/** Strings, environment and output that somebody else controls, on the real mesh. Each test has its control. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { after, before, describe, it } from 'mocha'
import { ApiServer } from '../cluster/api-server.ts'
import { serverCertificate } from '../cluster/pki.ts'
import { loadBalancer } from '../lab/lab.ts'
import { kubeConfigWith, labCredentials, labKubeConfig } from './lab-credentials.ts'
import { Workplace } from './mesh.ts'
import { ownObjects, runPlugin } from './plugin-runs.ts'

const OTHER_PLACE = 'elsewhere'
/** Sets the title and clears the screen, in two ways. */
const HOSTILE = 'Viewer\u001b]0;x\u0007\u001b[2J\u009b2J'
const CONTROLS = /[^\P{Cc}\n\t]/u

describe('what others control, on the real mesh', () => {
  const workplace = new Workplace()
  const metadata = (name: string) => ({ name, namespace: OTHER_PLACE, labels: { app: 'grafana' } })
  before(async () => {
    await loadBalancer('on')
    workplace.apply(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: OTHER_PLACE } },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: metadata('grafana'),
        spec: {
          // Never scheduled: only its configuration is read.
          nodeSelector: { none: 'none' },
          containers: [
            {
              name: 'grafana',
              image: 'docker.io/grafana/grafana:none',
              env: [
                { name: 'GF_AUTH_ANONYMOUS_ENABLED', value: 'true' },
                { name: 'GF_AUTH_ANONYMOUS_ORG_ROLE', value: HOSTILE },
              ],
            },
          ],
        },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { ...metadata('grafana'), labels: { 'app.kubernetes.io/name': 'grafana' } },
        spec: { selector: { app: 'grafana' }, ports: [{ name: 'http', port: 3000 }] },
      },
    )
  })
  after(() => {
    workplace.telemetry('cleanup', '-y')
    workplace.delete({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: OTHER_PLACE } })
    workplace.end()
  })

  it('shows control characters of an add-on in refusals, pages and data, which kubectl prints as they are', () => {
    const raw = workplace.kubectl('-n', OTHER_PLACE, 'get', 'pod', 'grafana', '-o', 'jsonpath={..env[1].value}')
    assert.match(raw, CONTROLS)
    const runs = [
      ['expose', 'grafana', '-n', OTHER_PLACE, '-y'],
      ...['json', 'yaml'].map((format) => ['expose', 'grafana', '-n', OTHER_PLACE, '-y', '-o', format]),
      ['status', '-n', OTHER_PLACE],
      ...['json', 'yaml'].map((format) => ['status', '-n', OTHER_PLACE, '-o', format]),
    ]
    const said = runs.map((words) => {
      const { stdout, stderr } = workplace.telemetry(...words)
      return stdout + stderr
    })
    for (const text of said) assert.doesNotMatch(text, CONTROLS)
    assert.match(said[0] ?? '', /Viewer\\u\{1b\}\]0;x\\u\{7\}\\u\{1b\}\[2J\\u\{9b\}2J/)
  })

  it('shows them in the question of the terminal', async () => {
    const { screen } = await workplace.onTerminal(
      ['expose', 'grafana', '-n', OTHER_PLACE],
      [{ prompt: /Who may enter/, type: '\x03' }],
    )
    assert.match(screen, /lets anyone in as Viewer\\u\{1b\}/)
  })

  it('sends no token to a server that the kubeconfig does not trust, with NODE_TLS_REJECT_UNAUTHORIZED=0', async () => {
    const server = await ApiServer.start({ certificate: await serverCertificate() })
    try {
      const [{ cluster }] = labKubeConfig().clusters
      const file = join(workplace.directory, 'other-server')
      writeFileSync(
        file,
        kubeConfigWith({ cluster: { ...cluster, server: server.url }, user: { token: 'SECRET-TOKEN' } }),
      )
      const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED
      process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
      const unchecked = connect({ port: server.port, host: '127.0.0.1', ca: labCredentials().ca })
      await once(unchecked, 'secureConnect')
      unchecked.destroy()
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before
      workplace.environment.NODE_TLS_REJECT_UNAUTHORIZED = '0'
      for (const words of [
        ['status'],
        ['expose', 'grafana', '-y'],
        ['cleanup', '-y'],
        ['port-forward', 'grafana'],
        ['scrape-secure', '-A', '-y'],
      ]) {
        const { exitCode, stdout, stderr } = await runPlugin(workplace, ...words, '--kubeconfig', file)
        assert.equal(exitCode, 1)
        assert.match(stdout + stderr, /CLUSTER_UNREACHABLE/)
        assert.doesNotMatch(stderr, /Warning/)
      }
      assert.deepEqual(server.asked, [])
    } finally {
      delete workplace.environment.NODE_TLS_REJECT_UNAUTHORIZED
      await server.close()
    }
  })

  /** The reader of these streams goes away before anything is written. */
  const unread = (streams: ('stdout' | 'stderr')[], ...words: string[]) =>
    new Promise<number | null>((resolve) => {
      const child = spawn('kubectl-telemetry', words, { env: workplace.environment, stdio: ['ignore', 'pipe', 'pipe'] })
      for (const stream of ['stdout', 'stderr'] as const) {
        if (streams.includes(stream)) child[stream].destroy()
        else child[stream].resume()
      }
      child.once('close', resolve)
    })
  const EXPOSE = ['expose', 'grafana', '-n', 'istio-system', '--allow-anonymous', '-y', '-v']

  it('would end at the first line in a program that does not look at the errors of stderr', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => process.stderr.write("a\\n"), 20)'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    child.stderr.destroy()
    const [code] = await once(child, 'close')
    assert.equal(code, 1)
  })

  for (const streams of [['stderr'], ['stdout'], ['stdout', 'stderr']] as const) {
    it(`completes an exposure, and its cleanup, when nobody reads ${streams.join(' and ')}`, async () => {
      assert.equal(await unread([...streams], ...EXPOSE), 0)
      assert.notDeepEqual(ownObjects(workplace), [])
      assert.equal(await unread([...streams], 'cleanup', '-y', '-v'), 0)
      assert.deepEqual(ownObjects(workplace), [])
    })
  }

  it('removes an exposure of --while-running whose reader went away', async () => {
    await unread(['stdout', 'stderr'], ...EXPOSE, '--while-running')
    assert.deepEqual(ownObjects(workplace), [])
  })
})
