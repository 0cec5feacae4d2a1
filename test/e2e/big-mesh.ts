/** Objects of a big mesh that no kubelet runs. They are written over a few connections, because kubectl would take minutes. */
import { Agent, request } from 'node:https'
import { json } from 'node:stream/consumers'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { labCredentials } from './lab-credentials.ts'

const CONNECTIONS = 16

/** Runs the work for each item, CONNECTIONS items at a time. */
async function each<T>(items: T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items]
  const worker = async () => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await work(item)
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, worker))
}

/**
 * Creates Deployments, and pods as Istio injects them, which no scheduler places. A Deployment has 0 replicas, because otherwise its
 * controller creates pods too. It owns its pods directly, because surplus pods of a ReplicaSet are deleted.
 * @param namespaces existing namespaces with their service accounts
 */
export async function createWorkloads(namespaces: string[], deployments: number, podsEach: number): Promise<void> {
  const { server, ...credentials } = labCredentials()
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS, ...credentials })
  const send = (method: 'POST' | 'PATCH', path: string, object: object): Promise<KubeObject> =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': method === 'POST' ? 'application/json' : 'application/merge-patch+json' }
      const sent = request(`${server}${path}`, { method, agent, headers }, async (got) => {
        const answer = (await json(got)) as KubeObject & { message?: string }
        if ((got.statusCode ?? 0) < 300) resolve(answer)
        else reject(new Error(`${path}: ${answer.message}`))
      })
      sent.on('error', reject).end(JSON.stringify(object))
    })
  const numbers = Array.from({ length: deployments }, (_, number) => number)
  try {
    await each(numbers, async (number) => {
      const namespace = namespaces[number % namespaces.length] ?? ''
      const path = `/apis/apps/v1/namespaces/${namespace}/deployments`
      const made = await send('POST', path, deployment(`web-${number}`))
      // The controller would set it too, but only twenty a second.
      await send('PATCH', `${path}/web-${number}/status`, { status: { observedGeneration: 1 } })
      for (let pod = 0; pod < podsEach; pod++)
        await send('POST', `/api/v1/namespaces/${namespace}/pods`, injectedPod(made, `web-${number}-${pod}`))
    })
  } finally {
    agent.destroy()
  }
}

const APP = { name: 'app', image: 'example.com/app:1', ports: [{ containerPort: 8080 }] }

function deployment(name: string): object {
  const labels = { app: name }
  const template = { metadata: { labels }, spec: { containers: [APP] } }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels },
    spec: { replicas: 0, selector: { matchLabels: labels }, template },
  }
}

function injectedPod({ metadata }: KubeObject, name: string): object {
  const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: metadata.name, uid: metadata.uid, controller: true }
  const status = JSON.stringify({ initContainers: ['istio-validation', 'istio-proxy'], revision: 'default' })
  const proxy = {
    name: 'istio-proxy',
    image: 'docker.io/istio/proxyv2:1.31.0',
    args: ['proxy', 'sidecar', '--domain', '$(POD_NAMESPACE).svc.cluster.local'],
    restartPolicy: 'Always',
  }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      labels: metadata.labels,
      annotations: { 'sidecar.istio.io/status': status },
      ownerReferences: [owner],
    },
    spec: { schedulerName: 'nobody', containers: [APP], initContainers: [proxy] },
  }
}
