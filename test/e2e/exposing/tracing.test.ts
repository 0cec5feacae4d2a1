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
  /** Objects of the sample with other names than those of Jaeger's sample. */
  own: string[]
  /** The Service that needs the annotation, because Jaeger's Service zipkin stays and looks like Jaeger's page. */
  annotated?: string
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
    annotated: 'skywalking-ui',
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
    // Service tracing was replaced by that of the other samples, and restored.
    assert.deepEqual(difference(untouched, dump(workplace)), [], 'the mesh has changed')
  })

  const istioSystem = (...words: string[]) => workplace.kubectl('-n', 'istio-system', ...words)

  /** Status, target of a redirect, and title of the page. */
  function fetched(path: string, ca: string): string[] {
    const to = ['--cacert', ca, '--resolve', `${HOST}:443:${loadBalancerAddress}`, `https://${HOST}${path}`]
    const { stdout } = workplace.run('curl', ['-sS', '-w', '\n%{http_code} %{redirect_url}', ...to])
    const [status = '', leads = ''] = (stdout.split('\n').at(-1) ?? '').split(' ')
    return [status, leads, /<title>(.*?)<\/title>/.exec(stdout)?.[1] ?? '']
  }

  for (const { sample, title, path, page, own, annotated } of BACKENDS) {
    describe(title, () => {
      before(async () => {
        await addons([sample])
        if (annotated) istioSystem('annotate', 'service', annotated, 'kubectl-telemetry/addon=tracing')
      })
      after(async () => {
        istioSystem('delete', ...own)
        await addons(['jaeger'])
      })

      it(`is served by \`expose tracing\` at ${path}, and \`/\` redirects there`, () => {
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
