/**
 * A headless Chromium that trusts one CA more than its own. Driven over the DevTools protocol: JSON messages, each ended by a NUL, in two
 * pipes. That is all of the protocol that a test needs, and less than the ten packages of puppeteer-core.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { installBrowser } from '../lab/packages.ts'
import type { Workplace } from './mesh.ts'

/** Milliseconds that a page has to show what a test expects. */
const PATIENCE = 20_000

const WINDOW = { width: 1280, height: 900 }

interface Message {
  id?: number
  method?: string
  params?: Record<string, unknown>
  result?: unknown
  error?: { message: string }
}

interface Start {
  /** File with the certificate of the CA; left out: the browser trusts only its own. */
  ca?: string | undefined
  /** Whose hosts are at which address: there is no DNS. */
  hosts: { domain: string; address: string }
}

/** What the page asked for, and the answer. */
export interface Exchange {
  method: string
  url: string
  status: number
}

/** The browser with its one page. */
export class Browser {
  readonly #process: ChildProcess
  readonly #to: Writable
  readonly #waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>()
  #session: string | undefined
  #last = 0
  #credentials: { user: string; password: string } | undefined
  readonly #methods = new Map<string, string>()
  readonly exchanges: Exchange[] = []
  /** Exceptions that the page did not catch. */
  readonly exceptions: string[] = []

  private constructor(child: ChildProcess) {
    this.#process = child
    this.#to = child.stdio[3] as Writable
    let rest = ''
    ;(child.stdio[4] as Readable).setEncoding('utf8').on('data', (text: string) => {
      const messages = (rest + text).split('\0')
      rest = messages.pop() ?? ''
      for (const message of messages) this.#take(JSON.parse(message) as Message)
    })
  }

  /** Installs Chromium when it is missing. Its home is below the workplace's directory. */
  static async start(workplace: Workplace, { ca, hosts }: Start): Promise<Browser> {
    await installBrowser()
    const home = mkdtempSync(join(workplace.directory, 'browser-'))
    if (ca !== undefined) trust(workplace, home, ca)
    const flags = [
      ...['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--remote-debugging-pipe'],
      '--hide-scrollbars',
      // It reports to nobody: whatever it asks for beside the page is not resolved.
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
      `--host-resolver-rules=MAP *.${hosts.domain} ${hosts.address}, MAP * ~NOTFOUND`,
      `--user-data-dir=${join(home, 'profile')}`,
    ]
    const child = spawn('chromium', [...flags, 'about:blank'], {
      env: { ...workplace.environment, HOME: home },
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    })
    const browser = new Browser(child)
    await browser.#attach()
    return browser
  }

  async end(): Promise<void> {
    if (this.#process.exitCode !== null) return
    const ended = once(this.#process, 'exit')
    await Promise.race([this.#send('Browser.close', {}, null), ended])
    await ended
  }

  /** Opens a page. @param credentials typed into the dialog that asks for a password */
  async open(url: string, credentials?: { user: string; password: string }): Promise<void> {
    this.#credentials = credentials
    const { errorText } = (await this.#send('Page.navigate', { url })) as { errorText?: string }
    if (errorText !== undefined) throw new Error(`${url}: ${errorText}`)
  }

  /** The text of the page, as a person reads it. */
  async text(): Promise<string> {
    return String(await this.evaluate('document.body?.innerText ?? ""'))
  }

  /** Waits until the text of the page matches. */
  async shows(wanted: RegExp): Promise<void> {
    for (const deadline = Date.now() + PATIENCE; !wanted.test(await this.text()); await sleep(100)) {
      if (Date.now() > deadline) throw new Error(`the page does not show ${wanted}, but:\n${await this.text()}`)
    }
  }

  /** The value of a JavaScript expression in the page, which must be JSON. */
  async evaluate(expression: string): Promise<unknown> {
    const { result } = (await this.#send('Runtime.evaluate', { expression, returnByValue: true })) as {
      result: { value: unknown }
    }
    return result.value
  }

  /** Clicks what has this text or label, in the middle, as a mouse does. */
  async click(name: string): Promise<void> {
    const where = `(() => {
      const named = (element) => [element.innerText, element.ariaLabel].includes(${JSON.stringify(name)}) && element.checkVisibility()
      const box = [...document.querySelectorAll('button, [role=menuitem], [role=textbox]')].find(named)?.getBoundingClientRect()
      return box && { x: box.x + box.width / 2, y: box.y + box.height / 2 }
    })()`
    const point = await this.#eventually(where, `there is nothing to click with the name ${name}`)
    for (const type of ['mousePressed', 'mouseReleased'])
      await this.#send('Input.dispatchMouseEvent', { type, ...(point as object), button: 'left', clickCount: 1 })
  }

  /** Types into what has the focus. */
  async type(text: string): Promise<void> {
    await this.#send('Input.insertText', { text })
  }

  /** PNG of what the window shows. */
  async screenshot(): Promise<Buffer> {
    const { data } = (await this.#send('Page.captureScreenshot', { format: 'png' })) as { data: string }
    return Buffer.from(data, 'base64')
  }

  /** Waits until an expression has a value. */
  async #eventually(expression: string, otherwise: string): Promise<unknown> {
    for (const deadline = Date.now() + PATIENCE; ; await sleep(100)) {
      const value = await this.evaluate(expression)
      if (value !== undefined) return value
      if (Date.now() > deadline) throw new Error(`${otherwise}; the page shows:\n${await this.text()}`)
    }
  }

  async #attach(): Promise<void> {
    const { targetInfos } = (await this.#send('Target.getTargets', {}, null)) as {
      targetInfos: { type: string; targetId: string }[]
    }
    const page = targetInfos.find(({ type }) => type === 'page')
    const attached = await this.#send('Target.attachToTarget', { targetId: page?.targetId, flatten: true }, null)
    this.#session = (attached as { sessionId: string }).sessionId
    await this.#send('Network.enable')
    await this.#send('Runtime.enable')
    await this.#send('Fetch.enable', { handleAuthRequests: true })
    await this.#send('Emulation.setDeviceMetricsOverride', { ...WINDOW, deviceScaleFactor: 1, mobile: false })
  }

  /** @param session null for the browser itself */
  #send(method: string, params: object = {}, session: string | undefined | null = this.#session): Promise<unknown> {
    const id = ++this.#last
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      const message = { id, method, params, ...(session === null ? {} : { sessionId: session }) }
      this.#to.write(`${JSON.stringify(message)}\0`)
    })
  }

  #take({ id, method = '', params = {}, result, error }: Message): void {
    if (id === undefined) {
      this.#happened(method, params)
      return
    }
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (error === undefined) waiting?.resolve(result)
    else waiting?.reject(new Error(error.message))
  }

  #happened(method: string, params: Record<string, unknown>): void {
    const requestId = String(params.requestId)
    if (method === 'Fetch.requestPaused') this.#forget('Fetch.continueRequest', { requestId })
    if (method === 'Fetch.authRequired') {
      const { user, password } = this.#credentials ?? {}
      const answer =
        user === undefined ? { response: 'CancelAuth' } : { response: 'ProvideCredentials', username: user, password }
      this.#forget('Fetch.continueWithAuth', { requestId, authChallengeResponse: answer })
    }
    if (method === 'Network.requestWillBeSent')
      this.#methods.set(requestId, (params.request as { method: string }).method)
    if (method === 'Network.responseReceived') {
      const { url, status } = params.response as { url: string; status: number }
      this.exchanges.push({ method: this.#methods.get(requestId) ?? '', url, status })
    }
    if (method === 'Runtime.exceptionThrown') this.exceptions.push(JSON.stringify(params.exceptionDetails))
  }

  /** A request that its page has given up is gone by the time of the answer. */
  #forget(method: string, params: object): void {
    this.#send(method, params).catch(() => {})
  }
}

/** Chromium reads the database of the user's own certificates. */
function trust(workplace: Workplace, home: string, ca: string): void {
  const database = join(home, '.pki', 'nssdb')
  mkdirSync(database, { recursive: true })
  const made = ['-N', '--empty-password']
  for (const words of [made, ['-A', '-n', 'test', '-t', 'C,,', '-i', ca]]) {
    const { stderr, exitCode } = workplace.run('certutil', ['-d', `sql:${database}`, ...words])
    if (exitCode !== 0) throw new Error(`certutil: ${stderr}`)
  }
}
