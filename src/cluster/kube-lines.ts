import type { Readable } from 'node:stream'

/** Whole lines as they come; what is after the last line's end is dropped. Not node:readline: what is called off there is an error that nobody can catch. */
export async function* linesOf(body: Readable): AsyncIterable<string> {
  let rest = ''
  for await (const text of body.setEncoding('utf8')) {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
}
