/** Opens pages in the desktop's browser; under WSL in that of Windows. */
import type { Browser } from './browser.ts'
import { findNoBrowser, pageOf } from './browser.ts'

export class DesktopBrowser implements Browser {
  async open(url: string): Promise<string | undefined> {
    const why = findNoBrowser(process.env, process.platform)
    if (why !== undefined) return why
    const page = pageOf(url)
    if (page === undefined) return 'it is not the URL of a web page'
    try {
      const { default: open } = await import('open')
      const child = await open(page)
      child.on('error', () => {})
      return undefined
    } catch (error) {
      return (error as Error).message
    }
  }
}
