import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { namespacedIn } from '../../src/cluster/discovery.ts'

const LIST = { kind: 'APIGroupDiscoveryList', apiVersion: 'apidiscovery.k8s.io/v2' }

function kind(resource: string, kindName: string, more: object = {}) {
  return { resource, responseKind: { kind: kindName }, scope: 'Namespaced', verbs: ['get', 'list'], ...more }
}

/** As Kubernetes 1.34 answers: the core group has no name. */
const CORE = {
  ...LIST,
  items: [
    {
      metadata: { creationTimestamp: null },
      versions: [
        {
          version: 'v1',
          freshness: 'Current',
          resources: [
            kind('pods', 'Pod', { subresources: [{ subresource: 'log' }] }),
            kind('bindings', 'Binding', { verbs: ['create'] }),
            kind('nodes', 'Node', { scope: 'Cluster' }),
          ],
        },
      ],
    },
  ],
}

function group(name: string, ...versions: object[]) {
  return { ...LIST, items: [{ metadata: { name }, versions }] }
}

describe('the kinds that a namespace can have', () => {
  it('are those that can be listed, each once, in the preferred version', () => {
    const scaling = (version: string) => ({ version, resources: [kind('scalers', 'Scaler')] })
    assert.deepEqual(namespacedIn([CORE, group('scaling.io', scaling('v2'), scaling('v1'))]), [
      { group: '', version: 'v1', plural: 'pods', kind: 'Pod' },
      { group: 'scaling.io', version: 'v2', plural: 'scalers', kind: 'Scaler' },
    ])
  })

  it('are unknown when an aggregated API does not answer, or the API server names only groups', () => {
    assert.equal(
      namespacedIn([CORE, group('metrics.k8s.io', { version: 'v1', freshness: 'Stale', resources: [] })]),
      undefined,
    )
    assert.equal(namespacedIn([CORE, { kind: 'APIGroupList', groups: [] }]), undefined)
  })

  it('are unknown when a name cannot be part of a path', () => {
    for (const name of ['..', 'a/b', '', 3])
      assert.equal(
        namespacedIn([CORE, group('a.io', { version: 'v1', resources: [kind(name as string, 'A')] })]),
        undefined,
      )
  })
})
