import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../../../src/exposing/result.ts'
import { opensslMake } from '../../../certificates/openssl.ts'
import { loadBalancer, loadBalancerAddress, nodeAddress } from '../../../lab/lab.ts'
import { BOOKINFO } from '../../bookinfo.ts'
import { endChartGateway, RELEASE, startChartGateway } from '../../chart-gateway.ts'
import { difference, dump } from '../../dump.ts'
import { exposeForAnyone } from '../../exposed.ts'
import type { Workplace } from '../../mesh.ts'
import { assertOneError } from '../../one-error.ts'

const SERVICES = ['svc/productpage', 'svc/details', '-n', BOOKINFO]
/** One below 1024, which the pods of istioctl's gateway may not have, and one above. */
const PORTS = ['--port', 'svc/productpage=666', '--port', 'svc/details=15029']
const PAGES: Record<string, string> = { productpage: '/productpage', details: '/details/0' }

export const ownPorts = (workplace: Workplace) =>
  describe('ports of their own', () => {
    let untouched: Map<string, string>

    after(() => loadBalancer('on'))

    const expose = (...words: string[]) => exposeForAnyone(workplace, ...words)
    function assertNothingIsLeft(): void {
      assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
      assert.deepEqual(difference(untouched, dump(workplace)), [])
    }

    /** The status for a page of an exposure, by curl with our CA and without DNS. */
    function status({ authority, gateway }: ExposeResult, url: string, path: string, ...more: string[]): number {
      const { protocol, hostname, port } = new URL(url)
      const trust = authority === undefined ? [] : ['--cacert', authority.certificate]
      const resolve = ['--resolve', `${hostname}:${port}:${gateway.address}`]
      const words = ['-sS', '--max-time', '10', '-o', '/dev/null', '-w', '%{http_code}', ...trust, ...resolve, ...more]
      return Number(
        spawnSync('curl', [...words, `${protocol}//${hostname}:${port}${path}`], { encoding: 'utf8' }).stdout,
      )
    }

    function assertServes(address: string, ...words: string[]): ExposeResult {
      const result = expose(...SERVICES, ...PORTS, ...words)
      assert.equal(result.gateway.address, address)
      assert.equal(result.exposures.length, 2)
      for (const { service, url, probe } of result.exposures) {
        assert.equal(probe?.ok, true, url)
        assert.equal(new URL(url).protocol, words.includes('--insecure') ? 'http:' : 'https:')
        assert.equal(status(result, url, PAGES[service] ?? ''), 200, url)
      }
      return result
    }

    describe('at istioctl’s gateway', () => {
      before(() => {
        untouched = dump(workplace)
      })
      afterEach(assertNothingIsLeft)

      it('answer at a load balancer’s address by HTTPS, at these very ports', async () => {
        await loadBalancer('on')
        const { exposures } = assertServes(loadBalancerAddress)
        assert.deepEqual(exposures.map(({ port }) => port).sort(), [15_029, 666])
      })

      it('answer at a node by HTTP, at the chosen node ports', async () => {
        await loadBalancer('off')
        const nodePorts = ['--node-port', 'svc/productpage=30666', '--node-port', 'svc/details=32667']
        const { exposures } = assertServes(nodeAddress, ...nodePorts, '--insecure')
        assert.deepEqual(exposures.map(({ port }) => port).sort(), [30_666, 32_667])
      })

      it('serve any host and the bare address over HTTPS with the user’s certificate and a password, and not with ours', async () => {
        await loadBalancer('on')
        const san = `subjectAltName=IP:${loadBalancerAddress},DNS:shop.example.com`
        const { certificate, key } = opensslMake('-x509', '-days', '30', '-subj', '/CN=shop', '-addext', san)
        const metadata = { name: 'shop-tls', namespace: 'istio-system' }
        const stringData = { 'tls.crt': certificate, 'tls.key': key }
        const secret = { apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata, stringData }
        const words = ['svc/productpage', '-n', BOOKINFO, '--port', '666', '--any-host', '--path', '/productpage']
        const refused = workplace.telemetry('expose', ...words, '--allow-anonymous', '-y')
        assertOneError(refused, 'ANY_HOST_UNUSABLE', /vouches for names/, 2)
        workplace.apply(secret)
        try {
          const { exposures, credentials } = expose(...words, '--tls-secret', 'shop-tls', '--auth', 'basic')
          assert.equal(exposures[0]?.url, `https://${loadBalancerAddress}:666/productpage`)
          const file = join(workplace.directory, 'shop.crt')
          writeFileSync(file, certificate)
          for (const host of [loadBalancerAddress, 'shop.example.com']) {
            const resolve = ['--resolve', `${host}:666:${loadBalancerAddress}`]
            const ask = ['-sS', '--cacert', file, ...resolve, '-o', '/dev/null', '-w', '%{http_code}']
            const user = ['-u', `${credentials?.user}:${credentials?.password}`]
            const asked = [[], user].map(
              (as) => workplace.run('curl', [...ask, ...as, `https://${host}:666/productpage`]).stdout,
            )
            assert.deepEqual(asked, ['401', '200'], host)
          }
        } finally {
          workplace.telemetry('cleanup', '-y')
          workplace.delete(secret)
        }
      })
    })

    describe('at the gateway of helm’s chart', () => {
      before(async () => {
        await startChartGateway(workplace)
        untouched = dump(workplace)
      })
      afterEach(assertNothingIsLeft)
      after(() => endChartGateway(workplace))

      it('answer at a node by HTTPS', () => {
        assertServes(nodeAddress, '--gateway', `${RELEASE}/${RELEASE}`)
      })

      it('answer at a load balancer’s address by HTTP, at these very ports', async () => {
        await loadBalancer('on')
        // The lab's address belongs to istioctl's gateway; kube-proxy gives it to the Service that has it in its status.
        const addressOf = (namespace: string, name: string, ingress: object[] | null) =>
          workplace.kubectl(
            ...['-n', namespace, 'patch', 'service', name, '--subresource=status', '--type=merge'],
            ...['-p', JSON.stringify({ status: { loadBalancer: { ingress } } })],
          )
        addressOf('istio-system', 'istio-ingressgateway', null)
        addressOf(RELEASE, RELEASE, [{ ip: loadBalancerAddress }])
        const { exposures } = assertServes(loadBalancerAddress, '--gateway', `${RELEASE}/${RELEASE}`, '--insecure')
        assert.deepEqual(exposures.map(({ port }) => port).sort(), [15_029, 666])
      })
    })
  })
