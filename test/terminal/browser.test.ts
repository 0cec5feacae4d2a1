import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { findNoBrowser, pageOf } from '../../src/terminal/browser.ts'

describe('findNoBrowser', () => {
  const cases: [string, NodeJS.ProcessEnv, NodeJS.Platform, string | undefined][] = [
    ['an X display', { DISPLAY: ':0' }, 'linux', undefined],
    ['Wayland', { WAYLAND_DISPLAY: 'wayland-0' }, 'linux', undefined],
    ['a WSL', { WSL_DISTRO_NAME: 'Debian' }, 'linux', undefined],
    ['a Mac', {}, 'darwin', undefined],
    ['Windows', {}, 'win32', undefined],
    ['a server', {}, 'linux', 'this machine has no display'],
    ['an empty DISPLAY', { DISPLAY: '' }, 'linux', 'this machine has no display'],
    ['SSH', { SSH_CONNECTION: '192.0.2.1 1 192.0.2.2 22' }, 'linux', 'this is an SSH session'],
    ['SSH with X forwarded', { SSH_TTY: '/dev/pts/1', DISPLAY: 'localhost:10.0' }, 'linux', 'this is an SSH session'],
    ['SSH to a Mac', { SSH_CLIENT: '192.0.2.1 1 22' }, 'darwin', 'this is an SSH session'],
    ['a remote editor that sets $BROWSER', { SSH_TTY: '/dev/pts/1', BROWSER: '/opt/open' }, 'linux', undefined],
  ]
  for (const [name, environment, platform, why] of cases) {
    it(`decides for ${name}`, () => assert.equal(findNoBrowser(environment, platform), why))
  }
})

describe('pageOf', () => {
  it('has none of the characters that PowerShell takes for quotes', () => {
    const page = pageOf("http://localhost:1/x’; calc; ‘'‚‛?a=’#’")
    assert.match(page ?? '', /^http:\/\/localhost:1\/x%E2%80%99;%20calc;%20%E2%80%98/)
    assert.doesNotMatch(page ?? '', /[\u2018-\u201b]/)
  })

  for (const text of ['file:///etc/passwd', 'ms-settings:', 'javascript:alert(1)', 'calc', '', '-e'])
    it(`is no page: ${JSON.stringify(text)}`, () => assert.equal(pageOf(text), undefined))
})
