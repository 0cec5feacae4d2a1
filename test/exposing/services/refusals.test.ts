import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../../src/cluster/cluster.ts'
import { SERVICE_CODES } from '../../../src/codes/services.ts'
import { expose } from '../../../src/exposing/expose.ts'
import { requireExposed } from '../../../src/flags/values.ts'
import { status } from '../../../src/status/status.ts'
import { runCommand } from '../../commands/run-command.ts'
import { refusal, written } from '../exposing.ts'
import { application, codesOf, requestForServices, SHOP, shopMesh } from './services.ts'

/** `web` in namespace bookinfo with these ports, and other fields. */
const web = (ports: object[], spec: object = {}): KubeObject[] => {
  const [service, pod] = application('web', 'bookinfo', ports) as [KubeObject, KubeObject]
  return [{ ...service, spec: { ...(service.spec as object), ...spec } }, pod]
}
const HTTP = { name: 'http', port: 80 }

describe('a Service that cannot be exposed', () => {
  const cases: [what: string, objects: KubeObject[], word: string, code: string, message: string, next: string[]][] = [
    [
      'does not exist',
      [],
      'web',
      'SERVICE_NOT_FOUND',
      'Service web not found in namespace bookinfo',
      ['-n NAMESPACE', 'kubectl get services -A | grep web'],
    ],
    [
      'is in another namespace',
      application('web', 'shop'),
      'web',
      'SERVICE_NOT_FOUND',
      'Service web not found in namespace bookinfo',
      ['-n shop'],
    ],
    [
      'is headless',
      web([HTTP], { clusterIP: 'None' }),
      'web',
      'SERVICE_WITHOUT_ADDRESS',
      'Service bookinfo/web is a headless Service, which has no address of its own in the cluster; it cannot be exposed',
      ['kubectl -n bookinfo get services   # another Service before the same pods'],
    ],
    [
      'is a name elsewhere',
      web([HTTP], { type: 'ExternalName', externalName: 'example.org', clusterIP: undefined }),
      'web',
      'SERVICE_WITHOUT_ADDRESS',
      'Service bookinfo/web is an ExternalName Service, which has no address of its own in the cluster; it cannot be exposed',
      ['kubectl -n bookinfo get services   # another Service before the same pods'],
    ],
    ['has no ports', web([]), 'web', 'PORT_MISSING', 'Service bookinfo/web has no ports', []],
    [
      'has another port',
      web([HTTP]),
      'web:81',
      'PORT_MISSING',
      'Service bookinfo/web has no port 81; it has 80',
      ['svc/web:80'],
    ],
    [
      'has no port of that name',
      web([HTTP]),
      'web:admin',
      'PORT_MISSING',
      'Service bookinfo/web has no port admin; it has 80',
      ['svc/web:80'],
    ],
    [
      'has two',
      web([HTTP, { name: 'grpc-api', port: 90 }]),
      'web',
      'PORT_UNCLEAR',
      'Service bookinfo/web has the ports 80 (http), 90 (grpc-api), and none of them was named',
      ['svc/web:80', 'svc/web:90'],
    ],
    [
      'speaks TCP',
      web([{ name: 'tcp-db', port: 5432 }]),
      'web',
      'PORT_NOT_HTTP',
      'port 5432 of Service bookinfo/web is named tcp-db: only HTTP, HTTP/2 and gRPC can be exposed',
      [
        'kubectl telemetry port-forward svc/web:5432 -n bookinfo   # any protocol, only for you',
        'if it does speak HTTP: appProtocol: http at this port of the Service',
      ],
    ],
    [
      'says that it speaks another protocol',
      web([{ name: 'http', port: 5432, appProtocol: 'postgres' }]),
      'web',
      'PORT_NOT_HTTP',
      'port 5432 of Service bookinfo/web has appProtocol postgres: only HTTP, HTTP/2 and gRPC can be exposed',
      [
        'kubectl telemetry port-forward svc/web:5432 -n bookinfo   # any protocol, only for you',
        'if it does speak HTTP: appProtocol: http at this port of the Service',
      ],
    ],
    [
      'has only UDP',
      web([{ name: 'dns', port: 53, protocol: 'UDP' }]),
      'web',
      'PORT_NOT_HTTP',
      'port 53 of Service bookinfo/web has protocol UDP: only HTTP, HTTP/2 and gRPC can be exposed',
      ['kubectl -n bookinfo get service web -o yaml   # has it a port for TCP?'],
    ],
  ]
  for (const [what, objects, word, code, message, next] of cases)
    it(what, async () => {
      const one = shopMesh(objects)
      const error = await refusal(expose(requestForServices(word), one))
      assert.deepEqual([error.code, error.exitCode, error.message, error.suggestions], [code, 1, message, next])
      assert.deepEqual(written(one), [])
    })

  it('has too long a name', async () => {
    const error = await refusal(expose(requestForServices('a'.repeat(60)), shopMesh(application('a'.repeat(60)))))
    assert.deepEqual([error.code, error.exitCode], ['SERVICE_NAME_LONG', 2])
  })

  it('lets nobody say who may enter: the flags are named', async () => {
    const error = await refusal(
      expose(requestForServices('productpage', { terms: { allowAnonymous: false } }), shopMesh()),
    )
    assert.deepEqual(
      [error.code, error.message, error.suggestions],
      [
        'ANONYMOUS_ACCESS',
        'it is not known whether svc/productpage in namespace bookinfo asks for a login; it is exposed only after you choose who may enter',
        [
          '--auth basic   # with a password, which is generated and shown once',
          '--allow-cidr 203.0.113.0/24   # only from these addresses',
          '--allow-anonymous   # anyone who reaches the address gets in',
          'kubectl telemetry port-forward svc/productpage -n bookinfo   # only for you',
        ],
      ],
    )
  })

  for (const port of [
    { name: 'http2-a', port: 1 },
    { name: 'grpc', port: 1 },
    { port: 1 },
    { name: 'web', port: 1 },
    { name: 'tcp', port: 1, appProtocol: 'http' },
    { name: 'x', port: 1, appProtocol: 'kubernetes.io/h2c' },
  ])
    it(`is not one with the port ${JSON.stringify(port)}`, async () => {
      const { result } = await expose(requestForServices('web'), shopMesh(web([port, { name: 'tcp-b', port: 2 }])))
      assert.deepEqual(codesOf(result), [])
    })
})

describe('a Service without a Ready pod', () => {
  it('is exposed with a warning, and a problem of status', async () => {
    const [service] = application('web') as [KubeObject]
    const one = shopMesh([service])
    const { result } = await expose(requestForServices('web'), one)
    const finding = {
      code: 'SERVICE_NOT_READY',
      severity: 'warns',
      message: 'Service bookinfo/web has no Ready pod, so its page cannot answer',
      remedies: ['kubectl -n bookinfo describe service web'],
    }
    assert.deepEqual(result.warnings, [finding])
    const { problems } = await status({ expiresIn: 0 }, one)
    assert.deepEqual(problems, [{ ...finding, severity: 'fails' }])
  })

  it('that was deleted leaves an exposure, which status reports', async () => {
    const one = shopMesh()
    await expose(requestForServices('productpage'), one)
    const index = one.cluster.objects.findIndex(
      ({ kind, metadata }) => kind === 'Service' && metadata.name === 'productpage',
    )
    one.cluster.objects.splice(index, 1)
    const { problems, services } = await status({ expiresIn: 0 }, one)
    assert.deepEqual(problems, [
      {
        code: 'SERVICE_GONE',
        severity: 'fails',
        message: `https://${SHOP}/ leads to svc/productpage in namespace bookinfo, which no longer exists`,
        remedies: ['kubectl telemetry cleanup svc/productpage -n bookinfo'],
      },
    ])
    assert.equal(services[0]?.found, undefined)
  })
})

describe('words and flags of expose', () => {
  const wrong: [line: string, code: string, message: RegExp][] = [
    ['expose svc/', 'SERVICE_INVALID', /"svc\/" is not svc\/NAME or svc\/NAME:PORT/],
    ['expose svc/A', 'SERVICE_INVALID', /"svc\/A" is not svc\/NAME or svc\/NAME:PORT/],
    ['expose svc/a.b', 'SERVICE_INVALID', /"svc\/a.b" is not/],
    ['expose svc/a:0', 'SERVICE_INVALID', /"svc\/a:0" is not/],
    ['expose svc/a:65536', 'SERVICE_INVALID', /"svc\/a:65536" is not/],
    ['expose svc/a:', 'SERVICE_INVALID', /"svc\/a:" is not/],
    ['expose svc/a svc/a:80', 'SERVICE_INVALID', /"svc\/a svc\/a:80" is not svc\/a once, with one port/],
    ['expose svc/productpage -n bookinfo --port 0', 'OWN_PORT_INVALID', /--port "0" is not a port, or NAME=PORT/],
    ['expose svc/productpage -n bookinfo --port 70000', 'OWN_PORT_INVALID', /--port "70000" is not a port/],
    ['expose svc/productpage -n bookinfo --port a=1=2', 'OWN_PORT_INVALID', /--port "a=1=2" is not a port/],
    [
      'expose svc/productpage -n bookinfo --path productpage',
      'PATHS_INVALID',
      /--path "productpage" is not a plain path that begins with \//,
    ],
    ['expose svc/productpage -n bookinfo --path /a/../b', 'PATHS_INVALID', /--path "\/a\/..\/b" is not a plain path/],
    ['expose svc/productpage -n bookinfo --path /a?b', 'PATHS_INVALID', /is not a plain path/],
    ['expose svc/productpage -n bookinfo --path /a%2Fb', 'PATHS_INVALID', /is not a plain path/],
    [
      'expose grafana --path /a',
      'PATHS_INVALID',
      /--path is for exactly one Service; which paths of an add-on are let through is known/,
    ],
    ['expose svc/a svc/b -n bookinfo --path /a', 'PATHS_INVALID', /--path is for exactly one Service/],
    ['expose svc/productpage grafana --path /a', 'PATHS_INVALID', /--path is for exactly one Service/],
    [
      'expose svc/productpage -n bookinfo --any-host --allow-anonymous -y',
      'ANY_HOST_UNUSABLE',
      /--any-host would answer for the hosts of others/,
    ],
  ]
  for (const [line, code, message] of wrong)
    it(`refuse ${line}`, async () => {
      const one = shopMesh()
      const { stderr, stdout, exitCode } = await runCommand(line, one).catch((error) => ({
        stderr: `${error.message} (${error.code})`,
        stdout: '',
        exitCode: error.exitCode,
      }))
      assert.match(stderr, message)
      assert.ok(stderr.includes(code), stderr)
      assert.deepEqual([stdout, exitCode], ['', 2])
      assert.deepEqual(written(one), [])
    })

  it('take Services alone, or beside add-ons', () => {
    assert.deepEqual(requireExposed(['svc/a', 'service/b:http', 'services/c:8080']), {
      addons: { names: [], named: true },
      services: [{ name: 'a' }, { name: 'b', port: 'http' }, { name: 'c', port: 8080 }],
    })
    assert.deepEqual(requireExposed(['svc/a', 'grafana']).addons, { names: ['grafana'], named: true })
  })
})

describe('the codes of Services', () => {
  it('have each a test of their whole message', async () => {
    const { readFileSync, globSync } = await import('node:fs')
    const here = new URL('.', import.meta.url)
    const texts = [...globSync('*.test.ts', { cwd: here }), '../../addons/service-name.test.ts']
      .map((file) => readFileSync(new URL(file, here), 'utf8'))
      .join()
    for (const code of Object.keys(SERVICE_CODES)) assert.ok(texts.includes(`'${code}'`), code)
  })
})
