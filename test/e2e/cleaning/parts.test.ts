import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import { opensslMake } from '../../certificates/openssl.ts'
import { loadBalancer } from '../../lab/lab.ts'
import { documentedSetup } from '../documented-setup.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { meshNamespace, meshWorkload } from '../mesh-workloads.ts'

const NAMESPACE = 'another-part'
const LABELS = {
  'app.kubernetes.io/managed-by': 'kubectl-telemetry',
  'app.kubernetes.io/component': 'grafana',
  'kubectl-telemetry/part': 'tracing',
}
const ANNOTATIONS = { 'kubectl-telemetry/expires-at': '2020-01-01T00:00:00Z' }
const COMMANDS = [
  ['cleanup'],
  ['cleanup', 'grafana'],
  ['cleanup', '--expired'],
  ['cleanup', '--documented-setup'],
  ['cleanup', '--scraping'],
]

/** Objects of another part: with names and contents of Istio's page, and with names that begin with `kubectl-telemetry-`. */
function owned(): object[] {
  // The gateway refuses the whole listener of a broken certificate, also for hosts of others.
  const { certificate, key } = opensslMake('-x509', '-days', '1', '-subj', '/CN=example.com')
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const page = documentedSetup('example.com', { 'tls.crt': base64(certificate), 'tls.key': base64(key) }) as {
    kind?: string
    metadata: { name: string; namespace: string }
  }[]
  const own = page.filter(({ metadata }) =>
    ['telemetry-gw-cert', 'grafana-gateway', 'grafana-vs'].includes(metadata.name),
  )
  const named = own.map((object) => ({
    ...object,
    metadata: { name: 'kubectl-telemetry-traced', namespace: NAMESPACE },
  }))
  const configMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'kubectl-telemetry', namespace: 'istio-system' },
    data: { 'config.yaml': 'traced' },
  }
  return [...own, ...named, configMap].map((object) => ({
    ...object,
    metadata: { ...object.metadata, labels: LABELS, annotations: ANNOTATIONS },
  }))
}

/** A user's Deployment with fields and a record of another part. */
const changed = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    name: 'web',
    namespace: NAMESPACE,
    labels: { 'kubectl-telemetry/tracing': 'true' },
    annotations: { 'kubectl-telemetry/before-tracing': JSON.stringify({ fields: [], managedFields: [] }) },
  },
  spec: { template: { metadata: { annotations: { traced: 'yes' } } } },
}

describe('objects of another part, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    workplace.apply(...meshNamespace(NAMESPACE), ...meshWorkload({ name: 'web', namespace: NAMESPACE }))
    for (const object of [...owned(), changed]) {
      const words = ['apply', '--server-side', '--field-manager=istio-telemetry-tracing', '-f', '-']
      const { exitCode, stderr } = workplace.run('kubectl', words, { input: JSON.stringify(object) })
      assert.equal(exitCode, 0, stderr)
    }
    untouched = dump(workplace)
  })
  after(() => {
    const kinds = 'secrets,configmaps,gateways.networking.istio.io,virtualservices.networking.istio.io'
    workplace.kubectl('-n', 'istio-system', 'delete', kinds, '-l', 'kubectl-telemetry/part=tracing')
    workplace.kubectl('delete', 'namespace', NAMESPACE)
    workplace.end()
  })

  for (const words of COMMANDS)
    it(`survive ${words.join(' ')} byte for byte`, () => {
      const exposed = workplace.telemetry('expose', 'grafana', '--allow-anonymous', '-y')
      assert.equal(exposed.exitCode, 0, exposed.stdout + exposed.stderr)
      const { stdout, stderr, exitCode } = workplace.telemetry(...words, '-y')
      assert.equal(exitCode, 0, stdout + stderr)
      assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
      assert.deepEqual(difference(untouched, dump(workplace)), [])
    })
})
