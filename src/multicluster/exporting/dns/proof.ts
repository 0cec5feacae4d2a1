/** Waits until each pod of CoreDNS answers with the address of an exported host: it reads a changed file after a while. */
import { isReady, isStaying, type Pod } from '../../../cluster/objects.ts'
import { readable } from '../../../cluster/reading.ts'
import { PODS } from '../../../cluster/resources.ts'
import { type Finding, fails, notes } from '../../../findings.ts'
import { sh } from '../../../shell.ts'
import { until } from '../../../time/until.ts'
import type { AskDns, Dependencies } from '../../../world.ts'
import type { Site } from '../site.ts'
import { COREDNS_NAMESPACE } from './coredns.ts'

type Needs = Pick<Dependencies, 'clock'> & { askDns: AskDns }

const PAUSE = 1_000
/** Milliseconds for one answer. */
const PATIENCE = 5_000

interface Look {
  /** The pods that do not know the host, with what they said. */
  ignorant: string[]
  /** Whether nobody could be asked. */
  unasked: boolean
}

/** @returns why it is not known that all pods answer */
export async function awaitNames(
  { host, address }: { host: string; address: string },
  { name, live: cluster }: Pick<Site, 'name' | 'live'>,
  timeout: number,
  { clock, askDns }: Needs,
): Promise<Finding[]> {
  const family = address.includes(':') ? 6 : 4
  const look = async (): Promise<Look> => {
    const labels = 'k8s-app=kube-dns'
    const listed = await readable(cluster.list<Pod>(PODS, { namespace: COREDNS_NAMESPACE, labels }))
    const pods = (listed ?? []).filter((pod) => isStaying(pod) && isReady(pod))
    const answers = await Promise.all(
      pods.map(async ({ metadata: { name: pod } }) => {
        const place = { pod: { name: pod, namespace: COREDNS_NAMESPACE }, port: 53 }
        return { pod, answer: await askDns({ ...place, host, family, timeout: PATIENCE }, cluster) }
      }),
    )
    const asked = answers.flatMap(({ pod, answer }) => (answer === undefined ? [] : [{ pod, answer }]))
    return {
      unasked: asked.length === 0,
      ignorant: asked
        .filter(({ answer }) => !('addresses' in answer && answer.addresses.includes(address)))
        .map(({ pod, answer }) => `${pod}: ${'failed' in answer ? answer.failed : 'no such address'}`),
    }
  }
  const isDone = ({ ignorant, unasked }: Look) => unasked || ignorant.length === 0
  const last = await until({ look, isDone, pause: PAUSE, timeout }, clock)
  const logs = sh`kubectl --context ${cluster.context} -n ${COREDNS_NAMESPACE} logs -l k8s-app=kube-dns`
  if (last.unasked) {
    const message = `whether CoreDNS of cluster ${name} knows ${host} was not tried: no pod of it could be asked`
    return [notes('DNS_UNPROVEN', message, 'kubectl auth can-i create pods/portforward -n kube-system')]
  }
  if (last.ignorant.length === 0) return []
  const message = `CoreDNS of cluster ${name} does not answer with ${address} for ${host} after ${timeout / 1000} s (${last.ignorant.join('; ')})`
  return [fails('DNS_NAME_UNKNOWN', message, logs)]
}
