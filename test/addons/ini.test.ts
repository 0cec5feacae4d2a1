import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { iniSetting } from '../../src/addons/ini.ts'

const inSection = (line: string) => `[auth.anonymous]\n${line}\n`

describe('iniSetting', () => {
  const values: [string, string, string | undefined][] = [
    ['a value', 'enabled = true', 'true'],
    ['a value behind a colon', 'enabled: true', 'true'],
    ['a value behind a colon and blanks', 'enabled  :\ttrue', 'true'],
    ['an equals sign in the value', 'enabled = a=b:c', 'a=b:c'],
    ['a colon in the value', 'enabled: a:b=c', 'a:b=c'],
    ['a comment behind the value', 'enabled = true ; who may come in', 'true'],
    ['a comment of the other kind', 'enabled = true # who may come in', 'true'],
    ['a comment behind a tab', 'enabled = true\t# who', 'true'],
    ['double quotes', 'enabled = "true"', 'true'],
    ['single quotes', "enabled = 'true'", 'true'],
    ['a comment behind quotes', 'enabled = "true" ; who', 'true'],
    ['blanks within quotes', 'enabled = " true "', ' true '],
    ['empty quotes', 'enabled = ""', ''],
    ['a quote that is not closed', 'enabled = "true', '"true'],
    ['nothing', 'enabled =', ''],
    ['Windows line ends', 'enabled = true\r', 'true'],
    ['a setting of one letter', 'x = y', undefined],
    ['a setting whose name begins with the wanted name', 'enabled_too = true', undefined],
    ['a setting whose name ends with the wanted name', 'not_enabled = true', undefined],
    ['our name in other letters', 'Enabled = true', undefined],
    ['a comment', '; enabled = true', undefined],
    ['a comment of the other kind, without a blank', '#enabled = true', undefined],
    ['a line that sets nothing', 'enabled', undefined],
  ]
  for (const [name, line, expected] of values) {
    it(`reads ${JSON.stringify(expected)} from ${name}: ${JSON.stringify(line)}`, () => {
      assert.deepEqual(iniSetting(inSection(line), ['auth.anonymous', 'enabled']), { value: expected })
    })
  }

  const files: [string, string, string | undefined][] = [
    ['a header with a comment', '[auth.anonymous] # who\nenabled = true', 'true'],
    ['a header with a comment that has brackets', '[auth.anonymous] ; see [auth]\nenabled = true', 'true'],
    ['an indented header', '  [auth.anonymous]\n  enabled = true', 'true'],
    ['the last of several', '[auth.anonymous]\nenabled = true\nenabled = false', 'false'],
    ['a section that comes twice', '[auth.anonymous]\nenabled = true\n[x]\n[auth.anonymous]\nother = 1', 'true'],
    ['another section', '[auth]\nenabled = true', undefined],
    ['a section that only begins with the wanted name', '[auth.anonymous.x]\nenabled = true', undefined],
    ['a section that is commented out', ';[auth.anonymous]\nenabled = true', undefined],
    ['a line before any section', 'enabled = true\n[auth.anonymous]', undefined],
    ['a section that has ended', '[auth.anonymous]\n[server]\nenabled = true', undefined],
    ['an empty file', '', undefined],
  ]
  for (const [name, text, expected] of files) {
    it(`finds ${JSON.stringify(expected)} by ${name}`, () => {
      assert.deepEqual(iniSetting(text, ['auth.anonymous', 'enabled']), { value: expected })
    })
  }

  const unclear = [
    'enabled = `true`',
    'x = \\\nenabled = true',
    'x = """\nenabled = true\n"""',
    'enabled = $' + '{ON}',
    'enabled = a$__env{ON}',
    'enabled = %(x)s',
  ]
  for (const lines of unclear)
    it(`does not read ${JSON.stringify(lines)}`, () =>
      assert.equal(iniSetting(inSection(lines), ['auth.anonymous', 'enabled']), 'hidden'))

  it('reads a setting of one letter', () => assert.deepEqual(iniSetting('[a]\nx=1', ['a', 'x']), { value: '1' }))
})
