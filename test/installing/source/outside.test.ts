import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { stringify } from 'yaml'
import { sampleFiles } from '../../../src/adapters.ts'
import { SAMPLES } from '../../../src/installing/catalog.ts'
import { objectsIn } from '../../../src/installing/samples.ts'
import { requireObjects } from '../../../src/installing/source/outside.ts'

const SERVICE = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'grafana', namespace: 'istio-system' } }
const BINDING = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRoleBinding',
  metadata: { name: 'grafana' },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
}

const objects = (text: string, type?: string) => requireObjects({ from: 'grafana.yaml', text, type }, 'telemetry')
const withMetadata = (metadata: object) => ({ ...SERVICE, metadata: { ...SERVICE.metadata, ...metadata } })
const boundTo = (...subjects: object[]) => ({ ...BINDING, subjects })

describe('a sample from outside', () => {
  for (const version of ['1.30', '1.31'])
    it(`is read as the packaged one of Istio ${version} is`, async () => {
      for (const { file } of SAMPLES) {
        const text = await sampleFiles().read(version, file)
        assert.deepEqual(objects(text), objectsIn(text), file)
      }
    })

  it('is read as kubectl reads it: octal numbers, several documents, JSON', () => {
    const [first] = objects(`--- # first\n${stringify(SERVICE)}spec: {mode: 0644, time: 12:30, day: 2024-01-02}\n---\n`)
    assert.deepEqual(first?.manifest.spec, { mode: 420, time: '12:30', day: '2024-01-02' })
    assert.equal(objects(JSON.stringify(SERVICE)).length, 1)
  })

  it('may be for the namespace of the add-ons, or for none, and bind ServiceAccounts there', () => {
    const account = { kind: 'ServiceAccount', name: 'grafana' }
    for (const namespace of ['telemetry', 'istio-system']) {
      objects(stringify(withMetadata({ namespace })))
      objects(stringify(boundTo({ ...account, namespace })))
    }
    objects(stringify(withMetadata({ namespace: undefined, annotations: { 'kubectl-telemetry/addon': 'grafana' } })))
  })

  for (const [what, value, why] of [
    [
      'a Secret',
      { ...SERVICE, kind: 'Secret' },
      /object 1 \(Secret grafana\).*v1 Secret; these are: ServiceAccount, ConfigMap/,
    ],
    [
      'a webhook',
      { ...SERVICE, apiVersion: 'admissionregistration.k8s.io/v1', kind: 'MutatingWebhookConfiguration' },
      /kind/,
    ],
    ['a CRD', { ...SERVICE, apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' }, /kind/],
    ['a list', { apiVersion: 'v1', kind: 'List', items: [SERVICE] }, /v1 List/],
    [
      'another group with the same kind',
      { ...SERVICE, apiVersion: 'serving.knative.dev/v1' },
      /serving.knative.dev\/v1 Service/,
    ],
    ['no kind', { ...SERVICE, kind: undefined }, /no kind/],
    ['a kind that is no text', { ...SERVICE, kind: ['Service'] }, /no kind/],
    ['no name', { ...SERVICE, metadata: { generateName: 'grafana-' } }, /object 1 \(Service\) has no name/],
    ['no metadata', { ...SERVICE, metadata: undefined }, /has no name/],
    ['a name that is a path', withMetadata({ name: '../grafana' }), /name/],
    [
      'the name of our record',
      { ...withMetadata({ name: 'kubectl-telemetry-addons' }), kind: 'ConfigMap' },
      /one of kubectl telemetry/,
    ],
    [
      'another namespace',
      withMetadata({ namespace: 'kube-system' }),
      /namespace "kube-system"; only istio-system or telemetry/,
    ],
    ['a namespace that is no text', withMetadata({ namespace: ['istio-system'] }), /is for namespace/],
    [
      'our labels',
      withMetadata({ labels: { 'kubectl-telemetry/part': 'exposing' } }),
      /kubectl-telemetry\/part, which only/,
    ],
    ['a record of ours', withMetadata({ annotations: { 'kubectl-telemetry/before-scraping': '{}' } }), /which only/],
    ['labels that are a list', withMetadata({ labels: ['a'] }), /not texts/],
    ['numbers as labels', withMetadata({ labels: { version: 11 } }), /not texts/],
    ['a uid', withMetadata({ uid: '1' }), /metadata\.uid/],
    ['finalizers', withMetadata({ finalizers: ['a/b'] }), /metadata\.finalizers/],
    [
      'rights for everybody',
      boundTo({ kind: 'Group', name: 'system:authenticated' }),
      /something other than ServiceAccounts/,
    ],
    [
      'rights elsewhere',
      boundTo({ kind: 'ServiceAccount', name: 'default', namespace: 'kube-system' }),
      /ServiceAccounts/,
    ],
    ['a text', 'hello', /object 1 is not an object/],
    ['a list of objects', [SERVICE], /is not an object/],
  ] as const)
    it(`with ${what} is refused`, () => {
      assert.throws(
        () => objects(stringify(value)),
        ({ code, message }) => {
          assert.match(message, why)
          return code === 'SAMPLE_INVALID' && message.startsWith('grafana.yaml cannot be installed: ')
        },
      )
    })

  const laughs = ['a0: &a0 ha', ...Array.from({ length: 30 }, (_, at) => `a${at + 1}: &a${at + 1} [*a${at}, *a${at}]`)]
  const megabytes = (part: string) => part.repeat((2 * 1024 * 1024) / part.length)
  for (const [what, text, why] of [
    ['is empty', '', /has no objects/],
    ['has only comments', '# nothing\n---\n', /has no objects/],
    ['is a web page', '<!DOCTYPE html><html></html>', /web page/],
    ['is not YAML', 'a: [', /is not YAML/],
    ['has unknown tags', `${stringify(SERVICE)}data: !!js/function x`, /is not YAML/],
    ['has a key twice', `${stringify(SERVICE)}kind: Secret`, /key kind is there twice/],
    ['has an object twice', `${stringify(SERVICE)}---\n${stringify(SERVICE)}`, /Service grafana twice/],
    ['has aliases', 'a: &a b\nc: *a', /aliases/],
    ['has merge keys', 'a: &a {b: 1}\nc: {<<: *a}', /aliases/],
    ['explodes by aliases', laughs.join('\n'), /aliases/],
    ['explodes by depth', '['.repeat(100_000), /too deeply/],
    [
      'explodes by indentation',
      Array.from({ length: 1_900 }, (_, at) => `${' '.repeat(at)}a:`).join('\n'),
      /too deeply/,
    ],
    ['explodes by documents', megabytes('---\n'), /too many parts/],
    ['explodes by items', megabytes('- a\n'), /too many parts/],
    ['explodes by flow', `a: [${megabytes('1,').slice(9)}]`, /too many parts/],
    ['explodes by errors', `a: "${megabytes('x\n').slice(9)}"`, /too many parts/],
    ['is too long', `# ${megabytes('x')}`, /characters/],
  ] as const)
    it(`that ${what} is refused`, () => {
      assert.throws(
        () => objects(text),
        ({ code, message }) => {
          assert.match(message, why)
          return code === 'SAMPLE_INVALID' && message.length < 500
        },
      )
    })

  it('that the server calls a web page is refused, with what to do', () =>
    assert.throws(
      () => objects('hello', 'text/html; charset=utf-8'),
      ({ suggestions }) => /Raw/.test(suggestions.join()),
    ))
})
