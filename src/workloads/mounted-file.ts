/** Pure: where a file of a container comes from. */
import { posix } from 'node:path'
import type { Container, Pod } from '../cluster/objects.ts'

/** A key of a ConfigMap. */
export interface ConfigMapFile {
  configMap: string
  key: string
}

interface Mount {
  name: string
  mountPath: string
  subPath?: string
  subPathExpr?: string
}

interface Source {
  name?: string
  items?: { key: string; path: string }[]
}

/** @returns undefined if the file is in the image, in a Secret or in another volume */
export function mountedFile(spec: Pod['spec'], container: Container, path: string): ConfigMapFile | undefined {
  const file = posix.normalize(path)
  const mount = mountOf(container, file)
  if (mount === undefined || mount.subPathExpr !== undefined) return undefined
  const volume = (spec.volumes ?? []).find(({ name }) => name === mount.name)
  const inside = posix.join(mount.subPath ?? '', posix.relative(mount.mountPath, file))
  const projected = (volume?.projected as { sources?: { configMap?: Source }[] } | undefined)?.sources ?? []
  for (const source of [volume?.configMap as Source | undefined, ...projected.map(({ configMap }) => configMap)]) {
    const key = source?.items === undefined ? inside : source.items.find((item) => item.path === inside)?.key
    if (key !== undefined && source?.name !== undefined) return { configMap: source.name, key }
  }
  return undefined
}

/** The innermost mount that contains a file. */
export function mountOf(container: Container, file: string): Mount | undefined {
  const mounts = (container.volumeMounts ?? []) as Mount[]
  return mounts
    .filter(({ mountPath }) => file === mountPath || file.startsWith(`${mountPath.replace(/\/$/, '')}/`))
    .toSorted((a, b) => b.mountPath.length - a.mountPath.length)[0]
}
