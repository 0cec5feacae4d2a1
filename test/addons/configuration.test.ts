import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { type AddonAccess, mountedConfigMaps, needsConfigMaps, readAccess } from '../../src/addons/configuration.ts'
import type { Container, Pod } from '../../src/cluster/objects.ts'
import { addon, configMap, pod, podOf } from './addon-objects.ts'

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

describe('readAccess, where the setting is out of sight', () => {
  const off = [configMap({ 'grafana.ini': '[auth.anonymous]\nenabled = false\n' })]
  const containers: [string, Container[]][] = [
    [
      'a variable that comes from somewhere else',
      [{ name: 'grafana', env: [{ name: ENABLED, valueFrom: { secretKeyRef: {} } }] }],
    ],
    ['variables that come in bulk', [{ name: 'grafana', envFrom: [{ secretRef: { name: 'grafana-env' } }] }]],
    ['variables in bulk of another container', [{ name: 'sidecar', envFrom: [{}] }, { name: 'grafana' }]],
  ]
  for (const [name, list] of containers) {
    it(`is unknown for ${name}, whatever the file says`, () => {
      assert.deepEqual(readAccess(GRAFANA, [podOf(list)], off), unknown)
    })
  }

  it('believes a variable that is spelled out beside others that come in bulk', () => {
    const list = [{ name: 'grafana', env: [{ name: ENABLED, value: 'true' }], envFrom: [{}] }]
    assert.deepEqual(readAccess(GRAFANA, [podOf(list)], off), anonymous('Viewer'))
  })

  it('takes an empty list of bulk variables for none', () => {
    assert.deepEqual(readAccess(GRAFANA, [podOf([{ name: 'grafana', envFrom: [] }])], off), login)
  })

  const volumes: [string, NonNullable<Pod['spec']['volumes']>, AddonAccess][] = [
    ['a Secret', [{ name: 'config', secret: { secretName: 'grafana-ini' } }], unknown],
    ['a projected volume', [{ name: 'config', projected: { sources: [] } }], unknown],
    ["the service account's token alone", [{ name: 'kube-api-access-x7k2p', projected: { sources: [] } }], login],
    ['neither', [{ name: 'storage' }, { name: 'config', configMap: { name: 'grafana' } }], login],
  ]
  for (const [name, list, expected] of volumes) {
    it(`is ${expected.kind} without the file in a ConfigMap, when the pod mounts ${name}`, () => {
      assert.deepEqual(readAccess(GRAFANA, [podOf([{ name: 'grafana' }], list)], [configMap({ other: '' })]), expected)
    })
  }

  it('goes by the file in a ConfigMap, though the pod mounts a Secret too', () => {
    const mounted = podOf([{ name: 'grafana' }], [{ name: 'admin', secret: { secretName: 'grafana-admin' } }])
    assert.deepEqual(readAccess(GRAFANA, [mounted], off), login)
  })

  for (const expression of ['$__env{ANONYMOUS}', '$__file{/etc/secrets/anonymous}']) {
    it(`is unknown for an expression: ${expression}`, () => {
      const file = [configMap({ 'grafana.ini': `[auth.anonymous]\nenabled = ${expression}\n` })]
      assert.deepEqual(readAccess(GRAFANA, [pod([{}])], file), unknown)
    })
  }

  it('names the default role where the role alone is out of sight', () => {
    const env = [
      { name: ENABLED, value: 'true' },
      { name: ROLE, valueFrom: { configMapKeyRef: {} } },
    ]
    assert.deepEqual(readAccess(GRAFANA, [podOf([{ name: 'grafana', env }])], []), anonymous('Viewer'))
  })
})

describe('readAccess of Kiali', () => {
  const KIALI = addon('kiali')
  const everybody = anonymous("somebody with Kiali's own rights in the cluster")
  const strategies: [string, string, AddonAccess][] = [
    ['anonymous', 'auth:\n  openid: {}\n  strategy: anonymous\n', everybody],
    ['Anonymous, quoted', 'auth: { strategy: "Anonymous" }\n', everybody],
    ['token', 'auth:\n  strategy: token\n', login],
    ['openid', 'auth:\n  strategy: openid\n', login],
    ['openshift', 'auth:\n  strategy: openshift\n', login],
    ['header', 'auth:\n  strategy: header\n', login],
    ['none, which means token', 'auth:\n  openid: {}\n', login],
    ['nothing at all', '', login],
    ['the word in another place', 'auth:\n  strategy: token\nlogin:\n  strategy: anonymous\n', login],
    ['text that is no mapping', 'anonymous', login],
  ]
  for (const [name, text, expected] of strategies) {
    it(`is ${expected.kind} for ${name}`, () => {
      assert.deepEqual(readAccess(KIALI, [pod([{}])], [configMap({ 'config.yaml': text })]), expected)
    })
  }

  it('is unknown when its configuration is in none of the ConfigMaps, since it mounts Secrets', () => {
    const mounted = podOf([{ name: 'kiali' }], [{ name: 'kiali-secret', secret: {} }])
    assert.deepEqual(readAccess(KIALI, [mounted], [configMap({ 'ca.crt': '' })]), unknown)
    assert.deepEqual(readAccess(KIALI, [mounted], undefined), unknown)
    assert.deepEqual(readAccess(KIALI, [], []), unknown)
  })

  it('does not take variables in bulk for a setting that has no variable', () => {
    const list = [{ name: 'kiali', envFrom: [{}] }]
    assert.deepEqual(readAccess(KIALI, [podOf(list)], [configMap({ 'config.yaml': 'auth: {strategy: token}' })]), login)
  })
})

describe('readAccess of add-ons without a login of their own', () => {
  const roles: [string, string][] = [
    ['prometheus', 'a reader of every metric'],
    ['jaeger', 'a reader of every trace'],
    ['zipkin', 'a reader of every trace'],
    ['skywalking', 'a reader of every trace'],
  ]
  for (const [title, role] of roles) {
    it(`is anonymous by nature for ${title}, though neither pods nor ConfigMaps could be read`, () => {
      assert.deepEqual(readAccess(addon(title), [], undefined), anonymous(role))
    })
  }
})

describe('needsConfigMaps', () => {
  const cases: [string, string, Container[], boolean][] = [
    [
      'the switch is in any container',
      'grafana',
      [{ name: 'a' }, { name: 'b', env: [{ name: ENABLED, value: 'false' }] }],
      false,
    ],
    ['the switch comes from a Secret', 'grafana', [{ name: 'a', env: [{ name: ENABLED, valueFrom: {} }] }], false],
    ['the role alone is there', 'grafana', [{ name: 'a', env: [{ name: ROLE, value: 'Admin' }] }], true],
    ['no variable is there', 'grafana', [], true],
    ['the setting has no variable', 'kiali', [{ name: 'a', env: [{ name: 'X', value: 'y' }] }], true],
    [
      'the path has a variable and it is there',
      'jaeger',
      [{ name: 'a', env: [{ name: 'QUERY_BASE_PATH', value: '/x' }] }],
      false,
    ],
    ['the path has a variable and it is not there', 'jaeger', [{ name: 'a' }], true],
    ['nothing depends on configuration', 'prometheus', [], false],
  ]
  for (const [name, title, containers, expected] of cases) {
    it(`is ${expected} for ${title} when ${name}`, () => {
      assert.equal(needsConfigMaps(addon(title), podOf(containers)), expected)
    })
  }
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
