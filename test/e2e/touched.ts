/**
 * What tests do to objects of others leaves owners of fields behind, although values come back. So it is done once before a
 * comparison begins, and the comparison can be of everything.
 */
import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import type { Workplace } from './mesh.ts'
import { waitUntilReady } from './mesh-workloads.ts'

interface Webhooks {
  items: {
    kind: string
    metadata: { name: string }
    webhooks: { clientConfig: { caBundle?: string; service?: { namespace: string } } }[]
  }[]
}

/** istiod writes its root into its webhooks when it differs, and owns that field from then on, instead of the installer. */
export async function letIstiodOwnItsBundles(workplace: Workplace): Promise<void> {
  const kinds = 'mutatingwebhookconfigurations,validatingwebhookconfigurations'
  const read = () => (JSON.parse(workplace.kubectl('get', kinds, '-o', 'json')) as Webhooks).items
  const bundles = () =>
    JSON.stringify(read().map(({ webhooks }) => webhooks.map(({ clientConfig }) => clientConfig.caBundle)))
  const earlier = bundles()
  for (const { kind, metadata, webhooks } of read()) {
    const patch = webhooks.flatMap(({ clientConfig: { caBundle, service } }, index) => {
      if (caBundle === undefined || service?.namespace !== 'istio-system') return []
      const other = Buffer.from(`${Buffer.from(caBundle, 'base64')}\n`).toString('base64')
      return [{ op: 'replace', path: `/webhooks/${index}/clientConfig/caBundle`, value: other }]
    })
    if (patch.length > 0) workplace.kubectl('patch', kind, metadata.name, '--type=json', `-p=${JSON.stringify(patch)}`)
  }
  for (let look = 0; look < 60 && bundles() !== earlier; look++) await setTimeout(1_000)
  assert.equal(bundles(), earlier, 'istiod writes its root again')
}

/** Who scales to 0 and back takes the number of replicas from its owner, and nobody owns it afterwards. */
export function scaleOnce(workplace: Workplace, namespace: string, ...names: string[]): void {
  const deployments = names.map((name) => `deployment/${name}`)
  for (const replicas of [0, 1]) workplace.kubectl('-n', namespace, 'scale', ...deployments, `--replicas=${replicas}`)
  waitUntilReady(workplace, namespace, ...deployments)
}

/** What names CoreDNS answers. @param append stands behind the present text until the function that is returned is called */
export function changeCorefile(workplace: Workplace, append: string): () => void {
  const inSystem = (...words: string[]) => workplace.kubectl('-n', 'kube-system', ...words)
  const present = inSystem('get', 'configmap/coredns', '-o=jsonpath={.data.Corefile}')
  const write = (Corefile: string) => {
    const patch = JSON.stringify({ data: { Corefile } })
    inSystem('patch', 'configmap/coredns', '--type=merge', `-p=${patch}`)
  }
  write(present + append)
  return () => write(present)
}
