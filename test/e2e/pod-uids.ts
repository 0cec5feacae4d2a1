/** Which pods run, to see that nothing has restarted. */
import type { Workplace } from './mesh.ts'

interface Pods {
  items: {
    metadata: { namespace: string; name: string; uid: string; deletionTimestamp?: string }
    status: { containerStatuses?: { restartCount: number }[] }
  }[]
}

/** All pods but those that a restart before has ended, with how often their containers began again. */
export function podUids(...workplaces: Workplace[]): string[] {
  return workplaces
    .flatMap((workplace) => (JSON.parse(workplace.kubectl('get', 'pods', '-A', '-o', 'json')) as Pods).items)
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(({ metadata: { namespace, name, uid }, status: { containerStatuses = [] } }) => {
      const restarts = containerStatuses.map(({ restartCount }) => restartCount)
      return `${namespace}/${name} ${uid} ${restarts.join()}`
    })
    .sort()
}
