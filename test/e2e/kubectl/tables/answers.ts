/** What the API server answers: redirects, failures, compression. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import type { Row } from '../comparing.ts'
import { authority, kubeconfig } from '../rows.ts'
import type { World } from '../world.ts'

const ELSEWHERE = 'kubectl sends the credentials to any server that the first one names, even without TLS'

interface Front {
  asked: IncomingMessage
  answer: ServerResponse
  world: World
  /** Ports of this server, and of another API server. */
  own: number
  other: number
}

/** A server in front, whose requests are ways. */
function answers(name: string, act: (front: Front) => void, { scheme = 'https', user = {} } = {}): Row {
  return {
    name: `an API server that answers ${name}`,
    async prepare(world) {
      const other = await world.api()
      const own: number = await world.serve({
        request: (asked, answer) => {
          world.ways.add(`front: ${asked.headers.authorization ?? 'nobody'}`)
          answer.shouldKeepAlive = false
          act({ asked, answer, world, own, other })
        },
      })
      const server = `${scheme}://127.0.0.1:${own}`
      const config = kubeconfig(world, server, {
        cluster: { server, ...authority(world) },
        user: { token: 'secret', ...user },
      })
      return { config }
    },
  }
}

const status = (code: number) =>
  JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, message: 'the test says no' })

/** To another path, which refuses. */
const moved =
  (code: number, where: (path: string) => string) =>
  ({ asked, answer, world }: Front) => {
    const { url = '' } = asked
    if (!url.includes('moved')) {
      answer.writeHead(code, { location: where(url) }).end()
      return
    }
    world.ways.add(`moved, ${asked.headers.authorization ?? 'nobody'}`)
    answer.writeHead(403).end(status(403))
  }

const elsewhere = (name: string, where: (ports: Front) => string, scheme?: string): Row =>
  answers(
    `a redirect to ${name}`,
    (front) => front.answer.writeHead(302, { location: where(front) + front.asked.url }).end(),
    scheme === undefined ? {} : { scheme },
  )

const redirects: Row[] = [
  ...[300, 301, 303, 304, 308].map((code) =>
    answers(
      `${code} to another path`,
      moved(code, (path) => `/moved${path}`),
    ),
  ),
  answers(
    '302 to a relative path',
    moved(302, () => 'moved'),
  ),
  answers('302 to its whole URL', (front) =>
    moved(302, (path) => `https://127.0.0.1:${front.own}/moved${path}`)(front),
  ),
  answers('302 without a place', ({ answer }) => answer.writeHead(302).end()),
  answers('302 to a place that is no URL', ({ answer }) => answer.writeHead(302, { location: 'http://[' }).end()),
  answers('302 without an end', ({ asked, answer }) => answer.writeHead(302, { location: asked.url }).end()),
  { ...elsewhere('another port', ({ other }) => `https://127.0.0.1:${other}`), differs: ELSEWHERE },
  { ...elsewhere('another name', ({ other }) => `https://localhost:${other}`), differs: ELSEWHERE },
  { ...elsewhere('http', ({ other }) => `http://127.0.0.1:${other}`), differs: ELSEWHERE },
  {
    ...elsewhere('another port, for an http server', ({ other }) => `http://127.0.0.1:${other}`, 'http'),
    differs: ELSEWHERE,
  },
  elsewhere('ftp', () => 'ftp://127.0.0.1'),
]

const failures: Row[] = [
  ...[200, 204, 400, 401, 404, 500].map((code) =>
    answers(String(code), ({ answer }) =>
      answer.writeHead(code, { 'content-type': 'application/json' }).end(code === 204 ? '' : status(code)),
    ),
  ),
  answers('429 with a pause, then 403', ({ answer, world }) => {
    world.statuses.push(0)
    const code = world.statuses.length < 3 ? 429 : 403
    answer.writeHead(code, { 'retry-after': '1' }).end(status(code))
  }),
  answers('a page', ({ answer }) => answer.writeHead(200, { 'content-type': 'text/html' }).end('<html>Log in</html>')),
  answers('in gzip', ({ answer }) =>
    answer
      .writeHead(403, { 'content-encoding': 'gzip', 'content-type': 'application/json' })
      .end(gzipSync(status(403))),
  ),
]

export const apiAnswers: Row[] = [...redirects, ...failures]
