/** Interface to the user's browser. */

export interface Browser {
  /** Opens a page. @returns why that is impossible, otherwise undefined */
  open(url: string): Promise<string | undefined>
}

/**
 * Why the user could not see a browser that is started on this machine. $BROWSER overrides this (remote editors set it).
 * @param platform Node's name: `linux`
 * @returns undefined if a browser can be started
 */
export function findNoBrowser(environment: NodeJS.ProcessEnv, platform: NodeJS.Platform): string | undefined {
  const set = (...names: string[]) => names.some((name) => environment[name])
  if (set('BROWSER')) return undefined
  if (set('SSH_CONNECTION', 'SSH_CLIENT', 'SSH_TTY')) return 'this is an SSH session'
  const desktop = platform !== 'linux' || set('DISPLAY', 'WAYLAND_DISPLAY', 'WSL_DISTRO_NAME')
  return desktop ? undefined : 'this machine has no display'
}

/**
 * The URL of a web page as a browser gets it: percent-encoded, because PowerShell takes U+2018 to U+201B for quotes. `undefined` for other
 * schemes, which start other programs.
 */
export function pageOf(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  return url !== undefined && ['http:', 'https:'].includes(url.protocol) ? url.href : undefined
}
