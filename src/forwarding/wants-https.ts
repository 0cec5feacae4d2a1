/** Finds out whether a server speaks HTTPS, by what it answers to plain HTTP. */
import { wantsTls } from '../probing/wrong-protocol.ts'
import type { Timers } from '../time/timers.ts'
import type { Session } from './tunnel/session.ts'

/** Milliseconds: the URL of a port is not shown before. */
const TIMEOUT = 1_000
/** The most bytes of an answer: the text of an nginx is behind its headers. */
const LONGEST = 2_000
const REQUEST = Buffer.from(
  'HEAD / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: kubectl-telemetry\r\nConnection: close\r\n\r\n',
)

/** Sends one request over a connection of its own. @returns false also where there is no answer in time */
export function wantsHttps(session: Session, timers: Timers): Promise<boolean> {
  return new Promise((resolve) => {
    let answer: Buffer = Buffer.alloc(0)
    let isOver = false
    const finish = (result: boolean) => {
      if (isOver) return
      isOver = true
      callOff()
      resolve(result)
      // The end of the answer may be in the same burst.
      queueMicrotask(() => stream.close())
    }
    const callOff = timers.after(TIMEOUT, () => finish(false))
    const stream = session.open(
      {
        data: (bytes) => {
          answer = Buffer.concat([answer, bytes])
          if (isForHttps(answer)) finish(true)
          else if (answer.length > LONGEST || ![undefined, 400].includes(statusOf(answer))) finish(false)
          return true
        },
        drain: () => {},
        end: () => finish(false),
        silent: () => {},
        leave: () => {},
        fail: () => finish(false),
      },
      REQUEST,
    )
  })
}

/** Whether an answer is that of a server that speaks HTTPS, to plain HTTP. @param answer its beginning */
export function isForHttps(answer: Buffer): boolean {
  const status = statusOf(answer)
  return status !== undefined && wantsTls(status, answer.toString('latin1', 0, LONGEST))
}

function statusOf(answer: Buffer): number | undefined {
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(answer.toString('latin1', 0, 12))?.[1]
  return status === undefined ? undefined : Number(status)
}
