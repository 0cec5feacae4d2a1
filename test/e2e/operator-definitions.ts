/** The definitions of Prometheus Operator's objects, from its own sources. The operator does not run. */
import { join } from 'node:path'
import { moduleSources } from '../lab/build.ts'
import type { Workplace } from './mesh.ts'

const DEFINITIONS = ['prometheuses', 'podmonitors']

export async function applyDefinitions(workplace: Workplace): Promise<void> {
  const sources = await moduleSources('node', 'github.com/prometheus-operator/prometheus-operator')
  for (const name of DEFINITIONS) {
    const file = join(sources, 'example/prometheus-operator-crd', `monitoring.coreos.com_${name}.yaml`)
    // Client-side apply would copy the definition into an annotation that is too small for it.
    workplace.kubectl('apply', '--server-side', '--force-conflicts', '-f', file)
  }
  // One is established a moment before it is served.
  for (let attempt = 0; attempt < 100; attempt++) {
    const { exitCode } = workplace.run('kubectl', ['get', DEFINITIONS.join(), '--all-namespaces'])
    if (exitCode === 0) return
  }
  throw new Error('the definitions are not served')
}

/** With all objects of these kinds. */
export function deleteDefinitions(workplace: Workplace): void {
  workplace.kubectl('delete', 'crd', ...DEFINITIONS.map((name) => `${name}.monitoring.coreos.com`))
}
