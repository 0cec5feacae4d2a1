import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { addons, loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'

const HOST = `tracing.${loadBalancerAddress}.nip.io`

interface Backend {
  sample: string
  title: string
  path: string
  page: string
  /** What it adds to what Jaeger's sample has under the same names. */
  own: string[]
  /** The Service that has to be pointed out: Jaeger's Service zipkin stays, and looks like a page of Jaeger's. */
  pointedOut?: string
}

const BACKENDS: Backend[] = [
  { sample: 'extras/zipkin', title: 'Zipkin', path: '/zipkin/', page: 'Zipkin', own: ['deployment/zipkin'] },
  {
    sample: 'extras/skywalking',
    title: 'SkyWalking',
    path: '/',
    page: 'SkyWalking',
    own: [
      ...['oap', 'ui'].map((part) => `deployment/skywalking-${part}`),
      ...['tracing-ui', 'skywalking-oap', 'skywalking-ui'].map((name) => `service/${name}`),
    ],
    pointedOut: 'skywalking-ui',
  },
]

describe('tracing that is not Jaeger, on the real mesh', function () {
  this.timeout('4m') // pods start

  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    untouched = dump(workplace)
  })
  after(async () => {
    workplace.end()
    // Service tracing went from Jaeger's sample to the others' and back.
    assert.deepEqual(difference(untouched, dump(workplace)), [], 'the mesh is not as it was')
  })

  const istioSystem = (...words: string[]) => workplace.kubectl('-n', 'istio-system', ...words)

  /** The status, where it leads, and the title of the page there. */
  function fetched(path: string, ca: string): string[] {
    const to = ['--cacert', ca, '--resolve', `${HOST}:443:${loadBalancerAddress}`, `https://${HOST}${path}`]
    const { stdout } = workplace.run('curl', ['-sS', '-w', '\n%{http_code} %{redirect_url}', ...to])
    const [status = '', leads = ''] = (stdout.split('\n').at(-1) ?? '').split(' ')
    return [status, leads, /<title>(.*?)<\/title>/.exec(stdout)?.[1] ?? '']
  }

  for (const { sample, title, path, page, own, pointedOut } of BACKENDS) {
    describe(title, () => {
      before(async () => {
        await addons([sample])
        if (pointedOut) istioSystem('annotate', 'service', pointedOut, 'kubectl-telemetry/addon=tracing')
      })
      after(async () => {
        istioSystem('delete', ...own)
        await addons(['jaeger'])
      })

      it(`is what \`expose tracing\` serves, at ${path}, and \`/\` leads there`, () => {
        const before = dump(workplace)
        const { stdout, stderr, exitCode } = workplace.telemetry(
          ...['expose', 'tracing', '--allow-anonymous', '-y', '-o', 'json'],
        )
        assert.equal(exitCode, 0, stdout + stderr)
        const { exposures, authority } = JSON.parse(stdout) as ExposeResult
        assert.ok(authority)
        assert.deepEqual(
          exposures.map(({ addon, url, probe }) => [addon, url, probe?.ok, probe?.status]),
          [['tracing', `https://${HOST}${path}`, true, 200]],
        )
        const [status, , text] = fetched(path, authority.certificate)
        assert.deepEqual([status, text], ['200', page])
        const root = fetched('/', authority.certificate)
        assert.deepEqual(root.slice(0, 2), path === '/' ? ['200', ''] : ['302', `https://${HOST}${path}`])
        assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
        assert.deepEqual(difference(before, dump(workplace)), [])
      })
    })
  }
})
