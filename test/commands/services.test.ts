import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { serversOf, shopAtNode, shopMesh } from '../exposing/services/services.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { expectGolden } from '../golden-file.ts'
import { runCommand } from './run-command.ts'

const withoutKeys = (text: string) => text.replace(/[A-Za-z0-9+/=]{200,}/g, 'BASE64')
const BESIDE = 'expose grafana prometheus --allow-cidr 203.0.113.0/24 -y'

async function beside(one: FakeWorld = shopMesh()): Promise<FakeWorld> {
  const { exitCode } = await runCommand(BESIDE, one)
  assert.equal(exitCode, 0)
  return one
}

describe('kubectl telemetry expose svc/NAME', () => {
  const manifests: [name: string, flags: string][] = [
    ['hosts', '--allow-cidr 198.51.100.0/24'],
    ['port', '--port 666 --allow-cidr 198.51.100.0/24'],
    [
      'any-host',
      '--port 666 --node-port 30666 --any-host --insecure --path /productpage --path /static/ --allow-anonymous',
    ],
  ]
  for (const [name, flags] of manifests)
    it(`prints the manifests beside exposed add-ons: ${name}`, async () => {
      const one = await beside()
      const { stdout, exitCode } = await runCommand(
        `expose svc/productpage -n bookinfo ${flags} --dry-run=server -o yaml`,
        one,
      )
      assert.equal(exitCode, 0)
      expectGolden(`expose-service-${name}-manifests.yaml`, withoutKeys(stdout))
    })

  it('prints the table, and the paths', async () => {
    const line =
      'expose svc/productpage -n bookinfo --port 666 --node-port 30666 --any-host --insecure --path /productpage --path /static/ --allow-anonymous -y'
    const { stdout, exitCode } = await runCommand(line, shopAtNode())
    assert.equal(exitCode, 0)
    expectGolden('expose-service.txt', stdout)
  })

  it('is a service without an add-on in JSON, with its paths', async () => {
    const one = await beside()
    const { stdout } = await runCommand(
      'expose svc/productpage -n bookinfo --path /productpage --allow-anonymous -y -o json',
      one,
    )
    const { exposures } = JSON.parse(stdout)
    const [service, ...others] = exposures
    assert.ok(!Object.hasOwn(service, 'addon'))
    assert.deepEqual([service.namespace, service.service, service.paths], ['bookinfo', 'productpage', ['/productpage']])
    for (const other of others) assert.deepEqual([typeof other.addon, other.paths], ['string', undefined])
    expectGolden('expose-service.json', stdout.replace(/"bytes": \d+/g, '"bytes": 0'))
  })

  it('on a terminal asks who may enter, with the name that the user gave', async () => {
    const one = shopMesh([], {
      'Who may enter https://productpage.bookinfo.192.0.2.10.nip.io/?': 'anyone who reaches the address',
    })
    const { exitCode } = await runCommand('expose svc/productpage -n bookinfo -y', one)
    assert.equal(exitCode, 0)
    assert.deepEqual(
      one.terminal.notes[0],
      'it is not known whether svc/productpage in namespace bookinfo asks for a login',
    )
  })
})

describe('fields that are left out keep their value', () => {
  const first =
    'expose svc/productpage -n bookinfo --port 666 --path /productpage --path /static/ --allow-cidr 198.51.100.0/24 --ttl 8h -y'
  const later = [
    'expose svc/productpage -n bookinfo -y',
    'expose svc/reviews -n bookinfo --allow-anonymous -y',
    'expose kiali --allow-anonymous -y',
  ]
  const view = async (one: FakeWorld) => {
    const { services } = JSON.parse((await runCommand('status -o json', one)).stdout)
    return services
      .filter(({ name }: { name: string }) => name === 'svc/productpage')
      .map(({ certificate: _, ...rest }: Record<string, unknown>) => rest)
  }
  for (const line of later)
    it(`after ${line}`, async () => {
      const one = await beside()
      await runCommand(first, one)
      const before = await view(one)
      assert.equal(before[0].exposure.url, 'https://productpage.bookinfo.192.0.2.10.nip.io:666/productpage')
      assert.equal(before[0].expiresAt, '2026-11-21T20:00:00Z')
      const { exitCode } = await runCommand(line, one)
      assert.equal(exitCode, 0)
      assert.deepEqual(await view(one), before)
    })

  it('and --domain moves all of them', async () => {
    const one = await beside()
    await runCommand(first, one)
    await runCommand('expose svc/reviews -n bookinfo --allow-anonymous -y', one)
    const { exitCode } = await runCommand('expose grafana --domain example.com -y', one)
    assert.equal(exitCode, 0)
    assert.deepEqual(serversOf(one), [
      'HTTPS 443 grafana.example.com prometheus.example.com reviews.bookinfo.example.com',
      'HTTP 80 grafana.example.com prometheus.example.com reviews.bookinfo.example.com redirect',
      'HTTPS 666 productpage.bookinfo.example.com',
    ])
  })
})

describe('kubectl telemetry status with Services', () => {
  it('has a row for each, and `services` in JSON', async () => {
    const one = await beside()
    await runCommand('expose svc/productpage -n bookinfo --port 666 --allow-anonymous -y', one)
    const page = await runCommand('status', one)
    expectGolden('status-services.txt', page.stdout)
    const { services, addons } = JSON.parse((await runCommand('status -o json', one)).stdout)
    assert.deepEqual(
      services.map(({ name, namespace }: Record<string, string>) => [name, namespace]),
      [['svc/productpage', 'bookinfo']],
    )
    assert.ok(addons.every(({ name }: { name: string }) => !name.startsWith('svc/')))
  })
})

describe('kubectl telemetry cleanup svc/NAME', () => {
  it('removes one, and leaves the others; a Service that is not exposed is noted', async () => {
    const one = await beside()
    await runCommand('expose svc/productpage svc/reviews -n bookinfo --allow-anonymous -y', one)
    const { stdout, exitCode } = await runCommand('cleanup svc/productpage -n bookinfo -y', one)
    assert.equal(exitCode, 0)
    expectGolden('cleanup-service.txt', stdout)
    assert.match(serversOf(one)[0] ?? '', /^HTTPS 443 grafana\S+ prometheus\S+ reviews\S+$/)
    const again = await runCommand('cleanup svc/productpage -n bookinfo -y', one)
    assert.match(again.stdout + again.stderr, /svc\/productpage is not exposed/)
    const elsewhere = await runCommand('cleanup svc/reviews -y', one)
    assert.match(elsewhere.stdout + elsewhere.stderr, /svc\/reviews is not exposed/)
    assert.equal((await runCommand('cleanup svc/reviews grafana -n bookinfo -y', one)).exitCode, 0)
    assert.match(serversOf(one)[0] ?? '', /^HTTPS 443 prometheus\S+$/)
  })

  it('without names, or with --expired, is for Services as well', async () => {
    const one = await beside()
    await runCommand('expose svc/productpage -n bookinfo --ttl 1m --allow-anonymous -y', one)
    one.clock.sleep(61_000)
    await runCommand('cleanup --expired -y', one)
    assert.match(serversOf(one)[0] ?? '', /^HTTPS 443 grafana\S+ prometheus\S+$/)
    await runCommand('expose svc/productpage -n bookinfo --allow-anonymous -y', one)
    await runCommand('cleanup -y', one)
    assert.deepEqual(
      one.cluster.objects.filter(({ metadata }) => metadata.name.startsWith('kubectl-telemetry')),
      [],
    )
  })
})
