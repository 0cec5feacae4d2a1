import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, before, describe, it } from 'mocha'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { documentedSetup } from '../documented-setup.ts'
import { difference, dump } from '../dump.ts'
import { exposeForAnyone } from '../exposed.ts'
import { overOneConnection } from '../http2.ts'
import { Workplace } from '../mesh.ts'

const DOMAIN = `${loadBalancerAddress}.nip.io`
const NAMES = ['grafana', 'kiali', 'prometheus', 'tracing']
const PAGES = { grafana: '/', kiali: '/kiali/', prometheus: '/-/healthy', tracing: '/jaeger/' }

describe('several add-ons, on the real mesh', () => {
  const workplace = new Workplace()
  before(() => loadBalancer('on'))
  afterEach(() => workplace.telemetry('cleanup', '-y'))
  after(() => workplace.end())

  const expose = (...words: string[]) => exposeForAnyone(workplace, ...words)
  const names = (list: string[]) => list.map((name) => `${name}.${DOMAIN}`)

  /** The hosts of the Gateway, and the names in the certificate. */
  function served(): { hosts: string[]; certified: string[] } {
    const hosts = workplace.kubectl(
      '-n',
      'istio-system',
      'get',
      'gateways.networking.istio.io',
      'kubectl-telemetry',
      '-o',
      'jsonpath={.spec.servers[0].hosts[*]}',
    )
    const secret = workplace.kubectl(
      '-n',
      'istio-system',
      'get',
      'secret',
      'kubectl-telemetry-tls',
      '-o',
      'jsonpath={.data.tls\\.crt}',
    )
    const { subjectAltName = '' } = new X509Certificate(Buffer.from(secret, 'base64'))
    return {
      hosts: hosts.replaceAll('./', '').split(' '),
      certified: subjectAltName.split(', ').map((name) => name.slice(4)),
    }
  }

  it('answer at the paths of their pages, and `/` redirects there', async () => {
    const result = expose('all')
    assert.deepEqual(
      result.exposures.map(({ url, probe }) => [url, probe?.ok]),
      [
        [`https://grafana.${DOMAIN}/`, true],
        [`https://kiali.${DOMAIN}/kiali/`, true],
        [`https://prometheus.${DOMAIN}/`, true],
        [`https://tracing.${DOMAIN}/jaeger/`, true],
      ],
    )
    const curl = (host: string) =>
      workplace.run('curl', [
        '-sS',
        '--cacert',
        result.authority?.certificate ?? '',
        '--resolve',
        `${host}:443:${loadBalancerAddress}`,
        '-o',
        '/dev/null',
        '-w',
        '%{http_code} %{redirect_url}',
        `https://${host}/`,
      ]).stdout
    assert.equal(curl(`tracing.${DOMAIN}`), `302 https://tracing.${DOMAIN}/jaeger/`)
    assert.equal(curl(`kiali.${DOMAIN}`), `302 https://kiali.${DOMAIN}/kiali/`)
  })

  it('are all served over one HTTP/2 connection that was opened for Kiali’s host', async () => {
    const { authority } = expose('all')
    const requests = Object.entries(PAGES).map(([name, path]) => ({ authority: `${name}.${DOMAIN}`, path }))
    const ca = readFileSync(authority?.certificate ?? '', 'utf8')
    assert.deepEqual(
      await overOneConnection(loadBalancerAddress, `kiali.${DOMAIN}`, ca, requests),
      [200, 200, 200, 200],
    )
  })

  it('answer 404 over such a connection with the four Gateways of Istio’s page (the control)', async () => {
    const { authority } = expose('all')
    const ca = readFileSync(authority?.certificate ?? '', 'utf8')
    const { data } = JSON.parse(
      workplace.kubectl('-n', 'istio-system', 'get', 'secret', 'kubectl-telemetry-tls', '-o', 'json'),
    )
    workplace.telemetry('cleanup', '-y')
    const documented = documentedSetup(DOMAIN, data)
    workplace.apply(...documented)
    try {
      const requests = Object.entries(PAGES).map(([name, path]) => ({ authority: `${name}.${DOMAIN}`, path }))
      let statuses: number[] = []
      for (let attempt = 0; attempt < 50 && statuses[1] !== 200; attempt++) {
        statuses = await overOneConnection(loadBalancerAddress, `kiali.${DOMAIN}`, ca, requests).catch(() => [])
        await sleep(200)
      }
      assert.deepEqual(statuses, [404, 200, 404, 404])
    } finally {
      workplace.delete(...documented)
    }
  })

  it('share the Gateway and the certificate, which a further one extends without a change of other routes', () => {
    expose('grafana')
    const route = () =>
      workplace.kubectl(
        '-n',
        'istio-system',
        'get',
        'virtualservices.networking.istio.io',
        'kubectl-telemetry-grafana',
        '-o',
        'jsonpath={.metadata.resourceVersion}',
      )
    const before = route()
    expose('kiali')
    assert.deepEqual(served(), { hosts: names(['grafana', 'kiali']), certified: names(['grafana', 'kiali']) })
    assert.equal(route(), before)
  })

  it('are removed one by one from the Gateway and the certificate, and the last cleanup removes everything', () => {
    const untouched = dump(workplace)
    expose('grafana', 'kiali')
    assert.equal(workplace.telemetry('cleanup', 'grafana', '-y').exitCode, 0)
    assert.deepEqual(served(), { hosts: names(['kiali']), certified: names(['kiali']) })
    assert.equal(workplace.telemetry('cleanup', 'kiali', '-y').exitCode, 0)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })

  it('are all on the Gateway and in the certificate after four runs at once', async () => {
    expose('grafana')
    workplace.telemetry('cleanup', '-y')
    const runs = NAMES.map(
      (name) =>
        new Promise<number>((resolve) => {
          const words = ['expose', name, '--allow-anonymous', '-y']
          spawn('kubectl-telemetry', words, { env: workplace.environment, stdio: 'ignore' }).once('close', (code) =>
            resolve(code ?? -1),
          )
        }),
    )
    assert.deepEqual(await Promise.all(runs), [0, 0, 0, 0])
    assert.deepEqual(served(), { hosts: names(NAMES), certified: names(NAMES) })
  })
})
