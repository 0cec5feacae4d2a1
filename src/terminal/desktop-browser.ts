/** The real browser, also the one of Windows around a WSL. */
import type { Browser } from './browser.ts'
import { findNoBrowser } from './browser.ts'

export class DesktopBrowser implements Browser {
  async open(url: string): Promise<string | undefined> {
    const why = findNoBrowser(process.env, process.platform)
    if (why !== undefined) return why
    try {
      const { default: open } = await import('open')
      const child = await open(url)
      child.on('error', () => {})
      return undefined
    } catch (error) {
      return (error as Error).message
    }
  }
}
