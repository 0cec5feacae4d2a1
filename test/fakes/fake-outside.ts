/** A disk and web servers in memory. */
import type { Web, WebAnswer } from '../../src/installing/source/download.ts'
import type { Disk, Outside } from '../../src/installing/source/source.ts'

export class FakeDisk implements Disk {
  /** Content by path. A path that is the beginning of another one is a directory. */
  readonly files = new Map<string, string | Uint8Array>()

  async read(path: string, largest: number): Promise<'directory' | Uint8Array | undefined> {
    const content = this.files.get(path)
    if (content !== undefined) return Buffer.from(content).subarray(0, largest + 1)
    return [...this.files.keys()].some((file) => file.startsWith(`${path}/`)) ? 'directory' : undefined
  }

  within(directory: string, file: string): string {
    return `${directory}/${file}`
  }
}

export class FakeWeb implements Web {
  /** What a server answers, by URL; everything else is 404. An Error is no answer. */
  readonly pages = new Map<string, string | Uint8Array | Partial<WebAnswer> | Error>()
  readonly requests: string[] = []
  /** Called for each request: time passes. */
  passing: () => void = () => undefined

  async get({ href }: URL, { largest }: { largest: number }): Promise<WebAnswer> {
    this.requests.push(href)
    this.passing()
    const page = this.pages.get(href)
    if (page instanceof Error) throw page
    if (page === undefined) return { status: 404, body: Buffer.from('not here') }
    if (typeof page !== 'string' && !(page instanceof Uint8Array))
      return { status: 200, body: new Uint8Array(), ...page }
    return { status: 200, type: 'text/plain; charset=utf-8', body: Buffer.from(page).subarray(0, largest + 1) }
  }

  /** Redirects each URL to the next one. */
  redirect(...urls: string[]): void {
    for (const [index, location] of urls.slice(1).entries())
      this.pages.set(urls[index] ?? '', { status: 302, location })
  }
}

export const RELEASES = 'https://releases.example/istio/'

export function fakeOutside(): Outside & { disk: FakeDisk; web: FakeWeb } {
  return { disk: new FakeDisk(), web: new FakeWeb(), releases: RELEASES }
}
