/** Tells what happens to a local port, in order, each time with its URL. */
import type { ForwardedPage } from './forwards.ts'

/** One line of `-o json`. */
export interface ForwardEvent {
  event: 'listening' | 'connected' | 'waiting' | 'lost' | 'closed'
  addon: string
  /** The Service. */
  namespace: string
  service: string
  url: string
  pod?: string
  reason?: string
}

type EventDetails = Omit<ForwardEvent, 'addon' | 'namespace' | 'service' | 'url'>

export interface EventReporterOptions {
  forward: { name: string; namespace: string; service: string }
  urlOf(page: ForwardedPage): string
  tell(event: ForwardEvent): void
}

/** Holds events back until the page is known, and while it is asked which scheme it speaks. */
export class EventReporter {
  readonly #options: EventReporterOptions
  readonly #held: EventDetails[] = [{ event: 'listening' }]
  #page: ForwardedPage | undefined
  #asking = false

  constructor(options: EventReporterOptions) {
    this.#options = options
  }

  report(event: EventDetails): void {
    this.#held.push(event)
    this.#tell()
  }

  /** Whether its URL begins with `https:`. */
  get isSecure(): boolean {
    return this.#page?.secure === true
  }

  setPage(page: ForwardedPage): void {
    this.#page = page
    this.#tell()
  }

  /** The port serves HTTPS, whatever was known before. @returns its URL, if its page is known */
  setSecure(): string | undefined {
    this.#page &&= { ...this.#page, secure: true }
    return this.#page && this.#options.urlOf(this.#page)
  }

  /** Events wait for the answer. */
  async waitFor(secure: Promise<boolean>): Promise<void> {
    this.#asking = true
    if (await secure) this.setSecure()
    this.#asking = false
    this.#tell()
  }

  /** Nothing comes after it. */
  close(): void {
    this.#asking = false
    this.report({ event: 'closed' })
  }

  #tell(): void {
    const { forward, urlOf, tell } = this.#options
    const { name: addon, namespace, service } = forward
    while (this.#page !== undefined && !this.#asking) {
      const event = this.#held.shift()
      if (event === undefined) return
      tell({ ...event, addon, namespace, service, url: urlOf(this.#page) })
    }
  }
}
