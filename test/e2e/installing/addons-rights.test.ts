/** Users with exactly the rights of the rows of docs/rbac.md about `addons`, and with one less. */
import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { after, before, describe, it } from 'mocha'
import { addons as labAddons } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { assertOneError } from '../one-error.ts'
import { RBAC, type Rule, rule, telemetryWith, without } from '../rights.ts'

const NAMESPACE = 'addons-rights'
const SAMPLE = fileURLToPath(new URL('../../../src/samples/1.31/prometheus.yaml', import.meta.url))

const named = (group: string, resources: string, verbs: string, name: string) => ({
  ...rule(group, resources, verbs),
  resourceNames: [name],
})

/** `addons list`, without what is optional. */
const LIST = [rule('apps', 'deployments', 'list')]
/** `addons install`, without what is optional: in the cluster, and in the namespace. */
const INSTALL = [
  ...LIST,
  rule(RBAC, 'clusterroles clusterrolebindings', 'get create patch'),
  named(RBAC, 'clusterroles', 'bind escalate', 'prometheus'),
]
const INSTALL_INSIDE = [
  rule('', 'serviceaccounts configmaps services', 'get create patch'),
  rule('apps', 'deployments', 'get create patch'),
]
/** `addons uninstall -n`. */
const UNINSTALL = [rule(RBAC, 'clusterroles clusterrolebindings', 'get delete')]
const UNINSTALL_INSIDE = [
  rule('', 'configmaps', 'list patch'),
  rule('', 'serviceaccounts configmaps services', 'get delete'),
  rule('apps', 'deployments', 'get delete'),
]

describe('the rights of addons in docs/rbac.md, on the real mesh', () => {
  const workplace = new Workplace()
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } }
  let untouched: Map<string, string>

  before(() => {
    workplace.apply(namespace)
    // Its roles exist once in the cluster.
    workplace.kubectl('delete', '--ignore-not-found', '-f', SAMPLE)
    untouched = dump(workplace)
  })
  after(async () => {
    workplace.delete(namespace)
    workplace.end()
    await labAddons(['prometheus'])
  })

  const as = (cluster: Rule[], inside: Rule[], ...words: string[]) =>
    telemetryWith({ cluster, inside, namespace: NAMESPACE }, workplace, 'addons', ...words)
  const install = (cluster: Rule[], inside: Rule[]) =>
    as(cluster, inside, 'install', 'prometheus', '-n', NAMESPACE, '-y')
  const uninstall = (cluster: Rule[], inside: Rule[]) => as(cluster, inside, 'uninstall', '-n', NAMESPACE, '-y')

  it('list needs to list Deployments, and nothing else', () => {
    const { stdout, stderr, exitCode } = as(LIST, [], 'list')
    assert.equal(exitCode, 0, stderr)
    assert.match(stdout, /^grafana +istio-system /m)
    assertOneError(as([], [], 'list'), 'FORBIDDEN', /list resource "deployments"/)
  })

  it('install changes nothing without one of its rights', () => {
    for (const index of [1, 2])
      assertOneError(install(without(INSTALL, index), INSTALL_INSIDE), 'FORBIDDEN', /clusterrole/)
    const escalating = [...without(INSTALL, 2), named(RBAC, 'clusterroles', 'escalate', 'prometheus')]
    assertOneError(install(escalating, INSTALL_INSIDE), 'ROLE_NOT_BINDABLE', /ClusterRole prometheus/)
    for (const index of [0, 1]) assertOneError(install(INSTALL, without(INSTALL_INSIDE, index)), 'FORBIDDEN')
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })

  it('install and uninstall need these rights, and nothing else', () => {
    const { stderr, exitCode } = install(INSTALL, INSTALL_INSIDE)
    assert.equal(exitCode, 0, stderr)
    const { stdout, stderr: said, exitCode: code } = uninstall(UNINSTALL, UNINSTALL_INSIDE)
    assert.equal(code, 0, stdout + said)
    assert.match(said, /\(NOT_SEARCHED\)/)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })
})
