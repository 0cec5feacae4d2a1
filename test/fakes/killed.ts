/** Runs that are killed between two writes, on a fake cluster. */
import type { FakeCluster } from './fake-cluster.ts'

/** The same cluster, for a run that is killed after some writes. */
export function killedAfter<T extends FakeCluster>(writes: number, cluster: T): T {
  const isLast = () => cluster.writes.length >= writes
  return new Proxy(cluster, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return (...words: unknown[]) => {
        const isTried = words.some((word) => (word as { dryRun?: boolean } | undefined)?.dryRun === true)
        const isWrite = ['apply', 'replace', 'delete', 'setManagedFields'].includes(String(name)) && !isTried
        return isWrite && isLast() ? Promise.reject(new Error('killed')) : value.apply(target, words)
      }
    },
  })
}
