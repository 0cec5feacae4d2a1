import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { type AddonAccess, neededConfigMaps, readAccess } from '../../src/addons/configuration.ts'
import type { Container, Pod } from '../../src/cluster/objects.ts'
import { addon, configMap, pod, podOf } from './addon-objects.ts'

const GRAFANA = addon('grafana')
const ENABLED = 'GF_AUTH_ANONYMOUS_ENABLED'
const ROLE = 'GF_AUTH_ANONYMOUS_ORG_ROLE'
const anonymous = (role: string): AddonAccess => ({ kind: 'anonymous', role })
const login: AddonAccess = { kind: 'login' }
const unknown: AddonAccess = { kind: 'unknown' }
/** The file sets nothing. */
const EMPTY = [configMap({ 'grafana.ini': '' })]
const ini = (text: string) => [configMap({ 'grafana.ini': text })]

describe("readAccess, by the pod's environment", () => {
  const cases: [string, Record<string, string>, AddonAccess][] = [
    ["Istio's sample: anyone is Admin", { [ENABLED]: 'true', [ROLE]: 'Admin' }, anonymous('Admin')],
    ['the default role when none is given', { [ENABLED]: 'true' }, anonymous('Viewer')],
    ['1', { [ENABLED]: '1' }, anonymous('Viewer')],
    ['TRUE', { [ENABLED]: 'TRUE' }, anonymous('Viewer')],
    ['yes', { [ENABLED]: 'yes' }, anonymous('Viewer')],
    ['on', { [ENABLED]: 'on' }, anonymous('Viewer')],
    ['blanks around it', { [ENABLED]: ' true ' }, anonymous('Viewer')],
    ['false', { [ENABLED]: 'false', [ROLE]: 'Admin' }, login],
    ['0', { [ENABLED]: '0' }, login],
    ['nothing in it', { [ENABLED]: '' }, login],
    ['only a role', { [ROLE]: 'Admin' }, login],
    ['other variables', { GF_AUTH_BASIC_ENABLED: 'true' }, login],
  ]
  for (const [name, variables, expected] of cases) {
    it(`is ${expected.kind} for ${name}`, () => {
      assert.deepEqual(readAccess(GRAFANA, [pod([variables])], EMPTY), expected)
    })
  }

  it('looks at every container', () => {
    assert.deepEqual(readAccess(GRAFANA, [pod([{}, { [ENABLED]: 'true' }])], EMPTY), anonymous('Viewer'))
  })

  it('wins over the file', () => {
    const file = [configMap({ 'grafana.ini': '[auth.anonymous]\nenabled = true\n' })]
    assert.deepEqual(readAccess(GRAFANA, [pod([{ [ENABLED]: 'false' }])], file), login)
  })

  it('proves nothing alone: the file may have another door', () => {
    assert.deepEqual(readAccess(GRAFANA, [pod([{ [ENABLED]: 'false' }])], undefined), unknown)
    assert.deepEqual(readAccess(GRAFANA, [pod([{ [ENABLED]: 'false' }])], []), unknown)
  })

  it('proves a login when it closes every door', () => {
    const doors = ['AUTH_PROXY_ENABLED', 'AUTH_ANONYMOUS_ENABLED', 'USERS_ALLOW_SIGN_UP', 'SNAPSHOTS_PUBLIC_MODE']
    const closed = Object.fromEntries(doors.map((name) => [`GF_${name}`, 'false']))
    assert.deepEqual(readAccess(GRAFANA, [pod([closed])], undefined), login)
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

  it('reads only the file that is mounted', () => {
    const other = { ...configMap({ 'grafana.ini': '[auth.anonymous]\nenabled = false\n' }) }
    other.metadata = { ...other.metadata, name: 'other' }
    const mounted = configMap({ 'grafana.ini': '[auth.anonymous]\nenabled = true\n' })
    assert.deepEqual(readAccess(GRAFANA, [pod([{}])], [other, mounted]), anonymous('Viewer'))
    assert.deepEqual(readAccess(GRAFANA, [pod([{}])], [other]), unknown)
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

describe('readAccess, where the setting is not readable', () => {
  const off = [configMap({ 'grafana.ini': '[auth.anonymous]\nenabled = false\n' })]
  const containers: [string, Container[]][] = [
    [
      'a variable that comes from somewhere else',
      [{ name: 'grafana', env: [{ name: ENABLED, valueFrom: { secretKeyRef: {} } }] }],
    ],
    ['variables that come in bulk', [{ name: 'grafana', envFrom: [{ secretRef: { name: 'grafana-env' } }] }]],
  ]
  for (const [name, list] of containers) {
    it(`is unknown for ${name}, also if the file has a value`, () => {
      assert.deepEqual(readAccess(GRAFANA, [podOf(list)], off), unknown)
    })
  }

  it('does not look at the variables of a sidecar', () => {
    const list = [{ name: 'sidecar', envFrom: [{}] }, { name: 'grafana' }]
    assert.deepEqual(readAccess(GRAFANA, [podOf(list)], off), login)
  })

  it('uses a variable with a value next to variables in bulk', () => {
    const env = [
      { name: ENABLED, value: 'true' },
      { name: ROLE, value: 'Editor' },
    ]
    const list = [{ name: 'grafana', env, envFrom: [{}] }]
    assert.deepEqual(readAccess(GRAFANA, [podOf(list)], off), anonymous('Editor'))
  })

  it('treats an empty list of bulk variables as none', () => {
    assert.deepEqual(readAccess(GRAFANA, [podOf([{ name: 'grafana', envFrom: [] }])], off), login)
  })

  const MOUNT = { name: 'config', mountPath: '/etc/grafana' }
  const volumes: [string, Container, NonNullable<Pod['spec']['volumes']>, AddonAccess][] = [
    ['a Secret', { name: 'g' }, [{ name: 'config', secret: { secretName: 'grafana-ini' } }], unknown],
    ['an empty directory that an init container fills', { name: 'g' }, [{ name: 'config', emptyDir: {} }], unknown],
    ['nothing: the image has its own', { name: 'g', volumeMounts: [] }, [], unknown],
    [
      'another ConfigMap, over it',
      { name: 'g', volumeMounts: [MOUNT, { name: 'x', mountPath: '/etc/grafana/grafana.ini' }] },
      [
        { name: 'config', configMap: { name: 'grafana' } },
        { name: 'x', configMap: { name: 'x' } },
      ],
      unknown,
    ],
    [
      'a ConfigMap without the key',
      { name: 'g' },
      [{ name: 'config', configMap: { name: 'grafana', items: [{ key: 'a', path: 'b' }] } as object }],
      unknown,
    ],
    [
      'a key with another name',
      { name: 'g' },
      [
        {
          name: 'config',
          configMap: { name: 'grafana', items: [{ key: 'grafana.ini', path: 'grafana.ini' }] } as object,
        },
      ],
      login,
    ],
    [
      'a projected ConfigMap',
      { name: 'g' },
      [{ name: 'config', projected: { sources: [{ configMap: { name: 'grafana' } }] } }],
      login,
    ],
    [
      'a projected Secret',
      { name: 'g' },
      [{ name: 'config', projected: { sources: [{ secret: { name: 'grafana' } }] } }],
      unknown,
    ],
    [
      'one key',
      {
        name: 'g',
        volumeMounts: [{ ...MOUNT, mountPath: '/etc/grafana/grafana.ini', subPath: 'grafana.ini' } as typeof MOUNT],
      },
      [{ name: 'config', configMap: { name: 'grafana' } }],
      login,
    ],
  ]
  for (const [name, container, list, expected] of volumes) {
    it(`is ${expected.kind} when the place of the file is ${name}`, () => {
      assert.deepEqual(readAccess(GRAFANA, [podOf([container], list)], off), expected)
    })
  }

  for (const expression of ['$__env{ANONYMOUS}', '$__file{/etc/secrets/anonymous}']) {
    it(`is unknown for an expression: ${expression}`, () => {
      const file = [configMap({ 'grafana.ini': `[auth.anonymous]\nenabled = ${expression}\n` })]
      assert.deepEqual(readAccess(GRAFANA, [pod([{}])], file), unknown)
    })
  }

  it('says so if only the role is not readable', () => {
    const env = [
      { name: ENABLED, value: 'true' },
      { name: ROLE, valueFrom: { configMapKeyRef: {} } },
    ]
    assert.deepEqual(
      readAccess(GRAFANA, [podOf([{ name: 'grafana', env }])], EMPTY),
      anonymous('a user whose role could not be read'),
    )
  })
})

describe('readAccess of Kiali', () => {
  const KIALI = addon('kiali')
  const everybody = anonymous("a user with Kiali's own rights in the cluster")
  const strategies: [string, string, AddonAccess][] = [
    ['anonymous', 'auth:\n  openid: {}\n  strategy: anonymous\n', everybody],
    ['Anonymous, quoted', 'auth: { strategy: "Anonymous" }\n', everybody],
    ['token', 'auth:\n  strategy: token\n', login],
    ['openid', 'auth:\n  strategy: openid\n', login],
    ['openshift', 'auth:\n  strategy: openshift\n', login],
    ['header, which believes what a proxy sends', 'auth:\n  strategy: header\n', unknown],
    ['a word of a later version', 'auth:\n  strategy: magic\n', unknown],
    ['a key that comes twice', 'auth:\n  strategy: token\n  strategy: anonymous\n', unknown],
    ['an alias', 'x: &x {strategy: anonymous}\nauth: *x\n', unknown],
    ['a merge', 'x: &x {strategy: anonymous}\nauth:\n  <<: *x\n', unknown],
    ['several documents', 'auth:\n  strategy: token\n---\nauth:\n  strategy: anonymous\n', unknown],
    ['a tab', 'auth:\n\tstrategy: anonymous\n', unknown],
    ['a tag', 'auth: !!js/function {strategy: token}\n', login],
    ['Windows line ends', 'auth:\r\n  strategy: token\r\n', login],
    ['a list', 'auth:\n  strategy: [token]\n', unknown],
    ['text that is no YAML', '{', unknown],
    ['a very deep text', '['.repeat(60_000), unknown],
    ['a very deep text of blanks', '- '.repeat(30_000), unknown],
    ['very many anchors', '&a '.repeat(20_000), unknown],
    ['a very long text', `auth:\n  strategy: token\n${'# x\n'.repeat(100_000)}`, unknown],
    [
      'very many keys',
      `${Array.from({ length: 3_000 }, (_, at) => `k${at}: 1`).join('\n')}\nauth: {strategy: token}`,
      login,
    ],
    ['none, which means token', 'auth:\n  openid: {}\n', login],
    ['nothing at all', '', login],
    ['the word in another place', 'auth:\n  strategy: token\nlogin:\n  strategy: anonymous\n', login],
    ['text that is no mapping', 'anonymous', unknown],
  ]
  for (const [name, text, expected] of strategies) {
    it(`is ${expected.kind} for ${name}`, () => {
      assert.deepEqual(readAccess(KIALI, [pod([{}])], [configMap({ 'config.yaml': text })]), expected)
    })
  }

  it('is unknown when its configuration is in no ConfigMap that can be read', () => {
    assert.deepEqual(readAccess(KIALI, [pod([{}])], [configMap({ 'ca.crt': '' })]), unknown)
    assert.deepEqual(readAccess(KIALI, [pod([{}])], undefined), unknown)
    assert.deepEqual(readAccess(KIALI, [], []), unknown)
  })

  it('does not use variables in bulk for a setting without a variable', () => {
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

describe('readAccess of Grafana, through other doors', () => {
  const header = 'any user that a request header names (auth.proxy)'
  const signUp = 'a new user, because anyone may sign up (users.allow_sign_up)'
  const open: [string, Container, string, AddonAccess][] = [
    [
      'the proxy, by a variable',
      { name: 'g', env: [{ name: 'GF_AUTH_PROXY_ENABLED', value: 'true' }] },
      '',
      anonymous(header),
    ],
    ['the proxy, by the file', { name: 'g' }, '[auth.proxy]\nenabled = true\n', anonymous(header)],
    ['the proxy, by an argument', { name: 'g', args: ['cfg:auth.proxy.enabled=true'] }, '', anonymous(header)],
    [
      'the proxy before an anonymous Viewer',
      { name: 'g', args: ['cfg:auth.proxy.enabled=1'] },
      '[auth.anonymous]\nenabled = true\n',
      anonymous(header),
    ],
    [
      'sign-up, by a variable',
      { name: 'g', env: [{ name: 'GF_USERS_ALLOW_SIGN_UP', value: 'true' }] },
      '',
      anonymous(signUp),
    ],
    ['sign-up, by the file', { name: 'g' }, '[users]\nallow_sign_up = true\n', anonymous(signUp)],
    [
      'snapshots',
      { name: 'g' },
      '[snapshots]\npublic_mode = true\n',
      anonymous('a writer of snapshots (snapshots.public_mode)'),
    ],
    [
      'arguments',
      { name: 'g', args: ['cfg:auth.anonymous.enabled=true', 'cfg:auth.anonymous.org_role=Admin'] },
      '',
      anonymous('Admin'),
    ],
    [
      'arguments, against the file',
      { name: 'g', args: ['cfg:auth.anonymous.enabled=false'] },
      '[auth.anonymous]\nenabled = true\n',
      login,
    ],
    [
      'arguments, against a variable',
      {
        name: 'g',
        args: ['cfg:auth.anonymous.enabled=true'],
        env: [
          { name: ENABLED, value: 'false' },
          { name: ROLE, value: 'Editor' },
        ],
      },
      '',
      anonymous('Editor'),
    ],
    [
      'the last of two variables',
      {
        name: 'g',
        env: [
          { name: ENABLED, value: 'false' },
          { name: ENABLED, value: 'true' },
        ],
      },
      '',
      anonymous('Viewer'),
    ],
    ['a weaker argument', { name: 'g', args: ['cfg:default.auth.proxy.enabled=true'] }, '', unknown],
    ['arguments of another form', { name: 'g', args: ['-configOverrides=cfg:auth.proxy.enabled=true'] }, '', unknown],
    [
      'another file, by a variable',
      { name: 'g', env: [{ name: 'GF_PATHS_CONFIG', value: '/etc/other.ini' }] },
      '',
      unknown,
    ],
    [
      'another file, by a variable that is not read',
      { name: 'g', env: [{ name: 'GF_PATHS_CONFIG', valueFrom: {} }] },
      '',
      unknown,
    ],
    ['another file, by an argument', { name: 'g', args: ['--config=/etc/other.ini'] }, '', unknown],
    ['another file, by two arguments', { name: 'g', args: ['-config', '/etc/other.ini'] }, '', unknown],
    ['the same file, by an argument', { name: 'g', args: ['--config=/etc/grafana/../grafana/grafana.ini'] }, '', login],
    ['a shell', { name: 'g', command: ['sh', '-c', 'export GF_AUTH_PROXY_ENABLED=true; /run.sh'] }, '', unknown],
    [
      'its own program with its file',
      { name: 'g', command: ['grafana', 'server', '--config=/etc/grafana/grafana.ini'] },
      '',
      login,
    ],
    [
      'its own program, with a file of its choice',
      { name: 'g', command: ['/usr/share/grafana/bin/grafana-server'] },
      '',
      unknown,
    ],
    [
      'a variable of a file',
      { name: 'g', env: [{ name: 'GF_AUTH_PROXY_ENABLED__FILE', value: '/run/x' }] },
      '',
      unknown,
    ],
    [
      'a variable with a variable',
      { name: 'g', env: [{ name: 'GF_AUTH_PROXY_ENABLED', value: '$(ON)' }] },
      '',
      unknown,
    ],
    ['a value of several lines', { name: 'g' }, '[x]\ny = """\n[auth.proxy]\nenabled = true"""\n', unknown],
    ['a line that goes on', { name: 'g' }, '[auth.proxy]\nenabled = true\nx = \\\nenabled = false\n', unknown],
    ['a quoted key', { name: 'g' }, '[auth.proxy]\n"enabled" = true\n', anonymous(header)],
    ['an expression', { name: 'g' }, '[auth.proxy]\nenabled = %(x)s\n', unknown],
    [
      'a line of a million blanks',
      { name: 'g' },
      `[auth.proxy]\na${' '.repeat(200_000)}b\nenabled = true\n`,
      anonymous(header),
    ],
    ['a file that is too long to read', { name: 'g' }, '# x\n'.repeat(100_000), unknown],
  ]
  for (const [title, container, text, expected] of open) {
    it(`is ${expected.kind} with ${title}`, () => {
      assert.deepEqual(readAccess(GRAFANA, [podOf([container])], ini(text)), expected)
    })
  }

  it('takes the container with the port of the add-on', () => {
    const env = [{ name: ENABLED, value: 'true' }]
    const [sidecar, main] = [
      { name: 'grafana', env: [] },
      { name: 'main', env, ports: [{ containerPort: 3000 }] },
    ]
    assert.deepEqual(readAccess(GRAFANA, [podOf([sidecar, main])], EMPTY), anonymous('Viewer'))
  })

  it('counts the most open of several pods', () => {
    const [closed, open] = [pod([{}]), pod([{ [ENABLED]: 'true', [ROLE]: 'Admin' }])]
    assert.deepEqual(readAccess(GRAFANA, [closed, open], EMPTY), anonymous('Admin'))
    assert.deepEqual(readAccess(GRAFANA, [closed, podOf([{ name: 'grafana', volumeMounts: [] }])], EMPTY), unknown)
    assert.deepEqual(readAccess(GRAFANA, [closed, closed], EMPTY), login)
  })
})

describe('neededConfigMaps', () => {
  const admin = {
    name: 'g',
    env: [
      { name: ENABLED, value: 'true' },
      { name: ROLE, value: 'Admin' },
    ],
  }
  const cases: [string, string, Container, string[]][] = [
    ['anyone is Admin', 'grafana', admin, []],
    ['anyone is something else', 'grafana', { name: 'g', env: [{ name: ENABLED, value: 'true' }] }, ['grafana']],
    ['one door is closed', 'grafana', { name: 'g', env: [{ name: ENABLED, value: 'false' }] }, ['grafana']],
    ['the file is in no ConfigMap', 'grafana', { name: 'g', volumeMounts: [] }, []],
    ['the setting has no variable', 'kiali', { name: 'k', env: [{ name: 'X', value: 'y' }] }, ['grafana']],
    ['the path has a variable', 'jaeger', { name: 'j', env: [{ name: 'QUERY_BASE_PATH', value: '/x' }] }, []],
    ['the path has no variable', 'jaeger', { name: 'j' }, ['grafana']],
    ['nothing depends on configuration', 'prometheus', { name: 'p' }, []],
  ]
  for (const [name, title, container, expected] of cases) {
    it(`is ${JSON.stringify(expected)} for ${title} when ${name}`, () => {
      assert.deepEqual(neededConfigMaps(addon(title), [podOf([container]), podOf([container])]), expected)
    })
  }
})
