// The images the lab's pods run, by the names that manifests, charts and istioctl ask for.
import { join } from 'node:path'
import { moduleSources } from './build.ts'
import {
  binaries,
  envoy,
  httpbin,
  istio as istioComponent,
  type JavaComponent,
  jaeger,
  node,
  prometheusPages,
  standIn,
  wire,
  zipkin,
} from './components.ts'
import type { Image, ImageFile } from './image-archive.ts'
import type { IstioVersion } from './layout.ts'

const busybox: ImageFile = { from: '/bin/busybox', to: '/bin/busybox', libraries: true }
const shell: ImageFile[] = [
  busybox,
  ...['sh', 'cat', 'ls', 'mkdir', 'nslookup', 'ps', 'sleep', 'wget'].map((applet) => ({
    link: '/bin/busybox',
    to: `/bin/${applet}`,
  })),
  { directory: '/tmp' },
]
const program = (path: string, to: string): ImageFile => ({ from: path, to })

/** What every node needs before its first pod, and servers for tests to put into the mesh. */
export function nodeImages(): Image[] {
  return [
    {
      name: 'docker.io/lab/pause:1',
      config: { Entrypoint: ['/bin/busybox', 'sleep', '2147483647'] },
      files: [busybox],
    },
    {
      name: 'docker.io/lab/coredns:1',
      config: { Entrypoint: ['/coredns'] },
      files: [program(join(binaries(node), 'coredns'), '/coredns')],
    },
    {
      name: 'docker.io/mccutchen/go-httpbin:2.26.0',
      config: { Entrypoint: ['/bin/go-httpbin'], User: '1000:1000' },
      files: [program(join(binaries(httpbin), 'go-httpbin'), '/bin/go-httpbin'), ...shell],
    },
    {
      name: 'docker.io/lab/wire:1',
      config: { Entrypoint: ['/wire'], User: '65534:65534' },
      files: [program(join(binaries(wire), 'wire'), '/wire')],
    },
  ]
}

/**
 * What plays Istio's sample `sleep`: Debian's curl and wget, in one image or apart, since people's images have the one or the other.
 * Debian's busybox has a wget too, which crashes when it is given a time limit (`-T`).
 */
export function clientImages(): Image[] {
  const curl: ImageFile = { from: '/usr/bin/curl', to: '/usr/bin/curl', libraries: true }
  const wget: ImageFile = { from: '/usr/bin/wget', to: '/usr/bin/wget', libraries: true }
  const image = (name: string, files: ImageFile[]): Image => ({
    name,
    config: {
      Entrypoint: ['/bin/sleep', 'infinity'],
      User: '100:101',
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
    },
    files: [...files, ...shell.filter((file) => !('link' in file && file.to === '/bin/wget')), clientUsers],
  })
  return [
    image('docker.io/lab/client:1', [curl, wget]),
    image('docker.io/lab/client-curl:1', [curl]),
    image('docker.io/lab/client-wget:1', [wget]),
  ]
}

const clientUsers: ImageFile = {
  text: 'root:x:0:0:root:/root:/bin/sh\nclient:x:100:101::/tmp:/bin/sh\n',
  to: '/etc/passwd',
}

/** istiod, and the proxy with a stock Envoy and iptables for the init container. */
export async function istioImages(version: IstioVersion): Promise<Image[]> {
  const built = binaries(istioComponent(version))
  const sources = await moduleSources(`istio-${version}`, 'istio.io/istio')
  const bootstrap = join(sources, 'tools/packaging/common/envoy_bootstrap.json')
  const users: ImageFile = {
    text: 'root:x:0:0:root:/root:/bin/sh\nistio-proxy:x:1337:1337::/:/bin/sh\n',
    to: '/etc/passwd',
  }
  const pilot: Image = {
    name: `docker.io/istio/pilot:${version}.0`,
    config: { Entrypoint: ['/usr/local/bin/pilot-discovery'], User: '1337:1337' },
    files: [program(join(built, 'pilot-discovery'), '/usr/local/bin/pilot-discovery'), users, { directory: '/tmp' }],
  }
  const proxy: Image = {
    name: `docker.io/istio/proxyv2:${version}.0`,
    config: {
      Entrypoint: ['/usr/local/bin/pilot-agent'],
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
    },
    files: [
      program(join(built, 'pilot-agent'), '/usr/local/bin/pilot-agent'),
      { from: join(binaries(envoy), 'envoy'), to: '/usr/local/bin/envoy', libraries: true },
      program(bootstrap, '/var/lib/istio/envoy/envoy_bootstrap_tmpl.json'),
      ...iptables(),
      ...shell,
      { directory: '/var/lib/istio/data' },
      users,
    ],
  }
  return [pilot, proxy]
}

/** One program under all the names that istio-iptables tries. */
function iptables(): ImageFile[] {
  const nft = '/usr/sbin/xtables-nft-multi'
  const names = ['iptables', 'ip6tables'].flatMap((family) =>
    ['', '-save', '-restore'].flatMap((verb) => [`${family}${verb}`, `${family}-nft${verb}`]),
  )
  const extensions = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/xtables`
  return [
    { from: nft, to: nft, libraries: true },
    { from: extensions, to: extensions, libraries: true },
    ...names.map((name) => ({ link: nft, to: `/usr/sbin/${name}` })),
  ]
}

/** Where the real images keep their programs; the stand-in is put there, and knows whom it plays by its own name. */
const standIns: Record<string, { programs: [string, ...string[]]; user: string }> = {
  'docker.io/grafana/grafana': { programs: ['/usr/share/grafana/bin/grafana'], user: '472:472' },
  'docker.io/grafana/loki': { programs: ['/usr/bin/loki'], user: '10001:10001' },
  'docker.io/kiwigrid/k8s-sidecar': { programs: ['/app/k8s-sidecar'], user: '65534:65534' },
  'quay.io/kiali/kiali': { programs: ['/opt/kiali/kiali'], user: '1000:1000' },
  'docker.io/apache/skywalking-oap-server': {
    programs: ['/skywalking/skywalking-oap', '/skywalking/bin/swctl'],
    user: '1000:1000',
  },
  'docker.io/apache/skywalking-ui': { programs: ['/skywalking/skywalking-ui'], user: '1000:1000' },
}

const ZIPKIN = 'docker.io/openzipkin/zipkin-slim'

/** What an image needs beside all that `build` makes; undefined for most. */
export function builtOnDemand(name: string): JavaComponent | undefined {
  return repositoryOf(name) === ZIPKIN ? zipkin : undefined
}

/** The image that a sample manifest names, with its tag: the real program where there is one, else the stand-in. */
export function addonImage(name: string): Image {
  const repository = repositoryOf(name)
  const nobody = { User: '65534:65534' }
  if (repository === 'docker.io/prom/prometheus') {
    const path = join(binaries(node), 'prometheus')
    // Built without its pages, it looks for them below a working directory of this name (its web/ui/ui.go). Not in
    // /prometheus as the real image: Prometheus Operator mounts the data there.
    const WorkingDir = '/usr/share/prometheus'
    const pages = { from: binaries(prometheusPages), to: `${WorkingDir}/web/ui/static/mantine-ui` }
    const config = { Entrypoint: ['/bin/prometheus'], WorkingDir, ...nobody }
    return { name, config, files: [program(path, '/bin/prometheus'), pages, ...shell] }
  }
  if (repository === 'ghcr.io/prometheus-operator/prometheus-config-reloader') {
    const path = join(binaries(node), 'prometheus-config-reloader')
    const config = { Entrypoint: ['/bin/prometheus-config-reloader'], ...nobody }
    return { name, config, files: [program(path, '/bin/prometheus-config-reloader'), { directory: '/tmp' }] }
  }
  if (repository === 'docker.io/jaegertracing/jaeger') {
    const config = { Entrypoint: ['/cmd/jaeger/jaeger'], User: '10001:10001' }
    return { name, config, files: [program(join(binaries(jaeger), 'jaeger'), '/cmd/jaeger/jaeger'), ...shell] }
  }
  if (repository === ZIPKIN) return zipkinImage(name)
  const played = standIns[repository]
  if (!played) throw new Error(`the lab has no image ${name}: add it to test/lab/images.ts`)
  return {
    name,
    config: { Entrypoint: [played.programs[0]], User: played.user },
    files: [...played.programs.map((path) => program(join(binaries(standIn), 'stand-in'), path)), ...shell],
  }
}

const repositoryOf = (name: string) => name.replace(/:[^:/]*$/, '')

/** In 96 MB, with the compiler and the collector of least work: it is ready in half the time, and keeps few traces. */
function zipkinImage(name: string): Image {
  const runtime = join(binaries(zipkin), 'runtime')
  const options = ['-Xmx96m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:+ExitOnOutOfMemoryError']
  const config = {
    Entrypoint: [
      '/java/bin/java',
      ...options,
      '-cp',
      '.:BOOT-INF/classes:BOOT-INF/lib/*',
      'zipkin.server.ZipkinServer',
    ],
    User: '1000:1000',
    WorkingDir: '/zipkin',
  }
  // All that needs a library of the system's: others of the runtime are for windows and sound.
  const linked = ['bin/java', 'lib/libzip.so', 'lib/libjimage.so', 'lib/server/libjvm.so']
  const files = [
    ...linked.map((file) => ({ from: join(runtime, file), to: `/java/${file}`, libraries: true })),
    { from: runtime, to: '/java' },
    { from: join(binaries(zipkin), 'program'), to: '/zipkin' },
  ]
  return { name, config, files: [...files, ...shell] }
}
