/** A tenant's CA that people shall trust, and a tenant's Gateway that asks for keys of the administrator's CA, on the real mesh. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
import { type Authority, issueLeaf } from '../../../src/certificates/authority.ts'
import { authorityOf, issuing } from '../../certificates/issuing.ts'
import { opensslMake, opensslVerify } from '../../certificates/openssl.ts'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { CoveredStores } from '../covered-stores.ts'
import { difference, dump } from '../dump.ts'
import { FaultyApiServer } from '../faulty-api-server.ts'
import { HostileTenant } from '../hostile-tenant.ts'
import { type Outcome, Workplace } from '../mesh.ts'
import { assertOneError } from '../one-error.ts'
import { runPlugin } from '../plugin-runs.ts'

const NAMESPACE = 'adversary-ca'
const DOMAIN = `${loadBalancerAddress}.nip.io`
const HOST = `grafana.${DOMAIN}`
const HOSTS = [HOST, `kiali.${DOMAIN}`]
const BANK = 'bank.example'
const SECRET = 'Secret v1 istio-system/kubectl-telemetry-tls'
const NOW = { now: new Date() }
const LABELS = { 'app.kubernetes.io/managed-by': 'kubectl-telemetry', 'kubectl-telemetry/part': 'exposing' }
const EDGE = { app: 'edge' }
const ROOT = ['-x509', '-days', '30', '-subj', '/CN=Corporate Root', '-addext', 'keyUsage=critical,keyCertSign']

const at = (name: string, labels: object) => ({ name, namespace: NAMESPACE, labels })
const fingerprintOf = (pem: string) => new X509Certificate(pem).fingerprint256
const base64 = (text: string) => Buffer.from(text).toString('base64')

/** What makes the namespace look like one of an ingress gateway: a pod that never runs, and its Service. */
const GATEWAY_PODS = [
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: at('edge', EDGE),
    spec: {
      nodeSelector: { none: 'none' },
      containers: [{ name: 'istio-proxy', image: 'none.example/none', args: ['proxy', 'router'] }],
    },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: at('edge', EDGE),
    spec: { type: 'NodePort', selector: EDGE, ports: [{ name: 'https', port: 443 }] },
  },
]

/** A Gateway for hosts of the administrator's domain, and its routes, as `expose` would create them. */
const EXPOSED = [
  {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Gateway',
    metadata: at('kubectl-telemetry', LABELS),
    spec: {
      selector: EDGE,
      servers: [
        {
          hosts: HOSTS.map((host) => `./${host}`),
          port: { number: 443, name: 'https-telemetry', protocol: 'HTTPS' },
          tls: { mode: 'SIMPLE', credentialName: 'kubectl-telemetry-tls' },
        },
      ],
    },
  },
  ...['grafana', 'kiali'].map((addon) => ({
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: at(`kubectl-telemetry-${addon}`, { ...LABELS, 'app.kubernetes.io/component': addon }),
    spec: {
      hosts: [`${addon}.${DOMAIN}`],
      gateways: ['kubectl-telemetry'],
      exportTo: ['.'],
      http: [{ route: [{ destination: { host: 'mine', port: { number: 3000 } } }] }],
    },
  })),
]

/** The TLS Secret of a CA, with a certificate of it for the hosts. */
async function secretOf(authority: Authority): Promise<object> {
  const { certificate, key } = await issueLeaf(authority, HOSTS, issuing(1, NOW))
  const data = {
    'tls.crt': base64(certificate),
    'tls.key': base64(key),
    'ca.crt': base64(authority.certificate),
  }
  const metadata = at('kubectl-telemetry-tls', LABELS)
  return { apiVersion: 'v1', kind: 'Secret', metadata, type: 'kubernetes.io/tls', data }
}

describe('CAs and keys that a tenant asks for, on the real mesh', () => {
  const workplace = new Workplace()
  const file = (name: string) => join(workplace.directory, name)
  const ownDirectory = join(workplace.environment.XDG_DATA_HOME ?? '', 'kubectl-telemetry', 'authorities', DOMAIN)
  const ownCa = () => readFileSync(join(ownDirectory, 'ca.crt'), 'utf8')
  const root: Authority = { domain: DOMAIN, ...opensslMake(...ROOT) }
  let tenant: HostileTenant
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    untouched = dump(workplace)
    tenant = new HostileTenant(workplace, NAMESPACE)
    tenant.plant(...GATEWAY_PODS, ...EXPOSED, await secretOf(root))
    const { stderr, exitCode } = workplace.telemetry('expose', 'grafana', 'kiali', '--allow-anonymous', '-y')
    assert.equal(exitCode, 0, stderr)
  })
  after(() => {
    workplace.telemetry('cleanup', '-y')
    tenant?.remove()
    assert.deepEqual(difference(untouched, dump(workplace)), [])
    workplace.end()
  })

  describe('on a machine without a CA, cert trust and cert export', () => {
    const stores = new CoveredStores(workplace)
    const bank = file('bank.pem')
    const there = ['-n', NAMESPACE]

    before(async () => {
      writeFileSync(bank, (await issueLeaf(root, [BANK], issuing(1, NOW))).certificate)
    })

    const laptop = (...words: string[]): Outcome =>
      stores.run(['env', `XDG_DATA_HOME=${file('laptop')}`, 'kubectl', 'telemetry', 'cert', ...words])
    /** Whether a client of that machine accepts the tenant's certificate for a site of somebody else. */
    const acceptsBank = () =>
      stores.run(['openssl', 'verify', '-x509_strict', '-verify_hostname', BANK, bank]).stdout === `${bank}: OK\n`

    const offers: [string, () => Promise<Authority>, RegExp][] = [
      ['says that it is limited to the domain', () => authorityOf(DOMAIN, 0, NOW), /only names in /],
      ['can vouch for every site', async () => root, /every site/],
    ]
    for (const [title, make, limits] of offers) {
      it(`refuse a CA that ${title}, and show its fingerprint`, async () => {
        const authority = await make()
        tenant.plant(await secretOf(authority))
        for (const words of [
          ['trust', '--dry-run=client'],
          ['trust', '-y'],
          ['export', 'ca'],
        ]) {
          const refused = laptop(...words, ...there)
          assertOneError(refused, 'CA_FINGERPRINT_REQUIRED', limits)
          assert.ok(refused.stderr.includes(fingerprintOf(authority.certificate)), refused.stderr)
          assert.ok(refused.stderr.includes(`Secret ${NAMESPACE}/kubectl-telemetry-tls`), refused.stderr)
        }
        assert.equal(acceptsBank(), false)
      })
    }

    it('take the CA of the real exposure without more, and not the tenant’s with it', () => {
      const { stdout, stderr, exitCode } = laptop('trust', '--dry-run=client', '-o', 'json')
      assert.equal(exitCode, 0, stderr)
      const { authorities, warnings } = JSON.parse(stdout) as { authorities: string[]; warnings: { code: string }[] }
      assert.deepEqual(authorities, [fingerprintOf(ownCa())])
      assert.deepEqual(
        warnings.map(({ code }) => code).filter((code) => code !== 'NO_TRUST_STORE'),
        ['CA_FINGERPRINT_REQUIRED'],
      )
      assert.equal(laptop('export', 'ca', '-n', 'istio-system').stdout, ownCa())
    })

    it('refuse it when the given fingerprint is that of the real one', () => {
      const words = ['--fingerprint', fingerprintOf(ownCa()), ...there]
      assertOneError(laptop('trust', '-y', ...words), 'FINGERPRINT_MISMATCH')
      assertOneError(laptop('export', 'ca', ...words), 'FINGERPRINT_MISMATCH')
      assert.equal(acceptsBank(), false)
    })

    it('control: with its fingerprint it is trusted, and every site of the tenant’s is accepted from then on', () => {
      const words = ['--fingerprint', fingerprintOf(root.certificate), ...there]
      assert.equal(laptop('export', 'ca', ...words).stdout, root.certificate)
      const { stdout, stderr, exitCode } = laptop('trust', '-y', ...words)
      assert.equal(exitCode, 0, stdout + stderr)
      assert.equal(acceptsBank(), true)
      assert.equal(laptop('trust', '--remove', '-y').exitCode, 0)
      assert.equal(acceptsBank(), false)
    })
  })

  describe('the CA of the administrator', () => {
    const uses = join(ownDirectory, 'uses.jsonl')
    const rotate = ['cert', 'rotate', '-y', '-o', 'json']
    /** The tenant's Secret, as the tenant reads it. */
    const planted = () => {
      const json = workplace.kubectl('--as', tenant.user, ...['-n', NAMESPACE, 'get', 'secret'], ...SECRET_AS_JSON)
      return (JSON.parse(json) as { data: Record<string, string> }).data
    }
    const SECRET_AS_JSON = ['kubectl-telemetry-tls', '-o', 'json']

    for (const more of [[], ['--ca'], ['--finish']]) {
      it(`signs for the real exposure, and in the same run nothing for the tenant: ${['cert rotate', ...more].join(' ')}`, () => {
        const before = dump(workplace)
        const { stdout, stderr, exitCode } = workplace.telemetry(...rotate, ...more)
        assert.equal(exitCode, 0, stdout + stderr)
        const { certificates, warnings } = JSON.parse(stdout) as {
          certificates: { secret: string; served: { matches: boolean } }[]
          warnings: { code: string; message: string }[]
        }
        const seen = certificates.map(({ secret, served }) => [secret, served.matches])
        assert.deepEqual(seen, [['istio-system/kubectl-telemetry-tls', true]])
        const refused = warnings.filter(({ code }) => code === 'CA_NOT_FOR_GATEWAY')
        assert.equal(refused.length, 1, stdout)
        assert.match(
          refused[0]?.message ?? '',
          new RegExp(`for ${HOSTS.join(', ')} at gateway ${NAMESPACE}/edge of this cluster`),
        )
        assert.deepEqual(difference(before, dump(workplace)), [SECRET])
      })
    }

    it('signs nothing for a cluster with the same UID behind another CA, or with the same CA and another UID', async () => {
      const before = dump(workplace)
      const copy = await FaultyApiServer.start()
      try {
        copy.writeKubeConfig(file('copy'))
        const outcome = await runPlugin(workplace, 'cert', 'rotate', '-y', '--kubeconfig', file('copy'))
        assertOneError(outcome, 'CA_NOT_FOR_GATEWAY')
      } finally {
        copy.close()
      }
      const recorded = readFileSync(uses, 'utf8')
      const uid = workplace.kubectl('get', 'namespace', 'kube-system', '-o', 'jsonpath={.metadata.uid}')
      assert.ok(recorded.includes(uid))
      writeFileSync(
        uses,
        recorded.replaceAll(
          uid,
          uid.replace(/^./, (first) => (first === '0' ? '1' : '0')),
        ),
      )
      assertOneError(workplace.telemetry('cert', 'rotate', '-y'), 'CA_NOT_FOR_GATEWAY')
      writeFileSync(uses, recorded)
      assert.deepEqual(difference(before, dump(workplace)), [])
    })

    it('signs nothing for the tenant when an add-on is removed', () => {
      const before = planted()
      const { stdout, stderr, exitCode } = workplace.telemetry('cleanup', 'kiali', '-y', '-o', 'json')
      assert.equal(exitCode, 0, stdout + stderr)
      const { warnings } = JSON.parse(stdout) as { warnings: { code: string; message: string }[] }
      const kept = warnings.filter(({ code }) => code === 'CERTIFICATE_KEPT')
      assert.ok(kept.length === 1 && kept[0]?.message.includes(NAMESPACE), stdout)
      assert.deepEqual(planted(), before)
      const real = workplace.telemetry('cert', 'export', 'fullchain', '-n', 'istio-system').stdout
      assert.equal(new X509Certificate(real).subjectAltName, `DNS:${HOST}`)
    })

    it('control: with a line in the record of this machine it signs, and the tenant has a key for the host', () => {
      const [line = ''] = readFileSync(uses, 'utf8').split('\n').filter(Boolean)
      const use = JSON.parse(line) as object
      writeFileSync(uses, `\n${JSON.stringify({ ...use, gateway: `${NAMESPACE}/edge` })}\n`, { flag: 'a' })
      const before = planted()
      // The gateway of the tenant does not run, so the certificate is not seen there.
      workplace.telemetry(...rotate, '--timeout', '1s')
      const got = planted()
      assert.notEqual(got['tls.key'], before['tls.key'])
      const leaf = Buffer.from(got['tls.crt'] ?? '', 'base64').toString()
      assert.equal(opensslVerify(ownCa(), leaf, '-verify_hostname', HOST), 'OK')
      assert.notEqual(opensslVerify(root.certificate, leaf, '-verify_hostname', HOST), 'OK')
    })
  })
})
