/**
 * Flux, Argo CD and Helm 4 apply their objects by the server before, during and after our changes (decision 19). The tools themselves do not
 * run: kubectl applies with their field managers, their force, and the labels and annotations that they write.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../src/exposing/result.ts'
import type { ScrapeSecureResult } from '../../src/scraping/result.ts'
import { SECURE_PORT } from '../../src/scraping/workload.ts'
import { loadBalancer } from '../lab/lab.ts'
import { difference, dump } from './dump.ts'
import { Workplace } from './mesh.ts'
import { HTTPBIN, meshNamespace, meshWorkload, waitUntilReady } from './mesh-workloads.ts'

const SHOP = 'telemetry-e2e-applied'
const CONFIG = 'proxy.istio.io/config'

interface Applied {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace: string; labels?: object }
}

interface Tool {
  manager: string
  /** Whether it takes over fields of others, as the tool does by default. */
  force: boolean
  /** What it writes into the metadata of an object. */
  traces(object: Applied): { labels?: object; annotations?: object }
  /** How the plan names it. */
  called: string
}

const TOOLS: Record<string, Tool> = {
  // https://fluxcd.io/flux/components/kustomize/kustomizations/: it applies with force.
  Flux: {
    manager: 'kustomize-controller',
    force: true,
    traces: () => ({
      labels: { 'kustomize.toolkit.fluxcd.io/name': 'apps', 'kustomize.toolkit.fluxcd.io/namespace': 'flux-system' },
    }),
    called: 'Flux Kustomization flux-system/apps',
  },
  // https://argo-cd.readthedocs.io/en/stable/user-guide/sync-options/#server-side-apply
  'Argo CD': {
    manager: 'argocd-controller',
    force: true,
    traces: ({ apiVersion, kind, metadata: { name, namespace } }) => ({
      annotations: {
        'argocd.argoproj.io/tracking-id': `apps:${apiVersion.split('/').slice(0, -1).join()}/${kind}:${namespace}/${name}`,
      },
    }),
    called: 'Argo CD application apps',
  },
  'Helm 4': {
    manager: 'helm',
    force: false,
    traces: ({ metadata: { namespace } }) => ({
      labels: { 'app.kubernetes.io/managed-by': 'Helm' },
      annotations: { 'meta.helm.sh/release-name': 'apps', 'meta.helm.sh/release-namespace': namespace },
    }),
    called: 'Helm release ',
  },
}

/** A Service before the gateway, to which `--layout ports` adds ports. */
const EDGE = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'edge', namespace: 'istio-system' },
  spec: {
    type: 'NodePort',
    selector: { istio: 'ingressgateway' },
    ports: [{ name: 'https', port: 443, targetPort: 8443 }],
  },
}
/** It has a value that scrape-secure changes; other fields are added. */
const WEB = meshWorkload({
  ...{ name: 'web', namespace: SHOP, image: HTTPBIN },
  annotations: { [CONFIG]: 'concurrency: 1\n' },
})
const OBJECTS = [EDGE, ...WEB] as Applied[]

describe('other tools that apply by the server, on the real mesh', () => {
  const workplace = new Workplace()

  before(async () => {
    await loadBalancer('on')
    workplace.apply(...meshNamespace(SHOP))
  })
  afterEach(() => {
    workplace.telemetry('cleanup', '-y')
    workplace.telemetry('cleanup', '--scraping', '-y')
    workplace.delete(...OBJECTS)
  })
  after(() => {
    workplace.kubectl('delete', 'namespace', SHOP, '--timeout=85s')
    workplace.end()
  })

  /** Applies as a tool does it. @returns what kubectl says */
  function applyAs({ manager, traces }: Tool, objects: Applied[], force: boolean) {
    const items = objects.map((object) => {
      const { labels, annotations } = traces(object)
      const metadata = {
        ...object.metadata,
        ...(labels === undefined ? {} : { labels: { ...object.metadata.labels, ...labels } }),
        ...(annotations === undefined ? {} : { annotations }),
      }
      return { ...object, metadata }
    })
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
    const words = ['apply', '--server-side', `--field-manager=${manager}`, ...(force ? ['--force-conflicts'] : [])]
    return workplace.run('kubectl', [...words, '-f', '-'], { input })
  }
  const annotations = () => {
    const path = 'jsonpath={.spec.template.metadata.annotations}'
    return JSON.parse(workplace.kubectl('-n', SHOP, 'get', 'deploy/web', '-o', path)) as Record<string, string>
  }
  const portsOfEdge = () =>
    workplace.kubectl('-n', 'istio-system', 'get', 'service/edge', '-o', 'jsonpath={.spec.ports[*].port}')

  for (const [name, tool] of Object.entries(TOOLS))
    it(`${name}: named in the plan, not in each other's way, and without a difference after cleanup`, function () {
      this.timeout(120_000)
      const applied = applyAs(tool, OBJECTS, tool.force)
      assert.equal(applied.exitCode, 0, applied.stderr)
      waitUntilReady(workplace, SHOP, 'deploy/web')
      const untouched = dump(workplace)

      const exposing = ['expose', 'grafana', '--gateway', 'istio-system/edge', '--layout', 'ports', '--allow-anonymous']
      const exposed = workplace.telemetry(...exposing, '-y', '-o', 'json')
      assert.equal(exposed.exitCode, 0, exposed.stdout + exposed.stderr)
      const ports = portsOfEdge()
      assert.notEqual(ports, '443')
      assertNamed(
        (JSON.parse(exposed.stdout) as ExposeResult).warnings,
        /Service istio-system\/edge/,
        /keeps the fields/,
      )

      const scraping = ['scrape-secure', '-n', SHOP, '-y', '--prometheus', 'none', '-o', 'json']
      const secured = workplace.telemetry(...scraping)
      assert.equal(secured.exitCode, 0, secured.stdout + secured.stderr)
      const { warnings } = JSON.parse(secured.stdout) as ScrapeSecureResult
      assertNamed(warnings, /Deployment \S+\/web/, /resets the values/)

      // Its next run, as it was announced: added fields stay, and a changed value is reset, or a conflict.
      const again = applyAs(tool, [EDGE], false)
      assert.equal(again.exitCode, 0, again.stderr)
      assert.equal(portsOfEdge(), ports)
      const overwriting = applyAs(tool, WEB as Applied[], tool.force)
      if (tool.force) {
        assert.equal(overwriting.exitCode, 0, overwriting.stderr)
        assert.equal(annotations()[CONFIG], 'concurrency: 1\n')
        const status = workplace.telemetry('scrape-secure', 'status', '-n', SHOP, '--prometheus', 'none')
        assert.match(status.stdout + status.stderr, new RegExp(`${tool.called}.* may have reset it`))
      } else {
        assert.match(overwriting.stderr, /conflict with "istio-telemetry-scraping".*proxy\.istio\.io\/config/s)
      }
      assert.equal(annotations()[SECURE_PORT], '15092')

      for (const part of [[], ['--scraping']]) {
        const { stdout, stderr, exitCode } = workplace.telemetry('cleanup', ...part, '-y')
        assert.equal(exitCode, 0, stdout + stderr)
      }
      assert.deepEqual(difference(untouched, dump(workplace)), [])
      const last = applyAs(tool, OBJECTS, false)
      assert.equal(last.exitCode, 0, last.stderr)
      assert.deepEqual(difference(untouched, dump(workplace)), [])

      function assertNamed(findings: ExposeResult['warnings'], object: RegExp, effect: RegExp): void {
        const messages = findings.filter(({ code }) => code === 'MANAGED_ELSEWHERE').map(({ message }) => message)
        const [found] = messages.filter((message) => object.test(message))
        assert.match(found ?? messages.join('\n'), effect)
        assert.ok(found?.includes(tool.called), found)
      }
    })
})
