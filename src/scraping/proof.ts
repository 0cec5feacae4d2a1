/** Proves by new connections that the secure ports refuse other clients, and finds ports that still serve plaintext. */
import type { KeyPair } from '../certificates/authority.ts'
import { foreignCertificate } from '../certificates/foreign-certificate.ts'
import type { Cluster, ObjectName, PodAnswer } from '../cluster/cluster.ts'
import { unlessRefused } from '../cluster/reading.ts'
import type { Dependencies } from '../world.ts'
import type { ExpectedPod } from './scraper/targets.ts'
import { METRICS_PATH, PLAINTEXT_PORTS } from './workload.ts'

/** `unchecked`: the port could not be reached. */
export type Verdict = 'refused' | 'answered' | 'unchecked'

export interface Proof {
  pod: ExpectedPod
  /** HTTP without TLS. */
  plaintext: Verdict
  /** TLS without a client certificate. */
  anonymous: Verdict
  /** TLS with a certificate of another CA. */
  foreign: Verdict
  /** The answers to requests that were not refused. */
  why: string[]
  /** Those of 15090 and 15020 that serve plaintext to other pods. */
  plaintextOpen: number[]
}

/** Which listener serves the secure port. `virtual`: Istio's inbound listener, which a tunnel does not reach. */
export type ServedBy = 'own listener' | 'virtual'

/** Sends a request with a client certificate, through a tunnel into the pod. @returns undefined if no tunnel can be opened */
export type AskOverTls = (
  question: { pod: Required<ObjectName>; port: number; path: string; timeout: number },
  certificate: KeyPair,
  cluster: Cluster,
) => Promise<PodAnswer | undefined>

type Needs = Pick<Dependencies, 'cluster' | 'clock' | 'random' | 'generateKey'> & { askOverTls: AskOverTls }

/** Milliseconds. A port that does not answer counts as refused. */
const TIMEOUT = 5_000
/** How many pods are asked at the same time. */
const AT_ONCE = 8

/** @param pods one of each workload */
export async function proveScraping(pods: { pod: ExpectedPod; servedBy: ServedBy }[], needs: Needs): Promise<Proof[]> {
  const identity = 'spiffe://cluster.local/ns/istio-system/sa/prometheus'
  const certificate = await foreignCertificate(identity, { ...needs, now: needs.clock.now() })
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
  const [plaintext, anonymous, foreign, plain] = await Promise.all([
    ask('http', pod.port),
    ask('https', pod.port),
    servedBy === 'virtual'
      ? undefined
      : needs.askOverTls({ pod, port: pod.port, path: METRICS_PATH, timeout: TIMEOUT }, certificate, needs.cluster),
    plaintextOf(pod, needs.cluster),
  ])
  const verdicts = {
    plaintext: verdictOf(plaintext),
    anonymous: verdictOf(anonymous),
    foreign: foreignVerdict(foreign),
  }
  const observed = [
    `plaintext: ${describe(plaintext)}`,
    `without a certificate: ${describe(anonymous)}`,
    `with a certificate of another CA: ${describe(foreign)}`,
  ]
  return {
    pod,
    ...verdicts,
    why: observed.filter((_, index) => Object.values(verdicts)[index] !== 'refused'),
    plaintextOpen: plain.open,
  }
}

/** Those of 15090 and 15020 that serve plaintext to other pods, and those that could not be checked. */
export interface Plaintext {
  open: number[]
  unchecked: number[]
}

/** Asks both plaintext ports of each pod, some pods at the same time. @param pods one of each workload */
export async function readPlaintext(pods: Required<ObjectName>[], cluster: Cluster): Promise<Plaintext[]> {
  const read: Plaintext[] = []
  for (let first = 0; first < pods.length; first += AT_ONCE)
    read.push(...(await Promise.all(pods.slice(first, first + AT_ONCE).map((pod) => plaintextOf(pod, cluster)))))
  return read
}

async function plaintextOf({ namespace, name }: Required<ObjectName>, cluster: Cluster): Promise<Plaintext> {
  const ask = (port: number) =>
    cluster.askPod({ namespace, name }, { scheme: 'http', port, path: METRICS_PATH, timeout: TIMEOUT })
  const answers = await Promise.all(PLAINTEXT_PORTS.map((port) => unlessRefused(ask(port))))
  const having = (verdict: Verdict) => PLAINTEXT_PORTS.filter((_, index) => verdictOf(answers[index]) === verdict)
  return { open: having('answered'), unchecked: having('unchecked') }
}

/** A proxy may refuse with 4xx or 503; only metrics count as an answer. */
function verdictOf(answer: PodAnswer | undefined): Verdict {
  if (answer === undefined) return 'unchecked'
  if ('failed' in answer) return NOT_REACHED.test(answer.failed) ? 'unchecked' : 'refused'
  return answer.status < 400 ? 'answered' : 'refused'
}

/** Only a TLS alert proves that the certificate was refused; a tunnel may end for many reasons. */
function foreignVerdict(answer: PodAnswer | undefined): Verdict {
  if (answer === undefined || ('failed' in answer && !/alert/.test(answer.failed))) return 'unchecked'
  return verdictOf(answer)
}

/** The request did not reach the pod. */
const NOT_REACHED = /no route to host|network is unreachable|no answer in|i\/o timeout|context deadline/

function describe(answer: PodAnswer | undefined): string {
  if (answer === undefined) return 'not checked: a tunnel to the pod does not reach it'
  return 'failed' in answer ? answer.failed : `HTTP ${answer.status}`
}
