import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before, describe, it } from 'mocha'
import { opensslMake } from '../../certificates/openssl.ts'
import { loadBalancer } from '../../lab/lab.ts'
import { documentedSetup } from '../documented-setup.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { askOnce } from '../stranger.ts'

const CLEANUP = ['cleanup', '--documented-setup']
const SECRET = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'telemetry-gw-cert', namespace: 'istio-system' } }
const PARTNER = 'partner.example.org'

/** The page's objects, but those that these names select. */
function pagesObjects(isLeftOut: (kind: string, name: string) => boolean): object[] {
  // The gateway refuses the whole listener of a broken certificate, also for hosts of others.
  const { certificate, key } = opensslMake('-x509', '-days', '1', '-subj', '/CN=example.com')
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const objects = documentedSetup('example.com', { 'tls.crt': base64(certificate), 'tls.key': base64(key) })
  return objects.filter((object) => {
    const { kind, metadata } = object as { kind: string; metadata: { name: string } }
    return !isLeftOut(kind, metadata.name)
  })
}

/** Somebody's Gateway that uses the page's Secret, and a route with a name of the page. */
function partnersObjects(): object[] {
  const metadata = (name: string) => ({ name, namespace: 'istio-system' })
  const apiVersion = 'networking.istio.io/v1'
  const server = {
    port: { number: 443, name: 'https-partner', protocol: 'HTTPS' },
    tls: { mode: 'SIMPLE', credentialName: 'telemetry-gw-cert' },
    hosts: [PARTNER],
  }
  return [
    {
      apiVersion,
      kind: 'Gateway',
      metadata: metadata('partner'),
      spec: { selector: { istio: 'ingressgateway' }, servers: [server] },
    },
    {
      apiVersion,
      kind: 'VirtualService',
      metadata: metadata('grafana-vs'),
      spec: {
        hosts: [PARTNER],
        gateways: ['partner'],
        http: [{ route: [{ destination: { host: 'grafana', port: { number: 3000 } } }] }],
      },
    },
  ]
}

describe('objects created by hand from Istio’s page, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    // A user's own rule that has a name from the page by chance.
    workplace.apply({
      apiVersion: 'networking.istio.io/v1',
      kind: 'DestinationRule',
      metadata: { name: 'tracing', namespace: 'istio-system' },
      spec: { host: 'tracing', trafficPolicy: { connectionPool: { tcp: { maxConnections: 10 } } } },
    })
    untouched = dump(workplace)
    workplace.apply(...pagesObjects((kind, name) => kind === 'DestinationRule' && name === 'tracing'))
  })
  after(() => {
    workplace.kubectl('-n', 'istio-system', 'delete', 'destinationrules.networking.istio.io', 'tracing')
    workplace.end()
  })

  it('stay without --documented-setup', () => {
    const before = dump(workplace)
    assert.equal(
      workplace.telemetry('cleanup', '-y').stdout,
      'nothing to remove: the cluster has no exposure of kubectl telemetry\n',
    )
    assert.deepEqual(difference(before, dump(workplace)), [])
  })

  it('are listed by a dry run, which changes nothing', () => {
    const before = dump(workplace)
    const { stdout, exitCode } = workplace.telemetry(...CLEANUP, '--dry-run=server')
    assert.equal(exitCode, 0)
    assert.equal(stdout.trim().split('\n').length, 12)
    assert.deepEqual(difference(before, dump(workplace)), [])
  })

  it('are removed by cleanup --documented-setup, with the DestinationRules and the Secret that the page’s own cleanup leaves', () => {
    const { stdout, exitCode } = workplace.telemetry(...CLEANUP, '-y')
    assert.equal(exitCode, 0)
    assert.match(stdout, /^destinationrule\.networking\.istio\.io "grafana" deleted from istio-system namespace$/m)
    assert.match(stdout, /^secret "telemetry-gw-cert" deleted from istio-system namespace$/m)
  })

  it('do not include a user’s own DestinationRule with such a name, which stays unchanged', () => {
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })
})

describe('objects of others with names of Istio’s page, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    untouched = dump(workplace)
    workplace.apply(...pagesObjects((_, name) => name === 'grafana-vs'), ...partnersObjects())
  })
  after(() => {
    workplace.delete(SECRET, ...partnersObjects())
    assert.deepEqual(difference(untouched, dump(workplace)), [])
    workplace.end()
  })

  const partner = () => askOnce({ host: PARTNER, port: 443, secure: true, path: '/' })
  async function until(status: number): Promise<void> {
    let seen = await partner()
    for (let attempt = 0; seen !== status && attempt < 50; attempt++) {
      await sleep(100)
      seen = await partner()
    }
    assert.equal(seen, status)
  }

  /** A gateway pod that starts now has only what is in the cluster. */
  function newGateway(): void {
    const pods = ['pod', '-l', 'istio=ingressgateway', '--force', '--grace-period=0']
    workplace.kubectl('-n', 'istio-system', 'delete', ...pods)
    workplace.waitForRollout('istio-ingressgateway')
  }

  it('stay, with the Secret that they use: their host is served after cleanup --documented-setup', async () => {
    await until(200)
    const theirs = [...partnersObjects(), SECRET].map((object) => nameOf(object)).sort()
    assert.equal(workplace.telemetry(...CLEANUP, '-y').exitCode, 0)
    assert.deepEqual(difference(untouched, dump(workplace)), theirs)
    newGateway()
    await until(200)
  })

  it('control: without the Secret their host has no TLS', async () => {
    workplace.delete(SECRET)
    newGateway()
    await until(0)
  })
})

function nameOf(object: object): string {
  const { apiVersion, kind, metadata } = object as typeof SECRET
  return `${kind} ${apiVersion} ${metadata.namespace}/${metadata.name}`
}
