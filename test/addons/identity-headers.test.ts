import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { readIdentityHeaders } from '../../src/addons/configuration.ts'
import type { Pod } from '../../src/cluster/objects.ts'
import { STRINGS } from '../fuzz/hostile.ts'
import { addon, configMap, pod, podOf } from './addon-objects.ts'

const NAME = 'GF_AUTH_PROXY_HEADER_NAME'
const USER = 'x-webauth-user'
const ini = (text: string) => [configMap({ 'grafana.ini': `[auth.proxy]\n${text}\n` })]

describe('readIdentityHeaders', () => {
  const cases: [string, Pod[], string, string[]][] = [
    ['a Grafana that says nothing', [pod([{}])], '', [USER]],
    ['no pods', [], 'header_name = X-User', [USER]],
    ['a variable, in any case', [pod([{ [NAME]: 'X-Forwarded-User' }])], '', [USER, 'x-forwarded-user']],
    ['the variable before the file', [pod([{ [NAME]: 'X-A' }])], 'header_name = X-B', [USER, 'x-a']],
    ['the file, also when it is not enabled there', [pod([{}])], 'enabled = false\nheader_name = "X-B"', [USER, 'x-b']],
    ['an argument', [podOf([{ name: 'grafana', args: ['cfg:auth.proxy.header_name=X-C'] }])], '', [USER, 'x-c']],
    ['a name with underscores', [pod([{ [NAME]: 'X_WEBAUTH_USER' }])], '', [USER, 'x_webauth_user']],
    [
      'attributes of the user',
      [pod([{}])],
      'headers = Name:X-Webauth-Name, Role:X-Webauth-Role  Groups:X-WEBAUTH-GROUPS',
      [USER, 'x-webauth-name', 'x-webauth-role', 'x-webauth-groups'],
    ],
    ['several pods', [pod([{ [NAME]: 'X-A' }]), pod([{ [NAME]: 'X-B' }])], '', [USER, 'x-a', 'x-b']],
    ['an expression', [pod([{ [NAME]: '$__file{/x}' }])], '', [USER]],
    ['a name that is none', [pod([{ [NAME]: 'X-A"\r\n: y' }])], '', [USER, 'y']],
    ['the name of the host, which Envoy does not remove', [pod([{ [NAME]: 'Host' }])], '', [USER]],
    ['a pseudo-header', [pod([{ [NAME]: ':authority' }])], '', [USER, 'authority']],
  ]
  for (const [name, pods, text, expected] of cases)
    it(`is ${expected.join(', ')} for ${name}`, () =>
      assert.deepEqual(readIdentityHeaders(addon('grafana'), pods, ini(text)), expected))

  it('is the default where the file cannot be read', () => {
    assert.deepEqual(readIdentityHeaders(addon('grafana'), [pod([{}])], undefined), [USER])
  })

  it('is nothing for an add-on that believes no header', () => {
    for (const name of ['kiali', 'prometheus', 'jaeger', 'zipkin', 'skywalking'])
      assert.deepEqual(readIdentityHeaders(addon(name), [pod([{ [NAME]: 'X-A' }])], ini('')), [])
  })

  it('has only names of headers, and not too many, whatever the configuration says', () => {
    for (const { make, what } of STRINGS) {
      const value = String(make())
      const pods = [pod([{ [NAME]: value, GF_AUTH_PROXY_HEADERS: `A:${value} B:${'x:y '.repeat(50)}` }])]
      const names = readIdentityHeaders(addon('grafana'), pods, ini(`header_name = ${value}`))
      assert.ok(names.length <= 20, what)
      for (const one of names) assert.match(one, /^[!#$%&'*+.^_`|~a-z0-9-]{1,100}$/, what)
    }
  })
})
