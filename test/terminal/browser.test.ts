import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { findNoBrowser } from '../../src/terminal/browser.ts'

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
    ['a remote editor with a way of its own', { SSH_TTY: '/dev/pts/1', BROWSER: '/opt/open' }, 'linux', undefined],
  ]
  for (const [name, environment, platform, why] of cases) {
    it(`knows ${name}`, () => assert.equal(findNoBrowser(environment, platform), why))
  }
})
