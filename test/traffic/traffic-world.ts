/** A mesh with an exposed application and a Prometheus, and an environment whose requests take no real time. */
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { expose } from '../../src/exposing/expose.ts'
import type { SendTarget } from '../../src/probing/sender.ts'
import type { TrafficRequest } from '../../src/traffic/request.ts'
import type { TrafficResult } from '../../src/traffic/result.ts'
import { type TrafficEnvironment, traffic } from '../../src/traffic/traffic.ts'
import { request as exposing } from '../exposing/exposing.ts'
import { requestForServices, shopMesh } from '../exposing/services/services.ts'
import { type Answer, FakeSender } from '../fakes/fake-sender.ts'
import { FakeTimers } from '../fakes/fake-timers.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'

export const REQUEST: TrafficRequest = {
  target: { by: 'any' },
  schedule: { requests: 100, rate: 20 },
  concurrency: 4,
  paths: [],
  method: 'GET',
  maxErrors: 0.1,
  via: 'gateway',
}

export const service = (name: string, port?: number | string): TrafficRequest['target'] => ({
  by: 'service',
  service: port === undefined ? { name } : { name, port },
})
export const url = (text: string): TrafficRequest['target'] => ({ by: 'url', url: new URL(text) })

/** productpage is exposed. */
export async function exposedShop(more: KubeObject[] = [], answers?: Record<string, unknown>): Promise<FakeWorld> {
  const world = shopMesh(more, answers)
  await expose({ ...requestForServices('productpage'), terms: { allowAnonymous: true }, timeout: 1 }, world)
  world.cluster.writes.length = 0
  return world
}

/** productpage and add-ons are exposed. */
export async function manyExposed(more: KubeObject[] = [], answers?: Record<string, unknown>): Promise<FakeWorld> {
  const world = await exposedShop(more, answers)
  await expose({ ...exposing, addons: { names: ['grafana', 'kiali'], named: true }, timeout: 1 }, world)
  world.cluster.writes.length = 0
  return world
}

export class FakeTraffic {
  readonly timers = new FakeTimers()
  readonly opened: SendTarget[] = []
  readonly senders: FakeSender[] = []
  readonly #ending = new AbortController()
  /** Whether the run has begun. */
  isSending = false
  answer: (index: number) => Answer = () => ({ after: 5 })

  get environment(): TrafficEnvironment {
    return {
      open: (target) => {
        this.opened.push(target)
        const sender = new FakeSender(this.timers, (index) => this.answer(index))
        this.senders.push(sender)
        return sender
      },
      timers: this.timers,
      ending: () => {
        this.isSending = true
        return this.#ending.signal
      },
    }
  }

  interruptAt(milliseconds: number): void {
    this.timers.after(milliseconds, () => this.#ending.abort())
  }

  /** Lets the time pass until the work is done. */
  async during<T>(work: Promise<T>): Promise<T> {
    let isOver = false
    const over = work.finally(() => {
      isOver = true
    })
    over.catch(() => {})
    while (!isOver) await this.timers.pass(this.isSending ? 1_000 : 0)
    return over
  }
}

export async function sent(
  changes: Partial<TrafficRequest>,
  world: FakeWorld,
  fake = new FakeTraffic(),
): Promise<TrafficResult> {
  return fake.during(traffic({ ...REQUEST, ...changes }, world, fake.environment))
}

const LABELS = {
  'app.kubernetes.io/component': 'server',
  'app.kubernetes.io/name': 'prometheus',
  'app.kubernetes.io/instance': 'prometheus',
}

/** The Deployment of the pods in fakes/mesh.ts. */
export function prometheusServer(name = 'prometheus', namespace = 'istio-system'): KubeObject {
  const containers = [{ name: 'prometheus-server', args: ['--storage.tsdb.path=/data'] }]
  const template = { metadata: { labels: LABELS }, spec: { containers } }
  const spec = { selector: { matchLabels: LABELS }, template }
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace }, spec }
}

/** Lets the Prometheus answer. @param counts by reporter, one for each query; the last one repeats */
export function prometheusCounts({ cluster }: FakeWorld, counts: Record<string, number>[], interval = '15s'): string[] {
  const queries: string[] = []
  const answer = (data: unknown) => ({ status: 200, body: JSON.stringify({ status: 'success', data }) })
  cluster.podAnswers = (_, { path, query }) => {
    if (path === '/api/v1/status/config') return answer({ yaml: `global:\n  scrape_interval: ${interval}\n` })
    if (path !== '/api/v1/query') return { status: 404, body: '' }
    const found = counts.length > 1 ? counts.shift() : counts[0]
    queries.push(query?.query ?? '')
    const result = Object.entries(found ?? {}).map(([reporter, count]) => ({
      metric: { reporter },
      value: [1_700_000_000, String(count)],
    }))
    return answer({ resultType: 'vector', result })
  }
  return queries
}
