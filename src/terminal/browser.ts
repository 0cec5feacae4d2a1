/** The browser of the person at the keyboard, if it is on this machine. */

export interface Browser {
  /** @returns why there is none to open the page in, else undefined */
  open(url: string): Promise<string | undefined>
}

/**
 * Why a browser that was started here would be seen by nobody, if so. Whoever set $BROWSER knows better (remote editors do).
 * @param platform in Node's words: `linux`
 */
export function findNoBrowser(environment: NodeJS.ProcessEnv, platform: NodeJS.Platform): string | undefined {
  const set = (...names: string[]) => names.some((name) => environment[name])
  if (set('BROWSER')) return undefined
  if (set('SSH_CONNECTION', 'SSH_CLIENT', 'SSH_TTY')) return 'this is an SSH session'
  const desktop = platform !== 'linux' || set('DISPLAY', 'WAYLAND_DISPLAY', 'WSL_DISTRO_NAME')
  return desktop ? undefined : 'this machine has no display'
}
