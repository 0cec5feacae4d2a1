/** By fresh connections: who is refused at the secure ports, and what still answers in clear. */
import { connect, type TLSSocket } from 'node:tls'
import type { KeyPair } from '../certificates/authority.ts'
import { strangersCertificate } from '../certificates/foreign-certificate.ts'
import type { Cluster, ObjectName, PodAnswer } from '../cluster/cluster.ts'
import { Session } from '../forwarding/tunnel/session.ts'
import { StreamDuplex } from '../forwarding/tunnel/stream-duplex.ts'
import type { Timers } from '../time/timers.ts'
import type { Dependencies } from '../world.ts'
import type { ExpectedPod } from './scraper/targets.ts'
import { METRICS_PATH } from './workload.ts'

/** `unchecked`: there was no way to ask. */
export type Verdict = 'refused' | 'answered' | 'unchecked'

export interface Proof {
  pod: ExpectedPod
  /** HTTP without TLS. */
  clear: Verdict
  /** TLS without a client certificate. */
  anonymous: Verdict
  /** A certificate that another authority has signed. */
  stranger: Verdict
  /** What was seen of those that are not refused. */
  why: string[]
  /** Of 15090 and 15020: those that answer in clear to others. */
  plaintextOpen: number[]
}

/** What of the pod it is that serves its secure port. `virtual`: Istio's inbound listener, which is not reached through a tunnel. */
export type ServedBy = 'own listener' | 'virtual'

type Needs = Pick<Dependencies, 'cluster' | 'clock' | 'random' | 'generateKey'> & { timers: Timers }

/** Envoy's own metrics, and the agent's merged ones, without TLS. */
export const PLAINTEXT_PORTS = [15090, 15020]
/** Milliseconds. A port that nobody answers at is as good as refused. */
const TIMEOUT = 5_000
/** So many pods are asked at a time. */
const AT_ONCE = 8

/** @param pods one of each workload */
export async function proveScraping(pods: { pod: ExpectedPod; servedBy: ServedBy }[], needs: Needs): Promise<Proof[]> {
  const identity = 'spiffe://cluster.local/ns/istio-system/sa/prometheus'
  const certificate = await strangersCertificate(identity, { ...needs, now: needs.clock.now() })
  const proofs: Proof[] = []
  for (let first = 0; first < pods.length; first += AT_ONCE) {
    const some = pods.slice(first, first + AT_ONCE)
    proofs.push(...(await Promise.all(some.map((one) => proofOf(one.pod, one.servedBy, certificate, needs)))))
  }
  return proofs
}

async function proofOf(pod: ExpectedPod, servedBy: ServedBy, certificate: KeyPair, needs: Needs): Promise<Proof> {
  const ask = (scheme: 'http' | 'https', port: number) =>
    needs.cluster.askPod(pod, { scheme, port, path: METRICS_PATH, timeout: TIMEOUT })
  const [clear, anonymous, stranger, plain] = await Promise.all([
    ask('http', pod.port),
    ask('https', pod.port),
    servedBy === 'virtual' ? undefined : askWithCertificate(pod, certificate, needs),
    plaintextOf(pod, needs.cluster),
  ])
  const verdicts = { clear: verdictOf(clear), anonymous: verdictOf(anonymous), stranger: strangerVerdict(stranger) }
  const told = [
    `in clear: ${seen(clear)}`,
    `without a certificate: ${seen(anonymous)}`,
    `with a stranger's certificate: ${seen(stranger)}`,
  ]
  return {
    pod,
    ...verdicts,
    why: told.filter((_, index) => Object.values(verdicts)[index] !== 'refused'),
    plaintextOpen: plain.open,
  }
}

/** Of 15090 and 15020: where a pod answers in clear to others, and where that could not be told. */
export interface Plaintext {
  open: number[]
  unchecked: number[]
}

/** @param pods one of each workload: both ports of it are asked, some pods at a time */
export async function readPlaintext(pods: Required<ObjectName>[], cluster: Cluster): Promise<Plaintext[]> {
  const read: Plaintext[] = []
  for (let first = 0; first < pods.length; first += AT_ONCE)
    read.push(...(await Promise.all(pods.slice(first, first + AT_ONCE).map((pod) => plaintextOf(pod, cluster)))))
  return read
}

async function plaintextOf({ namespace, name }: Required<ObjectName>, cluster: Cluster): Promise<Plaintext> {
  const ask = (port: number) =>
    cluster.askPod({ namespace, name }, { scheme: 'http', port, path: METRICS_PATH, timeout: TIMEOUT })
  const answers = await Promise.all(PLAINTEXT_PORTS.map((port) => unlessBarred(ask(port))))
  const having = (verdict: Verdict) => PLAINTEXT_PORTS.filter((_, index) => verdictOf(answers[index]) === verdict)
  return { open: having('answered'), unchecked: having('unchecked') }
}

/** One may not ask everywhere, and a pod may have gone. */
async function unlessBarred<T>(asking: Promise<T>): Promise<T | undefined> {
  try {
    return await asking
  } catch (error) {
    if (BARRED.includes(String((error as { code?: string }).code))) return undefined
    throw error
  }
}

const BARRED = ['FORBIDDEN', 'NOT_FOUND']

/** A proxy may answer 4xx or 503 to who is not let in; only metrics are an answer. */
function verdictOf(answer: PodAnswer | undefined): Verdict {
  if (answer === undefined) return 'unchecked'
  if ('failed' in answer) return UNKNOWN.test(answer.failed) ? 'unchecked' : 'refused'
  return answer.status < 400 ? 'answered' : 'refused'
}

/** Only an alert of TLS says that it was for the certificate; a tunnel may end for many reasons. */
function strangerVerdict(answer: PodAnswer | undefined): Verdict {
  if (answer === undefined || ('failed' in answer && !/alert/.test(answer.failed))) return 'unchecked'
  return verdictOf(answer)
}

/** Whoever asks has not come as far as the pod. */
const UNKNOWN = /no route to host|network is unreachable|no answer in|i\/o timeout|context deadline/

function seen(answer: PodAnswer | undefined): string {
  if (answer === undefined) return 'not checked: a tunnel does not reach it'
  return 'failed' in answer ? answer.failed : `HTTP ${answer.status}`
}

/**
 * Asks for metrics with a client certificate, through a tunnel into the pod, where nothing captures the connection.
 * @returns undefined when there is no tunnel to be had
 */
export async function askWithCertificate(
  pod: ExpectedPod,
  certificate: KeyPair,
  { cluster, timers }: Pick<Needs, 'cluster' | 'timers'>,
): Promise<PodAnswer | undefined> {
  const upgraded = await tunnelTo(cluster, pod)
  if (upgraded === undefined) return undefined
  const session = new Session(upgraded, pod.port, timers, () => {})
  try {
    return await overTls(new StreamDuplex(session), certificate, timers)
  } finally {
    session.destroy()
  }
}

function tunnelTo(cluster: Cluster, { namespace, name }: ExpectedPod) {
  // Not everybody may forward ports; then this one question stays open, and it is said.
  return unlessBarred(cluster.portForward({ namespace, name }))
}

/** With TLS 1.3 a server refuses a certificate only after its client has gone on: an answer has to be waited for. */
function overTls(socket: StreamDuplex, { certificate: cert, key }: KeyPair, timers: Timers): Promise<PodAnswer> {
  return new Promise((resolve) => {
    // Who the server is does not matter here, but whom it lets in.
    const tls: TLSSocket = connect({ socket, cert, key, rejectUnauthorized: false })
    let answer = ''
    const callOff = timers.after(TIMEOUT, () => finish({ failed: `no answer in ${TIMEOUT / 1000} s` }))
    const finish = (result: PodAnswer) => {
      callOff()
      tls.destroy()
      resolve(result)
    }
    tls.once('secureConnect', () =>
      tls.write(`GET ${METRICS_PATH} HTTP/1.1\r\nHost: metrics\r\nConnection: close\r\n\r\n`),
    )
    tls.on('data', (bytes: Buffer) => {
      answer += bytes.toString('latin1')
      const status = /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]
      if (status !== undefined) finish({ status: Number(status), body: '' })
    })
    tls.once('error', (error) => finish({ failed: error.message }))
    socket.once('error', (error) => finish({ failed: error.message }))
    tls.once('close', () => finish({ failed: 'the connection was closed' }))
  })
}
