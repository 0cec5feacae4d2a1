/** Programs that call a host from a container, and what their ends say. All output is untrusted and only searched. Pure. */
import { isDnsName } from '../../certificates/names.ts'
import type { ProgramEnd } from '../../cluster/cluster.ts'

/** What a client found out. `said`: its own words, untrusted. */
export type CallEnd =
  /** An answer over HTTP, of the service or of the caller's own sidecar. */
  | { end: 'answered'; status: number; said: string }
  /** A connection was opened, at least to the caller's own sidecar. */
  | { end: 'opened'; said: string }
  /** The name of the host could not be resolved. */
  | { end: 'unresolved'; said: string }
  /** No answer in time. */
  | { end: 'silent'; said: string }
  /** Refused, reset or closed. */
  | { end: 'broken'; said: string }

export interface CallTarget {
  host: string
  port: number
  path: string
  /** Whether the port speaks HTTP/1.1; otherwise a connection is opened and nothing is sent. */
  http: boolean
}

/** Seconds until a client gives up on an answer. */
const PATIENCE = 8
/** Seconds for which a connection without HTTP stays open: by then the sidecar has connected to the gateway, or cannot. */
const HELD = 2

export interface Client {
  readonly argv: readonly string[]
  read(end: Ran): CallEnd
}

type Ran = Extract<ProgramEnd, { exitCode: number }>

/** Clients that a container may have, the most talkative first. */
export function clientsFor({ host, port, path, http }: CallTarget): Client[] {
  const url = `http://${host}:${port}${path}`
  if (http)
    return [
      { argv: ['curl', '-sS', '-i', '-m', String(PATIENCE), url], read: readCurl },
      // One try: GNU wget would repeat it 20 times. BusyBox ignores -t.
      { argv: ['wget', '-S', '-O', '-', '-t', '1', '-T', String(PATIENCE), url], read: readWget },
    ]
  // A client of FTP sends nothing before the server has greeted it, so nothing reaches a server of another protocol.
  const silent = `ftp://${host}:${port}/`
  return [
    { argv: ['curl', '-sS', '-m', String(HELD), silent], read: opening(readCurl) },
    { argv: ['wget', '-O', '-', '-t', '1', '-T', String(HELD), silent], read: opening(readWget) },
    // As a word of its own, a host that begins with a hyphen would be an option.
    ...(isDnsName(host) ? [{ argv: ['nc', '-w', String(HELD), host, String(port)], read: opening(readWget) }] : []),
  ]
}

/** Milliseconds after which a program that should have ended has not. */
export const LIMIT = (PATIENCE + 4) * 1_000

/** curl: not supported. From 126 on a shell or a runtime could not run it, or a signal ended it. */
const UNUSABLE = [1, 2, 4]
const USAGE = /unrecognized option|invalid option|illegal option|^usage:/im

/** Whether a client did its work, whatever the result: BusyBox is built without some, and an option may be unknown. */
export function isUsable({ exitCode, stdout, stderr }: Ran): boolean {
  if (exitCode === 0 || stdout !== '') return true
  if (exitCode >= 126) return false
  return !(USAGE.test(stderr) || (UNUSABLE.includes(exitCode) && /^curl: \(/m.test(stderr)))
}

/** With a connection that only has to be open, silence is what is expected. */
function opening(read: Client['read']): Client['read'] {
  return (ran) => {
    const end = read(ran)
    return end.end === 'unresolved' || end.end === 'broken' ? end : { end: 'opened', said: end.said }
  }
}

/** https://curl.se/libcurl/c/libcurl-errors.html */
const CURL: Readonly<Record<number, Exclude<CallEnd['end'], 'answered'>>> = {
  6: 'unresolved',
  28: 'silent',
  7: 'broken',
}

function readCurl({ exitCode, stdout, stderr }: Ran): CallEnd {
  const status = statusIn(stdout)
  if (status !== undefined) return { end: 'answered', status, said: bodyOf(stdout) }
  return { end: CURL[exitCode] ?? (exitCode === 0 || exitCode === 8 ? 'opened' : 'broken'), said: stderr.trim() }
}

/** Words of BusyBox and GNU, for wget and nc. */
const UNRESOLVED =
  /bad address|unable to resolve host|name or service not known|temporary failure in name resolution|could not resolve|no address associated|name does not resolve/i
const SILENT = /timed out|timeout/i

function readWget({ exitCode, stdout, stderr }: Ran): CallEnd {
  const status = statusIn(stderr)
  if (status !== undefined) return { end: 'answered', status, said: stdout.trim() }
  const said = stderr.trim()
  if (UNRESOLVED.test(said)) return { end: 'unresolved', said }
  if (SILENT.test(said)) return { end: 'silent', said }
  return { end: exitCode === 0 ? 'opened' : 'broken', said }
}

/** The first answer; wget follows redirects, and those lead elsewhere. 1xx is none. */
function statusIn(text: string): number | undefined {
  const statuses = [...text.matchAll(/^(?:wget: server returned error:)?[ \t]*HTTP\/\d(?:\.\d)? (\d{3})\b/gm)]
  return statuses.map(([, status]) => Number(status)).find((status) => status >= 200)
}

function bodyOf(answer: string): string {
  return answer
    .split(/\r?\n\r?\n/)
    .slice(1)
    .join('\n')
    .trim()
}
