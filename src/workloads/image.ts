/** Names and tags of images. Pure. */
import type { Container } from '../cluster/objects.ts'

/**
 * `grafana` and `12.0.1` from `docker.io/grafana/grafana:12.0.1`; no tag for an image that has only a digest.
 * @returns undefined for a text that is no image
 */
export function imageOf({ image }: Pick<Container, 'image'>): { name: string; tag?: string } | undefined {
  const [, name, tag] = /([^/@:]+)(?::([^/@]*))?(@.*)?$/.exec(image ?? '') ?? []
  return name === undefined ? undefined : { name, ...(tag ? { tag } : {}) }
}
