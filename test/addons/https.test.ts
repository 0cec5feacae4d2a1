/** Whether an add-on speaks HTTPS itself, by its Service and its pods (bug report C15). */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { neededConfigMaps } from '../../src/addons/configuration.ts'
import { type HttpsSign, httpsSign } from '../../src/addons/https.ts'
import type { Container, Pod, ServicePort } from '../../src/cluster/objects.ts'
import { addon, configMap, pod, podOf, service } from './addon-objects.ts'

const TLS = 'tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n'
const IDENTITY = 'identity:\n  cert_file: /kiali-cert/tls.crt\n  private_key_file: /kiali-cert/tls.key\n'
const JAEGER_TLS = 'extensions:\n  jaeger_query:\n    http:\n      tls:\n        cert_file: /tls/tls.crt\n'
const CONTAINER: Container = { name: 'app', ports: [{ name: 'web', containerPort: 3000 }] }

function sign(
  title: string,
  pods: Pod[],
  { port = {}, data = {} }: { port?: Partial<ServicePort>; data?: Record<string, string> } = {},
): HttpsSign | undefined {
  const one = { name: 'web', port: 3000, ...port }
  const found = { addon: addon(title), service: service('monitoring', {}, [one]), port: one.port }
  return httpsSign(found, pods, [configMap(data)])
}

const program = (...args: string[]) => [podOf([{ name: 'prometheus', args }])]
const env = (variables: Record<string, string>) => [pod([variables])]
const probing = (httpGet: object, container = CONTAINER) => [podOf([{ ...container, readinessProbe: { httpGet } }])]

describe('an add-on speaks HTTPS', () => {
  const proven: [string, HttpsSign | undefined, string][] = [
    ['Grafana by a variable', sign('grafana', env({ GF_SERVER_PROTOCOL: 'https' })), 'GF_SERVER_PROTOCOL is https'],
    ['Grafana with HTTP/2', sign('grafana', env({ GF_SERVER_PROTOCOL: 'H2' })), 'GF_SERVER_PROTOCOL is H2'],
    [
      'Grafana by its file',
      sign('grafana', env({}), { data: { 'grafana.ini': '[server]\nprotocol = https\n' } }),
      'server.protocol is https',
    ],
    [
      'Kiali with both files',
      sign('kiali', env({}), { data: { 'config.yaml': IDENTITY } }),
      'identity.cert_file is /kiali-cert/tls.crt',
    ],
    [
      'Prometheus by the file that its flag names',
      sign('prometheus', program('--web.config.file=/etc/grafana/web.yml'), { data: { 'web.yml': TLS } }),
      'tls_server_config.cert_file is server.crt',
    ],
    ['Jaeger by a flag', sign('jaeger', program('--query.http.tls.enabled=true')), '--query.http.tls.enabled is true'],
    [
      'Jaeger by its file',
      sign('jaeger', env({}), { data: { 'config.yaml': JAEGER_TLS } }),
      'extensions.jaeger_query.http.tls.cert_file is /tls/tls.crt',
    ],
    ['any by its probes', sign('zipkin', probing({ port: 3000, scheme: 'HTTPS' })), 'the probes of its pods use HTTPS'],
    [
      'any by a probe of a named port',
      sign('zipkin', probing({ port: 'web', scheme: 'HTTPS' }), { port: { targetPort: 'web' } }),
      'the probes of its pods use HTTPS',
    ],
  ]
  for (const [what, found, why] of proven) it(`${what}: ${why}`, () => assert.deepEqual(found, { why, proven: true }))

  const named: [string, Partial<ServicePort>, string | undefined][] = [
    ['a port called https', { name: 'https' }, 'port 3000 of Service monitoring/grafana is named https'],
    ['a port called https-web', { name: 'https-web' }, 'port 3000 of Service monitoring/grafana is named https-web'],
    ['appProtocol', { appProtocol: 'HTTPS' }, 'port 3000 of Service monitoring/grafana has the appProtocol https'],
    ['not a port called https with another appProtocol', { name: 'https', appProtocol: 'http' }, undefined],
    ['not a port called httpsx', { name: 'httpsx' }, undefined],
  ]
  for (const [what, port, why] of named)
    it(`in the words of its Service, ${what}: ${why ?? 'no'}`, () =>
      assert.deepEqual(sign('grafana', env({}), { port }), why && { why, proven: false }))

  const plain: [string, HttpsSign | undefined][] = [
    ['Grafana with http', sign('grafana', env({ GF_SERVER_PROTOCOL: 'http' }))],
    ['Grafana with a socket', sign('grafana', env({ GF_SERVER_PROTOCOL: 'socket' }))],
    ['Grafana with a value from elsewhere', sign('grafana', env({ GF_SERVER_PROTOCOL: '$(PROTOCOL)' }))],
    [
      'Kiali with one file',
      sign('kiali', env({}), { data: { 'config.yaml': 'identity:\n  cert_file: /tls.crt\n  private_key_file: ""\n' } }),
    ],
    [
      'Prometheus with passwords only',
      sign('prometheus', program('--web.config.file=/etc/grafana/web.yml'), {
        data: { 'web.yml': 'basic_auth_users:\n  ann: $2y$10$x\n' },
      }),
    ],
    [
      'Prometheus whose file is not in a ConfigMap',
      sign('prometheus', program('--web.config.file=/etc/secret/web.yml'), { data: { 'web.yml': TLS } }),
    ],
    ['Jaeger without TLS', sign('jaeger', program('--query.http.tls.enabled=false'))],
    ['any with plain probes', sign('zipkin', probing({ port: 3000, scheme: 'HTTP' }))],
    ['any with an HTTPS probe of another port', sign('zipkin', probing({ port: 8443, scheme: 'HTTPS' }))],
    [
      'Grafana behind a proxy that has the port',
      sign(
        'grafana',
        [
          podOf([
            {
              name: 'grafana',
              env: [{ name: 'GF_SERVER_PROTOCOL', value: 'https' }],
              ports: [{ containerPort: 3000 }],
            },
            { name: 'nginx', ports: [{ name: 'nginx-http', containerPort: 8080 }] },
          ]),
        ],
        { port: { port: 80, targetPort: 'nginx-http' } },
      ),
    ],
    ['no pod', sign('grafana', [])],
  ]
  for (const [what, found] of plain) it(`is not said of ${what}`, () => assert.equal(found, undefined))

  it('needs a ConfigMap more only for a file of its own', () => {
    const needed = (...args: string[]) => neededConfigMaps(addon('prometheus'), program(...args))
    assert.deepEqual(needed(), [])
    assert.deepEqual(needed('--web.config.file=/etc/grafana/web.yml'), ['grafana'])
  })

  it('shows what a tenant wrote on one line', () => {
    const found = sign('kiali', env({}), {
      data: { 'config.yaml': 'identity:\n  cert_file: "/a\\e[2J\\nb"\n  private_key_file: /k\n' },
    })
    assert.equal(found?.why, 'identity.cert_file is /a\\u{1b}[2J\\nb')
  })
})
