import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { rowsOf } from '../../src/addons/catalog.ts'
import { readAccess, readVisitor, rightsToAsk } from '../../src/addons/configuration.ts'
import type { ConfigMap, Pod } from '../../src/cluster/objects.ts'
import { grafana, kiali, prometheus } from '../fakes/mesh.ts'

type Objects = ReturnType<typeof grafana>

function visitorOf(name: string, objects: Objects, mayUse: boolean | undefined = undefined): string {
  const [addon] = rowsOf(name)
  assert.ok(addon)
  const pods = objects.filter(({ kind }) => kind === 'Pod') as Pod[]
  const configMaps = objects.filter(({ kind }) => kind === 'ConfigMap') as ConfigMap[]
  const granted = mayUse === true ? rightsToAsk(addon, pods, configMaps) : []
  return readVisitor(addon, readAccess(addon, pods, configMaps), { pods, configMaps }, granted)
}

const anonymous = (role?: string, more: Record<string, string> = {}) =>
  grafana('x', { GF_AUTH_ANONYMOUS_ENABLED: 'true', ...(role && { GF_AUTH_ANONYMOUS_ORG_ROLE: role }), ...more })
const mode = (viewOnly: string) => `auth:\n  strategy: anonymous\ndeployment:\n  view_only_mode: ${viewOnly}\n`

describe('what a visitor could do', () => {
  const cases: [string, () => string, string][] = [
    [
      'of Grafana, as Admin',
      () => visitorOf('grafana', anonymous('Admin')),
      'may change dashboards, data sources and users',
    ],
    [
      'as Editor',
      () => visitorOf('grafana', anonymous('Editor')),
      'may change dashboards and send any query to the data sources',
    ],
    ['as Viewer', () => visitorOf('grafana', anonymous()), 'reads dashboards and queries their data sources'],
    [
      'with the password that everybody knows',
      () => visitorOf('grafana', grafana('x', { GF_SECURITY_ADMIN_PASSWORD: 'admin' })),
      'must sign in; can sign in as administrator with the password "admin", unless it was changed',
    ],
    ['with another', () => visitorOf('grafana', grafana('x', { GF_SECURITY_ADMIN_PASSWORD: 'x' })), 'must sign in'],
    [
      'of Kiali that may change the mesh',
      () => visitorOf('kiali', kiali(), true),
      "sees all of the mesh; may change Istio's configuration",
    ],
    ['of Kiali that may not', () => visitorOf('kiali', kiali(), false), 'sees all of the mesh'],
    ['of Kiali whose permissions cannot be read', () => visitorOf('kiali', kiali()), 'sees all of the mesh'],
    ['of Kiali that only shows', () => visitorOf('kiali', kiali('x', mode('true')), true), 'sees all of the mesh'],
    [
      'of Kiali that asks for a token',
      () => visitorOf('kiali', kiali('x', 'auth:\n  strategy: token\n'), false),
      'must sign in',
    ],
    ['of Prometheus', () => visitorOf('prometheus', prometheus()), 'reads every metric'],
    [
      'of what cannot be read',
      () => visitorOf('grafana', grafana().slice(0, 1)),
      'may need to sign in: its configuration could not be read',
    ],
  ]
  for (const [title, said, line] of cases) it(title, () => assert.equal(said(), line))

  it('of Prometheus that could be stopped and changed', () => {
    const objects = structuredClone(prometheus())
    const pod = objects.find(({ kind }) => kind === 'Pod') as Pod
    pod.spec.containers = [{ name: 'prometheus', args: ['--web.enable-lifecycle', '--web.enable-admin-api'] }]
    assert.match(
      visitorOf('prometheus', objects),
      /could stop it .*; could delete metrics .* the gateway refuses that$/,
    )
  })
})
