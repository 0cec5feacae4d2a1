import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { type AddonAccess, environmentDecides, mountedConfigMaps, readAccess } from '../../src/addons/access.ts'
import { addon, configMap, pod } from './addon-objects.ts'

const GRAFANA = addon('grafana')
const ENABLED = 'GF_AUTH_ANONYMOUS_ENABLED'
const ROLE = 'GF_AUTH_ANONYMOUS_ORG_ROLE'
const anonymous = (role: string): AddonAccess => ({ kind: 'anonymous', role })
const login: AddonAccess = { kind: 'login' }
const unknown: AddonAccess = { kind: 'unknown' }

describe("readAccess, by the pod's environment", () => {
  const cases: [string, Record<string, string>, AddonAccess][] = [
    ["Istio's sample: anybody is Admin", { [ENABLED]: 'true', [ROLE]: 'Admin' }, anonymous('Admin')],
    ['the default role when none is given', { [ENABLED]: 'true' }, anonymous('Viewer')],
    ['1', { [ENABLED]: '1' }, anonymous('Viewer')],
    ['TRUE', { [ENABLED]: 'TRUE' }, anonymous('Viewer')],
    ['yes', { [ENABLED]: 'yes' }, anonymous('Viewer')],
    ['on', { [ENABLED]: 'on' }, anonymous('Viewer')],
    ['blanks around it', { [ENABLED]: ' true ' }, anonymous('Viewer')],
    ['false', { [ENABLED]: 'false', [ROLE]: 'Admin' }, login],
    ['0', { [ENABLED]: '0' }, login],
    ['nothing in it', { [ENABLED]: '' }, login],
    ['a role alone', { [ROLE]: 'Admin' }, login],
    ['other variables', { GF_AUTH_BASIC_ENABLED: 'true' }, login],
  ]
  for (const [name, variables, expected] of cases) {
    it(`is ${expected.kind} for ${name}`, () => {
      assert.deepEqual(readAccess(GRAFANA, [pod([variables])], []), expected)
    })
  }

  it('looks at every container', () => {
    assert.deepEqual(readAccess(GRAFANA, [pod([{}, { [ENABLED]: 'true' }])], []), anonymous('Viewer'))
  })

  it('wins over the file', () => {
    const file = [configMap({ 'grafana.ini': '[auth.anonymous]\nenabled = true\n' })]
    assert.deepEqual(readAccess(GRAFANA, [pod([{ [ENABLED]: 'false' }])], file), login)
  })

  it('does not need the ConfigMaps', () => {
    assert.deepEqual(readAccess(GRAFANA, [pod([{ [ENABLED]: 'false' }])], undefined), login)
  })
})

describe('readAccess, by grafana.ini', () => {
  const cases: [string, string, AddonAccess][] = [
    ['anonymous access', '[auth.anonymous]\nenabled = true\norg_role = Editor\n', anonymous('Editor')],
    ['the default role', '[auth.anonymous]\nenabled = true\n', anonymous('Viewer')],
    ['no blanks', '[auth.anonymous]\nenabled=true\norg_role=Admin', anonymous('Admin')],
    [
      'blanks, tabs and Windows line ends',
      '[ auth.anonymous ]\r\n\tenabled   =   true  \r\n  org_role = Admin\r\n',
      anonymous('Admin'),
    ],
    [
      'other sections around it',
      '[auth]\nenabled = false\n[auth.anonymous]\nenabled = true\n[auth.basic]\nenabled = false\norg_role = Admin\n',
      anonymous('Viewer'),
    ],
    ['the last of two values', '[auth.anonymous]\nenabled = false\nenabled = true\n', anonymous('Viewer')],
    [
      'a section that comes twice',
      '[auth.anonymous]\norg_role = Admin\n[server]\nx = y\n[auth.anonymous]\nenabled = true\n',
      anonymous('Admin'),
    ],
    [
      'comments around it',
      '# who\n[auth.anonymous]\n; enabled = false\nenabled = true\n# org_role = Admin\n',
      anonymous('Viewer'),
    ],
    ['a setting that is a comment', '[auth.anonymous]\n;enabled = true\n# enabled = true\n', login],
    ['the setting of another section', '[auth.basic]\nenabled = true\n[auth.anonymous]\norg_role = Admin\n', login],
    ['the setting before any section', 'enabled = true\n', login],
    ['anonymous access switched off', '[auth.anonymous]\nenabled = false\norg_role = Admin\n', login],
    ['an empty setting', '[auth.anonymous]\nenabled =\n', login],
    ['an empty file', '', login],
  ]
  for (const [name, ini, expected] of cases) {
    it(`is ${expected.kind} for ${name}`, () => {
      assert.deepEqual(readAccess(GRAFANA, [pod([{}])], [configMap({ 'grafana.ini': ini })]), expected)
    })
  }

  it('reads the file of that name in whichever ConfigMap has the setting', () => {
    const maps = [
      configMap({ 'dashboards.ini': '[auth.anonymous]\nenabled = false\n' }),
      configMap({ 'grafana.ini': '[server]\nroot_url = /\n' }),
      configMap({ 'grafana.ini': '[auth.anonymous]\nenabled = true\n' }),
    ]
    assert.deepEqual(readAccess(GRAFANA, [pod([{}])], maps), anonymous('Viewer'))
    assert.deepEqual(readAccess(GRAFANA, [pod([{}])], maps.slice(0, 2)), login)
  })

  it("takes the environment's role when only the file switches it on", () => {
    const maps = [configMap({ 'grafana.ini': '[auth.anonymous]\nenabled = true\norg_role = Viewer\n' })]
    assert.deepEqual(readAccess(GRAFANA, [pod([{ [ROLE]: 'Admin' }])], maps), anonymous('Admin'))
  })

  it('is unknown when ConfigMaps could not be read', () => {
    assert.deepEqual(readAccess(GRAFANA, [pod([{}])], undefined), unknown)
  })

  it('is unknown without pods', () => {
    const maps = [configMap({ 'grafana.ini': '[auth.anonymous]\nenabled = false\n' })]
    assert.deepEqual(readAccess(GRAFANA, [], maps), unknown)
  })
})

describe('environmentDecides', () => {
  it('is true when any container sets the switch, and false for the role alone', () => {
    assert.equal(environmentDecides(GRAFANA, pod([{}, { [ENABLED]: 'false' }])), true)
    assert.equal(environmentDecides(GRAFANA, pod([{ [ROLE]: 'Admin' }])), false)
    assert.equal(environmentDecides(GRAFANA, pod([])), false)
  })
})

describe('mountedConfigMaps', () => {
  it('lists ConfigMaps and no other volumes', () => {
    const volumes = [
      { name: 'config', configMap: { name: 'grafana' } },
      { name: 'storage' },
      { name: 'nameless', configMap: {} },
      { name: 'dashboards', configMap: { name: 'istio-grafana-dashboards' } },
    ]
    assert.deepEqual(mountedConfigMaps(pod([{}], volumes)), ['grafana', 'istio-grafana-dashboards'])
  })

  it('is empty for a pod without volumes', () => {
    const { volumes, ...spec } = pod([{}]).spec
    assert.deepEqual(volumes, [])
    assert.deepEqual(mountedConfigMaps({ ...pod([{}]), spec }), [])
  })
})
