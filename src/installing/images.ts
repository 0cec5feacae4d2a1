/** Names and tags of images. Pure. */
import type { Container } from '../cluster/objects.ts'

/** `grafana` and `12.0.1` from `docker.io/grafana/grafana:12.0.1`. @returns undefined for a text that is no image */
export function imageOf({ image }: Pick<Container, 'image'>): { name: string; tag?: string } | undefined {
  const [, name, tag] = /([^/@:]+)(?::([^/@:]+))?(?:@[^/@]*)?$/.exec(image ?? '') ?? []
  return name === undefined ? undefined : { name, ...(tag === undefined ? {} : { tag }) }
}

/** `1.31` from `1.31.0`, `v1.31.2-distroless`. */
export function minorOf(version: string): string | undefined {
  return /^v?(\d+\.\d+)(?:\D|$)/.exec(version)?.[1]
}
